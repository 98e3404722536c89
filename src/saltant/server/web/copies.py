"""An instance, said again in Python, with curl and on the command line."""

import json
import pprint
import shlex
from collections.abc import Mapping
from typing import Any

TEACH = """import saltant

client = saltant.from_env()
task_type = client.executable_task_types.get(name="my-type")
queue = client.task_queues.get(name="default")
client.executable_task_instances.create(task_type.id, queue.id, arguments={"word": "binary"})"""
"""What would fill an empty list."""
TEACH_TYPE = """import saltant

client = saltant.from_env()
task_type = client.executable_task_types.create(
    name="my-type",
    command_to_run="/path/to/a/program",
    required_arguments=["word"],
)
client.task_whitelists.get(name="default").add(executable_task_types=[task_type.id])"""
TEACH_WHITELIST = """import saltant

client = saltant.from_env()
task_type = client.executable_task_types.get(name="my-type")
whitelist = client.task_whitelists.create("genetics", whitelisted_executable_task_types=[task_type.id])
client.task_queues.create("genetics", whitelists=[whitelist.id])"""
TEACH_QUEUE = """import saltant

client = saltant.from_env()
whitelist = client.task_whitelists.get(name="default")
client.task_queues.create("gpu", "The machines with GPUs", whitelists=[whitelist.id])"""
TEACH_SCHEDULE = """import saltant

client = saltant.from_env()
task_type = client.executable_task_types.get(name="my-type")
queue = client.task_queues.get(name="default")
client.schedules.create("nightly", task_type.id, queue.id, "30 2 * * *", {"word": "binary"})"""
"""What would fill other empty lists."""


def python(instance: Mapping[str, Any]) -> str:
    """Python that runs the same once more."""
    task_class = instance["task_class"]
    lines = [
        "import saltant",
        "",
        "client = saltant.from_env()",
        f"task_type = client.{task_class}_task_types.get(name={instance['type'].name!r})",
        f"queue = client.task_queues.get(name={instance['queue'].name!r})",
        f"instance = client.{task_class}_task_instances.create(",
        "    task_type.id,",
        "    queue.id,",
    ]
    for key in ("arguments", "name", "labels"):
        if instance[key]:
            said = pprint.pformat(instance[key], width=100, sort_dicts=False).replace("\n", "\n    ")
            lines.append(f"    {key}={said},")
    return "\n".join([*lines, ")", "print(instance.wait_until_finished().state)"])


def curl(instance: Mapping[str, Any], root: str) -> str:
    """The same with curl; the token is the environment's."""
    body = {key: instance[key] for key in ("task_type", "task_queue", "arguments", "name", "labels") if instance[key]}
    said = shlex.quote(json.dumps(body, ensure_ascii=False))
    url = shlex.quote(f"{root}/api/{instance['task_class']}taskinstances/")
    return (
        f"curl -X POST {url} \\\n"
        '  -H "Authorization: Token $SALTANT_AUTH_TOKEN" \\\n'
        "  -H 'Accept: application/json; version=2' -H 'Content-Type: application/json' \\\n"
        f"  -d {said}"
    )


def command_line(instance: Mapping[str, Any]) -> str:
    """The same with the command `saltant`."""
    words = ["saltant", "run", instance["type"].name, "--class", instance["task_class"]]
    if instance["arguments"]:
        words += ["--args", json.dumps(instance["arguments"], ensure_ascii=False)]
    words += ["--queue", instance["queue"].name]
    if instance["name"]:
        words += ["--name", instance["name"]]
    for key, value in instance["labels"].items():
        words += ["--label", f"{key}={value}"]
    return shlex.join([*words, "--follow"])


def add_to_whitelist(whitelist: Any, root: str) -> list[tuple[str, str, str]]:
    """How a type is put on a whitelist from elsewhere."""
    url = shlex.quote(f"{root}/api/taskwhitelists/{whitelist.pk}/add/")
    lines = [
        "import saltant",
        "",
        "client = saltant.from_env()",
        'task_type = client.executable_task_types.get(name="my-type")',
        f"client.task_whitelists.get(name={whitelist.name!r}).add(executable_task_types=[task_type.id])",
    ]
    curl = (
        f"curl -X POST {url} \\\n"
        '  -H "Authorization: Token $SALTANT_AUTH_TOKEN" \\\n'
        "  -H 'Accept: application/json; version=2' -H 'Content-Type: application/json' \\\n"
        """  -d '{"executable_task_types": [1]}'"""
    )
    return [("python", "Python", "\n".join(lines)), ("curl", "curl", curl)]


def root_of(request: Any) -> str:
    """Where the server is, as the browser reached it."""
    return f"{request.scheme}://{request.get_host()}"


def a_worker(queue: str, root: str) -> str:
    """How a machine comes to serve a queue: a token, made beside the server, and the worker."""
    token = ["saltant", "token", "create", "ada", "--role", "worker", "--queue", queue]
    worker = ["saltant", "worker", "--queue", queue, "--server", root, "--token-file", "token"]
    return f"{shlex.join(token)} > token\n{shlex.join(worker)}"


def use_queue(name: str, root: str) -> list[tuple[str, str, str]]:
    """How something is run on a queue from elsewhere, and how a machine comes to serve it."""
    lines = [
        "import saltant",
        "",
        "client = saltant.from_env()",
        'task_type = client.executable_task_types.get(name="my-type")',
        f"queue = client.task_queues.get(name={name!r})",
        "client.executable_task_instances.create(task_type.id, queue.id)",
    ]
    run = shlex.join(["saltant", "run", "my-type", "--queue", name, "--follow"])
    return [
        ("python", "Python", "\n".join(lines)),
        ("command-line", "a command line", run),
        ("worker", "a machine's worker", a_worker(name, root)),
    ]


def use_schedule(name: str) -> list[tuple[str, str, str]]:
    """How a schedule is run once more from elsewhere."""
    lines = [
        "import saltant",
        "",
        "client = saltant.from_env()",
        f"schedule = client.schedules.get(name={name!r})",
        "print(schedule.times(5))",
        "print(schedule.run().wait_until_finished().state)",
    ]
    commands = [["saltant", "schedule", "show", name], ["saltant", "schedule", "run", name]]
    return [
        ("python", "Python", "\n".join(lines)),
        ("command-line", "a command line", "\n".join(shlex.join(words) for words in commands)),
    ]
