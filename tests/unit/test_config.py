from dataclasses import fields
from pathlib import Path

import pytest

from saltant.config import Settings, SettingsError

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_setting_is_documented_in_its_own_words() -> None:
    text = " ".join(DOCS.read_text().split())
    for each in fields(Settings):
        assert f"`{each.metadata['variable']}`" in text
        assert " ".join(each.metadata["help"].split()) in text


def test_values_are_read_by_type_and_overrides_win() -> None:
    environ = {
        "SALTANT_LEASE": "7.5",
        "SALTANT_MAX_BODY": " 10 ",
        "SALTANT_ALLOWED_HOSTS": "a, b,",
        "SALTANT_DATA_DIR": "/x",
    }
    settings = Settings.from_env(environ, lease=None, data_dir=Path("/y"))
    assert (settings.lease, settings.max_body, settings.allowed_hosts) == (7.5, 10, ["a", "b"])
    assert settings.data_dir == Path("/y")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SALTANT_LEASE", "soon"),
        ("SALTANT_LEASE", "0"),
        ("SALTANT_LEASE", "nan"),
        ("SALTANT_LEASE", "inf"),
        ("SALTANT_LEASE", "1e300"),
        ("SALTANT_CLAIM_TIMEOUT", "1e300"),
        ("SALTANT_FILTER_TIME", "inf"),
        ("SALTANT_MAX_BODY", "1e3"),
        ("SALTANT_KILL_GRACE", "-1"),
        ("SALTANT_KILL_GRACE", "inf"),
        ("SALTANT_LOG_LEVEL", "loud"),
        ("SALTANT_LOG_FORMAT", "xml"),
        ("SALTANT_HTTPS", "perhaps"),
        ("SALTANT_HSTS", "-1"),
        ("SALTANT_TRUSTED_PROXIES", "proxy.example.org"),
    ],
)
def test_a_useless_value_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_env({variable: value})


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("TRUE", True), ("1", True), ("no", False), ("0", False)])
def test_yes_and_no(text: str, value: bool) -> None:
    assert Settings.from_env({"SALTANT_HTTPS": text}).https is value


def test_proxies_are_addresses_and_networks() -> None:
    for text in ("127.0.0.1", "10.0.0.0/8, ::1", "*"):
        proxies = Settings.from_env({"SALTANT_TRUSTED_PROXIES": text}).trusted_proxies
        assert proxies == [part.strip() for part in text.split(",")]


def test_where_files_are() -> None:
    assert Settings(data_dir=Path("/d")).files_folder == Path("/d/files")
    assert Settings(files_dir="~/f").files_folder == Path("~/f").expanduser()


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"SALTANT_LOG_LIMIT": "-1"}, "SALTANT_LOG_LIMIT must be 0 or more"),
        ({"SALTANT_KEEP_LOGS": "99999"}, "SALTANT_KEEP_LOGS must be between 0 and 3650 days"),
        ({"SALTANT_S3_BUCKET": "b", "SALTANT_S3_ACCESS_KEY": "a"}, "go together"),
        ({"SALTANT_S3_ENDPOINT": "s3.example.org"}, "SALTANT_S3_ENDPOINT must begin with https://"),
    ],
)
def test_files_settings_that_cannot_be(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings.from_env(environ)
