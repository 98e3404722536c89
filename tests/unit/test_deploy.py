"""What `deploy/` and its how-to say, compared with the code."""

import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from saltant.cli.root import cli
from saltant.config import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCS = ROOT / "docs" / "deploy.md"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SETTINGS = {each.metadata["variable"]: each for each in fields(Settings)}
SECRETS = {f"{name}_FILE" for name, each in SETTINGS.items() if each.metadata["secret"]}
VARIABLE = re.compile(r"\bSALTANT_[A-Z_]*[A-Z]\b")
OURS = {
    "SALTANT_UID",
    "SALTANT_GID",
    "SALTANT_IMAGE",
    "SALTANT_BASE",
    "SALTANT_PORT",
    "SALTANT_QUEUE",
    "SALTANT_WORKER",
}
"""Variables of the compose file's own."""
CLIENTS = {"SALTANT_API_URL", "SALTANT_AUTH_TOKEN"}
"""Variables of the SDK."""


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def in_environment_file() -> dict[str, tuple[str, str]]:
    """Variable: its default, and what is said of it."""
    found: dict[str, tuple[str, str]] = {}
    words: list[str] = []
    for line in (DEPLOY / "saltant.env").read_text().splitlines():
        if match := re.fullmatch(r"#(SALTANT_\w+)=(.*)", line):
            found[match[1]] = match[2], " ".join(words)
        else:
            words = [*words, line.removeprefix("#").strip()] if line else []
            assert not line or line.startswith("# "), f"no comment: {line}"
    return found


def default_of(setting: Any) -> str:
    if setting.name == "data_dir":  # another for each user
        return ""
    value = setting.default if setting.default is not MISSING else setting.default_factory()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, list) else str(value)


def test_the_environment_file_has_every_setting_and_no_other() -> None:
    found = in_environment_file()
    assert set(found) - SECRETS == set(SETTINGS)
    assert set(found) & SECRETS == SECRETS
    for name, setting in SETTINGS.items():
        default, said = found[name]
        assert default == default_of(setting), name
        assert said.endswith(" ".join(setting.metadata["help"].split())), name


def check_command(words: list[str]) -> None:
    """Fail if `saltant` has no such command, or the command no such option, or not so many arguments."""
    command: click.Command = cli
    context = click.Context(cli, info_name="saltant")
    while isinstance(command, click.Group) and words[:1] not in ([], ["--version"]):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no `{context.command_path} {words[0]}`"
        command, context, words = found, click.Context(found, info_name=words[0], parent=context), words[1:]
    try:
        command.make_context(context.info_name, list(words), parent=context.parent)
    except click.exceptions.Exit:  # of --version
        pass
    except click.ClickException as error:
        raise AssertionError(f"`{context.command_path} {shlex.join(words)}`: {error.format_message()}") from None


@pytest.mark.parametrize("line", ["serve", "user make ada", "worker --queues x", "token revoke", "user", "server x"])
def test_commands_that_do_not_exist_are_noticed(line: str) -> None:
    with pytest.raises(AssertionError):
        check_command(line.split())


