"""Profiles, signing in and out, and completion, as people have them: the installed program and a real server."""

import json
import os
import stat
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from saltant import AuthenticationError, BadConfigError, Client, from_config
from tests.acceptance.system import SALTANT, Up

PASSWORD = "correct horse battery"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("config") / "data") as system:
        command = [*SALTANT, "user", "create", "ada", "--password-file", "-", "--data-dir", str(system.data_dir)]
        subprocess.run(command, input=PASSWORD, text=True, check=True)
        yield system


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configuration is, in an environment that says nothing of servers; for this process, too."""
    for name in ("SALTANT_API_URL", "SALTANT_AUTH_TOKEN", "SALTANT_PROFILE", "SALTANT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return tmp_path


@pytest.fixture
def file(home: Path) -> Path:
    return home / "xdg/saltant/config.toml"


@pytest.fixture
def run(home: Path) -> Run:
    def run(*words: str, text: str = "", **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*SALTANT, *words], capture_output=True, text=True, input=text, env=os.environ | environ, timeout=60
        )

    return run


def test_signing_in_and_out(run: Run, site: Up, home: Path, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text('# ours\n[profiles.other] # kept\nurl = "https://other.example.org/api/"\ntoken = "o"\n')
    done = run("login", site.url, "--profile", "lab", "--username", "ada", "--password-stdin", text=PASSWORD + "\n")
    assert (done.returncode, done.stdout) == (0, f"Signed in to {site.url}: profile 'lab' in {file}.\n"), done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["config.toml"]
    assert "# ours\n[profiles.other] # kept\n" in file.read_text()
    said = tomllib.loads(file.read_text())
    token = said["profiles"]["lab"]["token"]
    assert said["default"] == "lab"
    assert said["profiles"]["other"]["token"] == "o"
    assert PASSWORD not in file.read_text()

    with from_config("lab") as client:
        assert client.users.me().username == "ada"
    shown = run("config", "show")
    assert shown.stdout.splitlines() == [
        "other\tno\thttps://other.example.org/api/\t(hidden)\t\t",
        f"lab\tyes\t{site.url}\t(hidden)\t\t",
    ]
    assert token not in shown.stdout + shown.stderr
    assert run("config", "use", "other").returncode == 0
    assert tomllib.loads(file.read_text())["default"] == "other"

    out = run("logout", "--profile", "lab")
    assert (out.returncode, out.stdout) == (0, "Signed out: the token of profile 'lab' is revoked and forgotten.\n")
    assert tomllib.loads(file.read_text())["profiles"]["lab"] == {"url": site.url}
    with pytest.raises(AuthenticationError):
        Client(site.url, token)
    with pytest.raises(BadConfigError, match="has no token"):
        from_config("lab")
    again = run("logout", "lab")
    assert again.returncode == 2


def test_signing_in_again_revokes_the_token_of_before_and_no_other(run: Run, site: Up, file: Path) -> None:
    sign_in = ("login", site.url, "--profile", "lab", "--username", "ada", "--password-stdin")

    def token() -> str:
        kept: str = tomllib.loads(file.read_text())["profiles"]["lab"]["token"]
        return kept

    run(*sign_in, text=PASSWORD)
    first = token()
    again = run(*sign_in, text=PASSWORD)
    assert (again.returncode, again.stderr) == (0, "The profile's former token is revoked.\n")
    with pytest.raises(AuthenticationError):
        Client(site.url, first)
    second = token()
    assert run("login", site.url, "--profile", "lab", "--token-stdin", text=site.token).returncode == 0
    with pytest.raises(AuthenticationError):
        Client(site.url, second)
    assert run(*sign_in, text=PASSWORD).stderr == ""
    Client(site.url, site.token).close()  # not made by a login: it may be in use elsewhere

    (mine,) = [each for each in json.loads(run("config", "tokens", "--json").stdout) if each["current"]]
    assert (mine["name"].startswith("saltant login on "), mine["datetime_expires"]) == (True, None)
    assert token() not in run("config", "tokens").stdout
    assert run("config", "tokens", "--revoke", "999999").returncode == 3
    assert run("config", "tokens", "--revoke", str(mine["id"])).returncode == 0
    assert run("config", "tokens").returncode == 4


def test_a_password_is_typed_and_not_shown(site: Up, home: Path, file: Path) -> None:
    child = pexpect.spawn(SALTANT[0], [*SALTANT[1:], "login", site.url], encoding="utf-8", timeout=60)
    child.expect_exact("User name:")
    child.sendline("ada")
    child.expect_exact("Password:")
    child.sendline(PASSWORD)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert PASSWORD not in (child.before or "")
    (name,) = tomllib.loads(file.read_text())["profiles"]
    assert name.startswith("127.0.0.1-"), "named after the server"


def test_what_cannot_sign_in(run: Run, site: Up, home: Path, file: Path) -> None:
    sign_in = ("login", site.url, "--username", "ada", "--password-stdin")
    wrong = run(*sign_in, text="wrong\n")
    assert (wrong.returncode, wrong.stderr) == (
        4,
        f"Error: {site.url} does not know this user name with this password.\n",
    )
    assert run("login", site.url, "--token-stdin", text="nonsense").returncode == 4
    assert run("login", "http://127.0.0.1:1/api/", "--token-stdin", text="nonsense").returncode == 6
    for words in (["login"], ["login", site.url], ["login", "example.org"], ["login", site.url, "--password-stdin"]):
        refused = run(*words)
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
    assert not file.exists()


def test_a_token_that_one_has(run: Run, site: Up, home: Path, file: Path) -> None:
    assert run("login", site.url, "--token-stdin", "--queue", "default", text=site.token + "\n").returncode == 0
    (profile,) = tomllib.loads(file.read_text())["profiles"].values()
    assert profile == {"url": site.url, "token": site.token, "queue": "default"}


def test_which_server_is_used(run: Run, site: Up, home: Path, file: Path) -> None:
    def used(*words: str, **environ: str) -> str:
        return run("config", "show", *words, **environ).stderr

    missing = run("export")
    assert missing.returncode == 2
    assert missing.stderr.startswith("Error: No server is known. Run `saltant login URL`")
    file.parent.mkdir(parents=True)
    file.write_text("".join(f'[profiles.{name}]\nurl = "http://{name}/"\ntoken = "t"\n' for name in "abc"))
    file.chmod(0o600)
    assert "several profiles and no default" in used()
    file.write_text('default = "a"\n' + file.read_text())
    environ = {"SALTANT_API_URL": site.url, "SALTANT_AUTH_TOKEN": site.token}
    assert "'a'" in used()
    assert "'b'" in used(SALTANT_PROFILE="b")
    assert "the environment" in used(SALTANT_PROFILE="b", **environ)
    assert "'c'" in used("--profile", "c", SALTANT_PROFILE="b", **environ)
    assert "SALTANT_AUTH_TOKEN is not set" in used(SALTANT_API_URL=site.url)
    assert run("export", SALTANT_PROFILE="b", **environ).returncode == 0
    other = home / "other.toml"
    other.write_text('[profiles.only]\nurl = "http://x/"\ntoken = "t"\n')
    shown = used(SALTANT_CONFIG=str(other))
    assert "'only'" in shown
    assert f"chmod 600 {other}" in shown, "others may read it"


def complete(run: Run, shell: str, *words: str, **environ: str) -> str:
    """What Tab offers after these words."""
    said = {"COMP_WORDS": " ".join(["saltant", *words]), "COMP_CWORD": str(len(words)), **environ}
    if shell == "fish":
        said["COMP_CWORD"] = words[-1]
    return run(_SALTANT_COMPLETE=f"{shell}_complete", **said).stdout


def test_completion(run: Run, site: Up, home: Path) -> None:
    named = site.executable("true", name="completed", required_arguments=["genome"])
    instance = site.submit(named, {"genome": "x"})
    environ = {"SALTANT_API_URL": site.url, "SALTANT_AUTH_TOKEN": site.token}
    assert "plain,completed\n" in complete(run, "bash", "export", "--type", "com", **environ)
    assert "plain\ncompleted\n" in complete(run, "zsh", "export", "--type", "com", **environ)
    assert "plain,completed" in complete(run, "fish", "export", "--type", "com", **environ)
    assert f"plain,{instance.uuid}\n" in complete(run, "bash", "logs", instance.uuid[:5], **environ)
    assert "plain,genome=\n" in complete(run, "bash", "run", "completed", "gen", **environ)
    assert complete(run, "bash", "run", "--queue", "defa", **environ) == "plain,default\n"
    assert "plain,running\n" in complete(run, "bash", "ps", "--state", "run", **environ)
    silent = run(
        _SALTANT_COMPLETE="bash_complete",
        COMP_WORDS="saltant export --type com",
        COMP_CWORD="3",
        SALTANT_API_URL="http://127.0.0.1:1/",
        SALTANT_AUTH_TOKEN="t",
    )
    assert (silent.returncode, silent.stdout.strip(), silent.stderr) == (0, "", "")


def test_completion_is_installed_once(run: Run, home: Path) -> None:
    for _ in range(2):
        assert run("completion", "install", "bash").returncode == 0
    rc = (home / ".bashrc").read_text()
    assert rc.count("saltant completion: begin") == 1
    script = home / ".local/share/saltant/completion.bash"
    assert script.read_text() == run("completion", "show", SHELL="/bin/bash").stdout
    asked = subprocess.run(
        ["bash", "--norc", "-ic", f'. "{home}/.bashrc"; complete -p saltant'], capture_output=True, text=True
    )
    assert "_saltant_completion" in asked.stdout
    assert run("completion", "install", "fish").returncode == 0
    assert (home / "xdg/fish/completions/saltant.fish").exists()
    assert run("completion", "show", SHELL="/bin/tcsh").returncode == 2


def test_json(run: Run, home: Path, file: Path) -> None:
    assert json.loads(run("config", "show", "--json").stdout) == []
    assert run("config", "path").stdout == f"{file}\n"
