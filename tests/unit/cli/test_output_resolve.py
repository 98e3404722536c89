"""Beginnings of UUIDs, as people give them, and the commands that the root names."""

import pytest
from click import Context, Group

from saltant.cli.failures import Failure
from saltant.cli.legacy.root import cli as former
from saltant.cli.resolve import is_id, uuid_prefix
from saltant.cli.root import COMMANDS, cli


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("0B0C", "0b0c"),
        (" 0b0c1122 ", "0b0c1122"),
        ("0b0c1122-", "0b0c1122"),
        ("0b0c112233445566778899aabbccddee", "0b0c1122-3344-5566-7788-99aabbccddee"),
        ("0b0c1122-3344-5566-7788-99aabbccddee", "0b0c1122-3344-5566-7788-99aabbccddee"),
    ],
)
def test_a_beginning_has_its_hyphens(text: str, prefix: str) -> None:
    assert uuid_prefix(text) == prefix


@pytest.mark.parametrize("text", ["", "0b0", "----", "xyz1", "0" * 33, "\uff10b0c", "0b0c%"])
def test_what_is_no_beginning_is_told(text: str) -> None:
    with pytest.raises(Failure) as caught:
        uuid_prefix(text)
    assert caught.value.exit_code == 2


def test_what_can_be_an_id() -> None:
    assert [each for each in ("7", "\u0667", "-7", "7" * 30, "", "7a", "²") if is_id(each)] == ["7"]


@pytest.mark.parametrize("root", [cli, former])
def test_every_command_that_the_help_names_is_there(root: Group) -> None:
    context = Context(root)
    names = root.list_commands(context)
    assert names
    for name in names:
        command = root.get_command(context, name)
        assert command is not None, name
        assert command.name == name
        assert command.help, name
    assert root.get_command(context, "no-such-command") is None


def test_the_sections_hold_every_command() -> None:
    assert sorted(cli.list_commands(Context(cli))) == sorted(COMMANDS)
