"""A worker needs no Django, and a broker changes nothing for the rest of the process."""

import os
import subprocess
import sys

PROGRAM = """
import sys
path = list(sys.path)
import saltant.engine.celery, saltant.worker.broker
assert sys.path == path, sys.path
assert "django.conf" not in sys.modules  # kombu itself takes a look at django.utils, where there is one
assert not any(name.startswith("saltant.server") for name in sys.modules)
"""


def test_django_stays_out() -> None:
    for settings in ({}, {"DJANGO_SETTINGS_MODULE": "saltant.server.settings"}):
        environ = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        subprocess.run([sys.executable, "-c", PROGRAM], env=environ | settings, check=True, timeout=60)


def test_celerys_own_variables_are_not_obeyed() -> None:
    program = """
from saltant.engine.brokers import Broker
broker = Broker.from_url("redis://127.0.0.1:1/0")
try:
    broker.connect()
except Exception as error:
    assert "nothing listens there" in str(broker.unavailable(error)), error
else:
    raise AssertionError("It went elsewhere.")
"""
    environ = os.environ | dict.fromkeys(("CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL"), "memory://")
    subprocess.run([sys.executable, "-c", program], env=environ, check=True, timeout=60)
