"""Changing the configuration file."""

import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from saltant.cli.config_file import change, edited
from saltant.exceptions import BadConfigError

NEW = {"url": "http://x/", "token": "t"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a comment",
        "[profiles.a]\nurl = 'x'\n\n# of b\n[profiles.b]\nurl = 'y'\n",
        'profiles.a.url = "x"\n',
        "profiles = {a = {url = 'x'}}\n",
        '[profiles."a"]\nurl = """\n[profiles.a]\nurl = 1"""\n',
        "[profiles]\n[profiles.'a']\ntoken = 'old' # old\n[other]\ntoken = 'kept'\n",
        "[other]\ndefault = 1\n",
    ],
)
def test_nothing_else_is_changed(text: str) -> None:
    before, after = tomllib.loads(text), tomllib.loads(edited(text, "a", NEW, "a"))
    assert after.pop("default") == "a"
    changed = after["profiles"].pop("a")
    assert changed == before.get("profiles", {}).pop("a", {}) | NEW
    assert after | {"profiles": 0} == before | {"profiles": 0}
    assert after["profiles"] == before.get("profiles", {})
    assert edited(text, "a", {"nothing": None}, None).count("#") >= text.count("#")


@pytest.mark.parametrize("name", ["a b", 'q"uote', "ü", "a.b", "\x7f\n", "https://x/"])
def test_any_name(name: str) -> None:
    made = edited(edited("", name, NEW, name), name, {"token": "u", "url": None}, None)
    assert tomllib.loads(made) == {"default": name, "profiles": {name: {"token": "u"}}}


def test_the_file_is_its_owners_alone_and_links_stay(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    target = tmp_path / "dotfiles" / "real.toml"
    target.write_text("# mine\n")
    target.chmod(0o644)
    link = tmp_path / "config.toml"
    link.symlink_to(target)
    change(link, "a", NEW)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_text().startswith("# mine\n")


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "config.toml"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: change(path, f"p{number}", NEW), range(24)))
    assert len(tomllib.loads(path.read_text())["profiles"]) == 24
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_a_broken_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("a = ]")
    with pytest.raises(BadConfigError, match="line 1"):
        change(path, "a", NEW)
    assert path.read_text() == "a = ]"
    with pytest.raises(BadConfigError, match="cannot be written"):
        change(path / "below", "a", NEW)
