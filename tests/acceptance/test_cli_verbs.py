"""The everyday commands in pipes: what scripts see of them."""

import json
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import Shell, golden
from tests.acceptance.system import Up, wait_until

JOB = """#!/bin/sh
echo "out $1"
echo "err $1" >&2
mkdir "$JOB_RESULTS_DIRECTORY/deep"
printf '%s' "$1" > "$JOB_RESULTS_DIRECTORY/deep/arguments.json"
case "$1" in
    *fail*) exit 3 ;;
    *sleep*) exec sleep 60 ;;
esac
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A saltant of these tests' own, with a type `job`."""
    folder = tmp_path_factory.mktemp("verbs")
    program = folder / "job.sh"
    program.write_text(JOB)
    program.chmod(0o755)
    with Up(folder / "data", "--concurrency", "3") as system:
        system.executable(str(program), name="job", required_arguments=["seed"])
        yield system


@pytest.fixture
def shell(lab: Up, tmp_path: Path) -> Shell:
    """The admin's."""
    return Shell(lab, tmp_path)


def test_run_prints_the_uuid_and_follow_ends_as_the_job(shell: Shell) -> None:
    run = shell.run("run", "job", "seed=1", "word=a b")
    uuid = run.stdout.strip()
    assert (golden(run.stdout), run.returncode) == ("UUID\n", 0)
    assert "saltant logs -f" in run.stderr
    assert shell.prints("run", "job", "seed=1", "-q").count("\n") == 1
    assert golden(shell.prints("wait", uuid)) == "UUID\tsuccessful\t\tjob\tdefault\tadmin\tTIME\tSECONDS\t\n"
    run = shell.run("run", "job", "seed=fail", "--follow")
    assert (run.returncode, run.stdout) == (3, 'out {"seed": "fail"}\n')
    assert golden(run.stderr) == ('Task instance UUID\nerr {"seed": "fail"}\nFailed: Its program exited with code 3.\n')
    run = shell.run("run", "job", "--args", "-", "--follow", "--json", stdin='{"seed": [1, "x"]}')
    said = json.loads(run.stdout)
    assert (said["state"], said["type"], said["queue"], said["exit_code"]) == ("successful", "job", "default", 0)
    assert said["arguments"] == {"seed": [1, "x"]}
    assert 'out {"seed": [1, "x"]}' in run.stderr


def test_counts(shell: Shell) -> None:
    for seed, colour in (("1", "red"), ("2", "blue"), ("fail", "red")):
        shell.run("run", "job", f"seed={seed}", "--label", "of=counts", "--label", f"colour={colour}", "--follow")
    mine = ("counts", "--label", "of=counts")
    assert shell.prints(*mine) == "successful\t2\nfailed\t1\n"
    groups = ("--by", "type", "--by", "queue", "--by", "user", "--by", "label:colour", "--by", "label:none")
    assert shell.prints(*mine, *groups) == "job\tdefault\tadmin\tred\t\t2\njob\tdefault\tadmin\tblue\t\t1\n"
    assert shell.run(*mine, *groups).stderr == "3 in all.\n"
    assert json.loads(shell.prints(*mine, "--all", "--state", "failed", "--by", "label:colour", "--json")) == [
        {"label:colour": "red", "count": 1}
    ]
    nothing = shell.run(*mine, "--state", "terminated")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "0 in all.\n")
    wrong = shell.run("counts", "--by", "label:")
    assert (wrong.returncode, "'label:' is none of state, type, queue, user and label:KEY." in wrong.stderr) == (
        2,
        True,
    )
    assert shell.run("counts", "--by", "label:a b").returncode == 5
    assert shell.run("counts", "--queue", "nowhere").returncode == 3