def commands_in(line: str) -> Iterator[list[str]]:
    """The words after `saltant` of each command in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    words = [*lexer, ";"]
    begin = 0
    for at, word in enumerate(words):
        if not set(word) <= set("|;&<>"):
            continue
        command = words[begin:at]
        begin = at + 1
        if command[:2] == ["docker", "compose"] and "saltant" in command:
            command = command[command.index("saltant") :]
        if command and command[0].removeprefix("ExecStart=").rpartition("/")[2] == "saltant":
            yield command[1:]


def in_documents() -> list[list[str]]:
    """Every `saltant` command of the how-to."""
    found = []
    for block in re.findall(r"^((?: {4}.*\n)+)", DOCS.read_text(), re.MULTILINE):
        lines = block.replace("\\\n", " ").splitlines()
        found += [words for line in lines if "saltant" in line for words in commands_in(line)]
    return found


def test_the_how_to_names_commands_that_exist() -> None:
    found = in_documents()
    assert {words[0] for words in found} >= {"migrate", "user", "token", "worker"}
    for words in found:
        check_command(words)


@pytest.mark.parametrize("path", [DOCS, *UNITS, DEPLOY / "compose.yaml"], ids=lambda path: path.name)
def test_variables_are_settings(path: Path) -> None:
    known = {*SETTINGS, *SECRETS, *CLIENTS, *OURS}
    assert set(VARIABLE.findall(path.read_text())) <= known


def test_python_of_the_how_to_can_be_read() -> None:
    found = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    for text in found:
        compile(text, str(DOCS), "exec")


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_start_what_exists(path: Path) -> None:
    found = [words for line in path.read_text().splitlines() if line.startswith("Exec") for words in commands_in(line)]
    assert [words[0] for words in found] == [path.stem.removeprefix("saltant-")]
    check_command(found[0])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for path in UNITS:
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/saltant/bin/saltant", "/bin/true"))
    files = [str(tmp_path / path.name) for path in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_containers_run_commands_that_exist() -> None:
    ours = {name: each for name, each in compose()["services"].items() if "build" in each}
    assert set(ours) == {"migrate", "server", "worker"}
    for name, service in ours.items():
        words = [re.sub(r"\$\{\w+:-(.*)\}", r"\1", word) for word in service["command"]]
        assert words[0] == name
        check_command(words)


def test_containers_publish_one_port_on_loopback() -> None:
    published = [port for each in compose()["services"].values() for port in each.get("ports", [])]
    assert [port.split(":")[0] for port in published] == ["127.0.0.1"]


def test_containers_get_passwords_from_files_alone() -> None:
    described = compose()
    for service in described["services"].values():
        for variable, value in service.get("environment", {}).items():
            is_secret = re.search("PASS|TOKEN|SECRET|DATABASE|BROKER", variable)
            assert not is_secret or (variable.endswith("_FILE") and value.startswith("/run/secrets/")), variable
        named = {value.rpartition("/")[2] for value in service.get("environment", {}).values() if "/run/" in value}
        assert named <= set(service.get("secrets", []))
        assert set(service.get("secrets", [])) <= set(described["secrets"])


@pytest.fixture
def make_secrets(tmp_path: Path) -> Path:
    return Path(shutil.copy(DEPLOY / "make-secrets", tmp_path))


def test_secrets_are_made_once_for_their_owner_alone(make_secrets: Path) -> None:
    subprocess.run([make_secrets], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (make_secrets.parent / "secrets").iterdir()}
    assert set(made) == set(compose()["secrets"]) - {"worker-token"}
    for path in (make_secrets.parent / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made["postgres-password"] in made["database-url"]
    assert made["rabbitmq-password"] in made["broker-url"]
    assert len({made[name] for name in ("postgres-password", "rabbitmq-password", "secret-key")}) == 3
    environment = (make_secrets.parent / ".env").read_text()
    assert re.fullmatch(r"SALTANT_UID=[1-9]\d*\nSALTANT_GID=[1-9]\d*\n", environment)
    subprocess.run([make_secrets], check=True, capture_output=True)
    assert made == {path.name: path.read_text() for path in (make_secrets.parent / "secrets").iterdir()}
    assert environment == (make_secrets.parent / ".env").read_text()


def test_what_comes_on_standard_input_is_kept_unless_it_is_nothing(make_secrets: Path) -> None:
    kept = make_secrets.parent / "secrets" / "worker-token"
    subprocess.run([make_secrets, "worker-token"], input=b"a-token\n", check=True)
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == ("a-token\n", 0o600)
    for name, said in (("worker-token", b""), ("../elsewhere", b"x")):
        assert subprocess.run([make_secrets, name], input=said, capture_output=True).returncode != 0
    assert kept.read_text() == "a-token\n"
    assert {path.name for path in make_secrets.parent.iterdir()} == {"make-secrets", "secrets"}
