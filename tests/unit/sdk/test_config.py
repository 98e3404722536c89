"""Profiles of the configuration file: what is found, and what is said of what makes no sense."""

import os
import re
import warnings
from pathlib import Path

import pytest

from saltant import BadConfigError, BadEnvironmentError, Client
from saltant._config import config_path, find
from tests.unit.sdk.conftest import Scripted, page

GOOD = '[profiles.lab]\nurl = "http://127.0.0.1:1/api"\ntoken = "secret"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SALTANT_API_URL", "SALTANT_AUTH_TOKEN", "SALTANT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SALTANT_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


def write(file: Path, text: str, mode: int = 0o600) -> None:
    file.write_text(text)
    file.chmod(mode)


def test_a_client_of_a_profile(file: Path, server: Scripted) -> None:
    write(file, f'default = "lab"\n[profiles.lab]\nurl = "{server.url}"\ntoken_file = "key"\nqueue = "gpu"\n')
    write(file.with_name("key"), " secret\n")
    server.say(page())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Client.from_config().base_api_url == server.url
    assert server.requests[0].headers["authorization"] == "Token secret"
    assert find().queue == "gpu"
    assert "secret" not in repr(find())


def test_certificates_of_a_profile(file: Path) -> None:
    write(file, GOOD + 'ca = "own.pem"\n')
    with pytest.raises(BadConfigError, match=r"own\.pem, which is not there"):
        find()
    write(file.with_name("own.pem"), "")
    client = Client.from_config("lab", test_if_authenticated=False)
    assert client.session.verify == str(file.with_name("own.pem"))


def test_a_file_that_others_may_read(file: Path) -> None:
    write(file, GOOD, 0o640)
    with pytest.warns(UserWarning, match=f"chmod 600 {re.escape(str(file))}"):
        Client.from_config(test_if_authenticated=False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "No server is known"),
        ("", "names none"),
        ("a = ]", r"not TOML: .*line 1"),
        ("default = 1", "in quotes"),
        ("profiles = 1", "must be tables"),
        ("[profiles]\na = 1", "must be tables"),
        (GOOD + "ca = 1", "ca of profile 'lab' must be text"),
        (GOOD + "tokn = '1'", "key 'tokn'. Keys are: url, token"),
        ("[profiles.lab]\ntoken = 't'", "no url"),
        ("[profiles.lab]\nurl = 'http://x'", "no token"),
        (GOOD + "token_file = 't'", "keep one"),
        ("[profiles.lab]\nurl = 'http://x'\ntoken_file = 't'", "cannot be read"),
        (GOOD.replace("http:", "ftp:"), "url of profile 'lab' .* makes no sense"),
        (GOOD.replace("secret", "sec ret"), "token of profile 'lab' .* makes no sense"),
        ("default = 'x'\n" + GOOD, "no profile 'x' .*there: lab"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_sentence(file: Path, text: str | None, told: str) -> None:
    if text is not None:
        write(file, text)
    with pytest.raises(BadConfigError, match=told) as caught:
        Client.from_config()
    assert "cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(file: Path) -> None:
    file.write_bytes(b"\xff")
    with pytest.raises(BadConfigError, match="UTF-8"):
        find()
    file.unlink()
    file.mkdir()
    with pytest.raises(BadConfigError, match="cannot be read"):
        find()


def test_half_an_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file, GOOD)
    monkeypatch.setenv("SALTANT_API_URL", " ")
    assert find().profile == "lab", "what is empty says nothing"
    monkeypatch.setenv("SALTANT_AUTH_TOKEN", "t")
    with pytest.raises(BadEnvironmentError, match="SALTANT_API_URL is empty"):
        find()
    assert find("lab").profile == "lab"
    monkeypatch.setenv("SALTANT_API_URL", "nonsense")
    with pytest.raises(BadEnvironmentError, match="SALTANT_API_URL makes no sense"):
        Client.from_config()


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALTANT_CONFIG", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert config_path() == Path("/home/ada/.config/saltant/config.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
    assert os.fspath(config_path()) == "/xdg/saltant/config.toml"
