from pathlib import Path

import saltant

client = saltant.from_env()
queue = client.task_queues.get(name="default")
try:
    anagrams = client.executable_task_types.get(name="anagrams")
except saltant.NotFound:
    anagrams = client.executable_task_types.create(
        name="anagrams",
        command_to_run=str(Path("examples/anagrams/anagrams.py").resolve()),
        required_arguments=["word"],
    )
    client.task_whitelists.get(name="default").add(executable_task_types=[anagrams.id])

create = client.executable_task_instances.create
jobs = [create(anagrams.id, queue.id, arguments={"word": word}) for word in ("binary", "listen", "stream")]
for job in jobs:
    print(job.arguments["word"], job.wait_until_finished(refresh_period=0.1).state)