def test_exec_gives_the_command_its_words(shell: Shell, lab: Up) -> None:
    code = "import json, sys; print(json.dumps(sys.argv[1:]))"
    words = ["a  b", "$HOME", "${PATH}x$", "it's", '"', "\\n", "", "*", "|", "é", "--queue", "-f"]
    for more in ([], ["x" * 5000]):
        run = shell.run("exec", "--", "python3", "-c", code, *words, *more)
        assert (json.loads(run.stdout), run.returncode) == ([*words, *more], 0), run
    kept = [each.name for each in lab.client.executable_task_types.list({"name__startswith": "admin-python3-"})]
    assert len(kept) == 2
    shell.prints("exec", "-q", "--", "python3", "-c", code, *words)
    assert len(lab.client.executable_task_types.list({"name__startswith": "admin-python3-"})) == 2


def test_how_exec_ends(shell: Shell, lab: Up) -> None:
    for command, code, said in (
        (["sh", "-c", "exit 7"], 7, "exited with code 7"),
        (["sh", "-c", "kill -9 $$"], 137, "SIGKILL"),
        (["./here"], 127, "starts in an empty folder"),
        (["/dev/null"], 126, "/dev/null"),
    ):
        run = shell.run("exec", "--", *command)
        assert (run.returncode, run.stdout) == (code, ""), run
        assert said in run.stderr
        assert "Traceback" not in run.stderr
    lab.executable("sleep 60", name="slow", timeout=0.2)
    run = shell.run("run", "slow", "-f")
    assert run.returncode == 124
    assert "timeout" in run.stderr


def test_exec_of_somebody_who_may_do_little(shell: Shell, lab: Up, tmp_path: Path) -> None:
    environ = {"SALTANT_DATA_DIR": str(lab.data_dir)}
    commands = (["user", "create", "ada", "--no-password"], ["token", "create", "ada", "-q"])
    shell.run(*commands[0], **environ)
    made = shell.run("token", "create", "ada", **environ)
    ada = Shell(lab, tmp_path, made.stdout.strip().split()[-1])
    run = ada.run("exec", "--", "echo", "hello")
    assert (run.returncode, run.stdout) == (5, "")
    assert "default (whitelist default, of admin)" in run.stderr
    from saltant import Client

    client = Client(lab.url, ada.environ["SALTANT_AUTH_TOKEN"])
    own = client.task_whitelists.create("ada")
    client.task_queues.create("adas", whitelists=[own.id], private=True)
    assert ada.prints("exec", "--", "echo", "hello") == "hello\n"
    assert ada.prints("ps", "--json").count('"queue": "adas"') == 1
    assert ada.prints("ps", "--user", "nobody") == ""
    admins = shell.prints("run", "job", "seed=sleep", "-q").strip()
    run = ada.run("kill", admins)
    assert (run.returncode, "refuses it" in run.stderr) == (5, True)
    shell.prints("kill", admins)
    run = ada.run("run", "job", "seed=1", "--queue", "adas")
    assert run.returncode == 5
    assert "No whitelist of the queue 'adas'" in run.stderr


def test_lists(shell: Shell) -> None:
    assert golden(shell.prints("queues")).splitlines()[0] == (
        "default\t1\tactive\tno\texecutable,docker,singularity\tdefault\t\tadmin\tThis machine."
    )
    [worker] = json.loads(shell.prints("workers", "--json", "--queue", "default"))
    assert (worker["state"], worker["slots"], worker["queues"]) == ("online", 3, None)
    assert shell.prints("workers", "-q", "--state", "lost") == ""
    [job] = [each for each in json.loads(shell.prints("types", "--json")) if each["name"] == "job"]
    assert (job["class"], job["required_arguments"], job["user"]) == ("executable", ["seed"], "admin")
    assert "job" in shell.prints("types", "-q", "--queue", "default").split()


