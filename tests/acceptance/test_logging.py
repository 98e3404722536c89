"""What a real `saltant up` writes to its log."""

import json
from pathlib import Path

import requests

from tests.acceptance.system import Up
from tests.acceptance.test_people import PASSWORD, saltant


def test_json_lines_with_ids_and_no_secrets(tmp_path: Path) -> None:
    environ = {"SALTANT_LOG_FORMAT": "json", "SALTANT_LOG_LEVEL": "debug"}
    with Up(tmp_path / "data", environ=environ) as up:
        saltant(up, "user", "create", "ada", "--password-file", "-", stdin=PASSWORD + "\n")
        key = saltant(up, "token", "create", "ada").stdout.strip()
        said = {"username": "ada", "password": PASSWORD}
        tokens = requests.post(f"{up.url}token/", said, timeout=60).json()
        requests.post(f"{up.url}token/?password={PASSWORD}", json=said | {"password": PASSWORD + "x"}, timeout=60)
        requests.get(f"{up.url}users/?key={key}", headers={"Authorization": f"Token {key}"}, timeout=60)
        job = up.run(up.executable("/no/such/program"))
        terminated = requests.post(
            f"{up.url}executabletaskinstances/{job.uuid}/terminate/",
            headers={"Authorization": f"Token {up.token}", "X-Request-Id": "ours-0123"},
            timeout=60,
        )
        assert terminated.headers["X-Request-Id"] == "ours-0123"
        up.stop()
        text = up.output.read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(event) for event in events))
    [ours] = [event for event in events if event.get("request") == "ours-0123"]
    assert (ours["uuid"], ours["status"], ours["user"]) == (job.uuid, 202, "admin")
    for secret in (key, up.token, PASSWORD, *tokens.values(), (up.data_dir / "secret-key").read_text().strip()):
        assert secret not in text
