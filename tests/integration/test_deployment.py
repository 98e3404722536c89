"""What the settings make of cookies, and Django's own judgement of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def django(folder: Path, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    defaults = {
        "DJANGO_SETTINGS_MODULE": "saltant.server.settings",
        "SALTANT_DATA_DIR": str(folder),
        "SALTANT_SECRET_KEY": "0123456789abcdef" * 4,
    }
    return subprocess.run(
        [sys.executable, "-m", "django", *words],
        env=os.environ | defaults | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_django_finds_nothing_to_say_of_a_deployment_by_https(tmp_path: Path) -> None:
    judged = django(tmp_path, "check", "--deploy", "--fail-level", "WARNING", SALTANT_HTTPS="yes")
    assert judged.returncode == 0, judged.stderr
    assert "no issues" in judged.stdout


@pytest.mark.parametrize(("environ", "number"), [({}, "W012"), ({"SALTANT_HTTPS": "yes", "SALTANT_HSTS": "0"}, "W004")])
def test_django_says_what_is_missing_otherwise(tmp_path: Path, environ: dict[str, str], number: str) -> None:
    judged = django(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **environ)
    assert judged.returncode == 1
    assert f"security.{number}" in judged.stderr


def test_every_model_has_its_migrations(tmp_path: Path) -> None:
    made = django(tmp_path, "makemigrations", "--check", "--dry-run")
    assert made.returncode == 0, made.stdout