def test_show_logs_and_results(shell: Shell) -> None:
    uuid = shell.prints("run", "job", "seed=fail", "--name", "n\tn", "-q").strip()
    shell.run("wait", uuid)
    start = uuid[:12].upper()
    shown = dict(line.split("\t") for line in shell.prints("show", start).splitlines())
    assert (
        shown.items()
        >= {
            "state": "failed",
            "reason": "Its program exited with code 3.",
            "name": "n\\tn",
            "arguments": '{"seed": "fail"}',
            "exit_code": "3",
        }.items()
    )
    said = json.loads(shell.prints("show", "--json", start))
    assert (said["reason"], [each["exit_code"] for each in said["attempts"]]) == ("exited", [3])
    assert shell.prints("logs", start) == 'out {"seed": "fail"}\n'
    assert shell.prints("logs", "--stderr", "-f", start) == 'err {"seed": "fail"}\n'
    both = shell.run("logs", "--both", start)
    assert (both.stdout, both.stderr) == ('out {"seed": "fail"}\n', 'err {"seed": "fail"}\n')
    assert shell.prints("logs", "--tail", "0", start) == ""
    assert json.loads(shell.prints("logs", "--json", start)) == {
        "uuid": uuid,
        "attempt": 1,
        "stdout": 'out {"seed": "fail"}\n',
    }
    assert shell.run("logs", "--attempt", "2", start).returncode == 3
    [listed] = json.loads(shell.prints("results", "--json", start))
    assert (listed["name"], listed["size"], listed["why"]) == ("deep/arguments.json", 16, None)
    assert shell.prints("results", "-o", "out", start) == "out/deep/arguments.json\n"
    assert (shell.folder / "out/deep/arguments.json").read_text() == '{"seed": "fail"}'


def test_logs_follow_all_attempts(shell: Shell, lab: Up) -> None:
    lab.executable("sh -c 'echo try; exit 1'", name="twice", max_attempts=2, retry_on="failed", retry_delay=0)
    run = shell.run("run", "twice", "-f")
    assert (run.returncode, run.stdout) == (1, "try\ntry\n")
    assert "attempt 2" in run.stderr


def test_pipes_of_uuids(shell: Shell) -> None:
    sleepers = [shell.prints("run", "job", "seed=sleep", "--name", "sleeper", "-q").strip() for _ in range(2)]
    assert set(shell.prints("ps", "-q", "--state", "unfinished").split()) >= set(sleepers)
    late = shell.run("wait", "--timeout", "0.2", *sleepers)
    assert late.returncode == 124
    quick = shell.prints("run", "job", "seed=1", "-q").strip()
    assert shell.prints("wait", "--any", "-q", sleepers[0], quick) == f"{quick}\n"
    shell.prints("kill", "-q", "-", stdin="\n".join(sleepers))
    ended = shell.run("wait", *sleepers, quick)
    assert ended.returncode == 1
    assert [line.split("\t")[1] for line in ended.stdout.splitlines()].count("terminated") == 2
    again = shell.prints("clone", quick, sleepers[0])
    assert golden(again) == "UUID\nUUID\n"
    shell.prints("kill", *again.split())
    missing = shell.run("wait", quick, "00000000-0000-0000-0000-000000000000")
    assert (missing.returncode, missing.stdout.split("\t")[0]) == (3, quick)


def test_a_sweep_goes_on_where_it_was(shell: Shell, lab: Up) -> None:
    file, state = shell.folder / "args.jsonl", shell.folder / "args.jsonl.saltant"
    file.write_text('{"seed": 1}\n{"seed": 1}\n{"wrong": 1}\n[]\n')
    run = shell.run("map", "job", "--file", "args.jsonl")
    assert (run.returncode, run.stdout, state.exists()) == (2, "", False)
    assert "Nothing was submitted. line 3: it lacks seed; line 4: it is no JSON object." in run.stderr
    file.write_text('{"seed": 1}\n{"seed": 1}\n{"seed": 2}\n')
    first = shell.prints("map", "job", "--file", "args.jsonl", "--name", "sweep {line}", "-q").split()
    assert len(set(first)) == 3
    # As if it had been killed between the server's answer and writing that down.
    notes = state.read_text().splitlines(keepends=True)
    state.write_text("".join(each for each in notes if first[-1] not in each))
    file.write_text('{"seed": "fail"}\n' + file.read_text())
    run = shell.run(
        "map", "job", "--file", "args.jsonl", "--name", "sweep {line}", "--queue", "default", "-f", "--json"
    )
    assert run.returncode == 1, run
    ended = json.loads(run.stdout)
    assert [(each["line"], each["state"]) for each in ended] == [
        (1, "failed"),
        (2, "successful"),
        (3, "successful"),
        (4, "successful"),
    ]
    assert {each["uuid"] for each in ended[1:]} == set(first)
    assert "Of 4: 3 successful, 1 failed." in run.stderr
    assert shell.run("map", "job", "--file", "args.jsonl").returncode == 2  # it has another name
    future = shell.run("map", "job", "--file", "args.jsonl", "--anew", "--revision", "99")
    assert (future.returncode, "has no revision 99" in future.stderr) == (5, True), future
    assert stat.S_IMODE(state.stat().st_mode) & 0o022 == 0


