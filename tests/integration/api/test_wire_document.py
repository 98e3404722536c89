"""`docs/wire-v2.md` says what the server does."""

import re
from pathlib import Path

from saltant.reasons import Reason
from saltant.server.api.serializers import InstanceSerializer, InstanceSerializerV2

TEXT = (Path(__file__).parents[3] / "docs/wire-v2.md").read_text()


def test_every_added_key_is_described_in_order() -> None:
    one, two = list(InstanceSerializer().fields), list(InstanceSerializerV2().fields)
    table = TEXT.split("## Task instances")[1].split("### Reasons")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == two[len(one) :]


def test_every_reason_is_described() -> None:
    table = TEXT.split("### Reasons")[1].split("## Lists")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
    assert rows == [(str(reason), reason.sentence) for reason in Reason]
