"""A bare Celery that runs the same program: what `bench/many.py` measures saltant beside."""

import os
import subprocess

from celery import Celery

app = Celery("bare", broker=os.environ["BARE_BROKER_URL"], backend="rpc://")
app.conf.update(task_ignore_result=False, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)


@app.task(name="bare.run")  # type: ignore[untyped-decorator]
def run() -> int:
    """Run it; its exit code."""
    return subprocess.run(["/bin/true"], check=False).returncode