def test_ctrl_c_where_no_terminal_is_leaves_it_running(shell: Shell, lab: Up) -> None:
    process = shell.begin("run", "job", "seed=sleep", "--follow")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("out")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, "It goes on." in said) == (130, True), said
    uuid = said.split("saltant logs -f ")[1].split()[0]
    assert lab.client.executable_task_instances.get(uuid).state == "running"
    shell.prints("kill", uuid)


def test_it_is_said_what_an_instance_waits_for(shell: Shell, lab: Up) -> None:
    lab.client.task_queues.pause(1)
    process = shell.begin("exec", "--queue", "default", "--", "true")
    assert process.stderr is not None
    assert golden(process.stderr.readline()) == "Task instance UUID\n"
    assert process.stderr.readline() == "The queue 'default' is paused.\n"
    lab.client.task_queues.resume(1)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_watch_prints_a_line_for_each_change(shell: Shell) -> None:
    process = shell.begin("ps", "--watch", "--json", "--type", "job", "--state", "successful")
    assert process.stdout is not None
    uuids: list[str] = []

    def told() -> bool:
        uuids.append(shell.prints("run", "job", "seed=1", "-f", "--json"))
        return len(uuids) > 1

    wait_until(told, "instances run")
    line = json.loads(process.stdout.readline())
    assert (line["state"], line["type"]) == ("successful", "job")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


def test_what_goes_wrong(shell: Shell, lab: Up) -> None:
    uuid = shell.prints("run", "job", "seed=1", "-q").strip()
    for arguments, environ, code, said in (
        (["run", "job"], {}, 5, "Required arguments are missing: 'seed'"),
        (["run", "jop"], {}, 3, "Did you mean 'job'?"),
        (["run", "job", "seed"], {}, 2, "key=value"),
        (["run", "job", "seed=1", "--queue", "nowhere"], {}, 3, "no task queue 'nowhere'"),
        (["show", "abc"], {}, 2, "no UUID"),
        (["show", "0000"], {}, 3, "no task instance 0000"),
        (["ps", "--since", "soon"], {}, 2, "is no time"),
        (["ps"], {"SALTANT_AUTH_TOKEN": "wrong"}, 4, "does not accept the token"),
        (["ps"], {"SALTANT_API_URL": "http://127.0.0.1:1/api/"}, 6, "127.0.0.1:1"),
        (["map", "job", "--file", "nowhere"], {}, 2, "nowhere"),
        (["results", uuid, "-o", "/proc/none"], {}, 1, "/proc/none"),
    ):
        run = shell.run(*arguments, **environ)
        assert (run.returncode, run.stdout) == (code, ""), (arguments, run)
        assert said in run.stderr, (arguments, run.stderr)
        assert "Traceback" not in run.stderr


def test_a_queue_has_to_be_chosen_among_several(shell: Shell, lab: Up) -> None:
    task_type: Any = lab.executable("true", name="chosen")
    queue = lab.own_queue()
    run = shell.run("run", "chosen")
    assert (run.returncode, run.stdout) == (2, "")
    assert f"default, {queue.name}" in run.stderr
    assert golden(shell.run("run", "chosen", SALTANT_QUEUE=queue.name, TASK=task_type.name).stdout) == "UUID\n"
    lab.client.task_queues.patch(queue.id, active=False)
    assert golden(shell.prints("run", "chosen")) == "UUID\n"
