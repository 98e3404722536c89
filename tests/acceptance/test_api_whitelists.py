"""Two people who change a whitelist at once lose nothing."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.acceptance.system import Site

pytestmark = pytest.mark.everywhere


def test_members_added_and_removed_at_once(up: Site) -> None:
    types = [
        up.client.executable_task_types.create(name=f"at-once-{number}", command_to_run="x").id for number in range(40)
    ]
    whitelist = up.client.task_whitelists.create(name="at-once")
    up.client.task_whitelists.patch(whitelist.id, whitelisted_executable_task_types=types[:20])
    headers = {"Authorization": f"Token {up.token}"}

    def change(number: int) -> int:
        verb = "remove" if number < 20 else "add"
        url = f"{up.url}taskwhitelists/{whitelist.id}/{verb}/"
        return requests.post(url, {"executable_task_types": types[number]}, headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(
            pool.map(change, [number for pair in zip(range(20), range(20, 40), strict=True) for number in pair])
        ) == {200}
    assert up.client.task_whitelists.get(whitelist.id).whitelisted_executable_task_types == types[20:]
