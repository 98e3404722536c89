"""The example in containers: python example.py docker IMAGE, or singularity FILE.sif."""

import sys

import saltant

container_type, image = sys.argv[1:]
client = saltant.from_env()
queue = client.task_queues.get(name="default")
name = f"anagrams-{container_type}"
try:
    anagrams = client.container_task_types.get(name=name)
except saltant.NotFound:
    anagrams = client.container_task_types.create(
        name=name,
        command_to_run="/app/anagrams",
        container_image=image,
        container_type=container_type,
        required_arguments=["word"],
        results_path="/results",
        pull_policy="never",  # the image is there, and in no registry
        network="none",
    )
    client.task_whitelists.get(name="default").add(container_task_types=[anagrams.id])

create = client.container_task_instances.create
jobs = [create(anagrams.id, queue.id, arguments={"word": word}) for word in ("binary", "listen", "stream")]
for job in jobs:
    print(job.arguments["word"], job.wait_until_finished(refresh_period=0.1).state, job.message or "")
