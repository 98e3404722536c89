"""Without assertions, and without docstrings, everything fails alike."""

import json
import subprocess
import sys

import pytest

from tests.unit.sdk.conftest import TOKEN, Scripted

PROGRAM = """
import json, sys
from saltant import Client
from saltant.models.resource import ModelManager

url, deaf, token = sys.argv[1:]
found = []
def attempt(act):
    try:
        act()
    except Exception as error:
        found.append([type(error).__name__, str(error)])
    else:
        found.append(None)

client = Client(url, token, test_if_authenticated=False, max_retries=0)
attempt(lambda: client.task_queues.get())
attempt(lambda: client.task_queues.get(name="no"))
attempt(lambda: client.task_queues.get(9))
attempt(lambda: client.task_queues.create(""))
attempt(lambda: client.executable_task_instances.wait_until_finished("x", 0))
attempt(lambda: ModelManager.validate_request_success("{}", url, 500, 200))
attempt(lambda: Client("example.org", token))
attempt(lambda: Client(deaf, "", max_retries=0))
attempt(lambda: Client(deaf, token, max_retries=0))
print(json.dumps(found))
"""


@pytest.mark.parametrize("option", ["-O", "-OO"])
def test_errors_are_the_same(server: Scripted, deaf_url: str, option: str) -> None:
    answers = []
    for options in ([], [option]):
        server.script.clear()
        server.say({"count": 0, "next": None, "previous": None, "results": []})
        server.say({"detail": "Not found."}, 404)
        server.say({"name": ["This field may not be blank."]}, 400)
        command = [sys.executable, *options, "-c", PROGRAM, server.url, deaf_url, TOKEN]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        answers.append(json.loads(ran.stdout))
    assert answers[0] == answers[1]
    kinds = [
        "ValueError",
        "NotFound",
        "NotFound",
        "BadRequest",
        "ValueError",
        "ServerError",
        "ValueError",
        "ValueError",
    ]
    assert [kind for kind, _ in answers[0]] == [*kinds, "ConnectionFailed"]
