"""What a command prints, on terminals of all widths, in pipes, as JSON, and as ids alone."""

import io
import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from saltant.cli import times
from saltant.cli.output import Column, Output, Share
from saltant.states import State

MOMENT = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
COLUMNS = [
    Column("uuid", short=8),
    Column("state"),
    Column("name", keep=2),
    Column("created", keep=1),
    Column("arguments", only_json=True),
]
ROWS = [("0b0c1122-3344-5566-7788-99aabbccddee", State.RUNNING, "a\tb\x1b[31m\u202e漢", MOMENT, {"a": None})]


class Screen(io.StringIO):
    """A terminal, as far as a program can ask."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def printed(width: int | None = None, **options: bool) -> str:
    stream = io.StringIO() if width is None else Screen()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
            patch.delenv(name, raising=False)
        patch.setenv("COLUMNS", str(width or 80))
        patch.setenv("TERM", "xterm-256color")
        Output(**options, stdout=stream).table(COLUMNS, ROWS, ids="uuid")
    return stream.getvalue()


def test_pipes_get_tabs_and_no_header() -> None:
    uuid = ROWS[0][0]
    assert printed() == f"{uuid}\trunning\ta\\tb\\x1b[31m\\u202e漢\t2026-05-06T07:08:09.123456Z\n"


def test_quiet_is_ids_alone() -> None:
    assert printed(quiet=True) == "0b0c1122-3344-5566-7788-99aabbccddee\n"
    assert printed(80, quiet=True) == "0b0c1122-3344-5566-7788-99aabbccddee\n"


@pytest.mark.parametrize("width", [None, 40])
def test_json_is_whole_everywhere(width: int | None) -> None:
    (row,) = json.loads(printed(width, json=True))
    assert row == {
        "uuid": ROWS[0][0],
        "state": "running",
        "name": ROWS[0][2],
        "created": "2026-05-06T07:08:09.123456Z",
        "arguments": {"a": None},
    }


def test_an_empty_list_is_json_too() -> None:
    stream = io.StringIO()
    Output(json=True, stdout=stream).table(COLUMNS, [], ids="uuid")
    assert json.loads(stream.getvalue()) == []


def test_narrow_terminals_lose_columns_and_what_stays_is_whole() -> None:
    wide, narrow, narrowest = printed(200), printed(40), printed(20)
    assert "2026-05-06" in wide
    assert "NAME" in narrow
    assert "CREATED" not in narrow
    assert "NAME" not in narrowest
    for text in (wide, narrow, narrowest):
        assert "0b0c1122 " in text.replace("\x1b[0m", "")
        assert "● running" in text
        assert "\x1b[31m" not in text
        assert "\u202e" not in text


def test_a_bar_is_drawn_where_there_is_something_to_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    columns = [Column("uuid"), Column("bar", "progress", keep=1, only_drawn=True)]

    def told(stream: io.StringIO, bars: list[Share | None], **options: bool) -> str:
        Output(**options, stdout=stream).table(columns, [("u", bar) for bar in bars], ids="uuid")
        return stream.getvalue()

    bars = [Share(42.0, "42%"), Share(None, "re\x1b[2Jading"), None]
    drawn = told(Screen(), bars)
    assert drawn.count("━") == 4
    assert drawn.count("─") == 6
    assert "42%" in drawn
    assert "\x1b[2J" not in drawn
    assert "PROGRESS" not in told(Screen(), [None])
    assert told(io.StringIO(), bars) == "u\nu\nu\n"
    assert json.loads(told(io.StringIO(), bars, json=True)) == [{"uuid": "u"}] * 3


def test_one_thing_in_a_pipe_and_its_id() -> None:
    fields = {"uuid": "u", "state": State.FAILED, "at": MOMENT, "none": None, "list": [1, 2], "yes": True}
    stream = io.StringIO()
    Output(stdout=stream).one(fields, ids="uuid")
    assert stream.getvalue() == "uuid\tu\nstate\tfailed\nat\t2026-05-06T07:08:09.123456Z\nnone\t\nlist\t1,2\nyes\tyes\n"
    stream = io.StringIO()
    Output(quiet=True, stdout=stream).one(fields, ids="uuid")
    assert stream.getvalue() == "u\n"


def test_hints_go_to_stderr_and_nowhere_if_quiet() -> None:
    for quiet, told in ((False, "a\\x1bfailed\n"), (True, "")):
        streams = io.StringIO(), io.StringIO()
        output = Output(quiet=quiet, stdout=streams[0], stderr=streams[1])
        output.hint("a\x1b", State.FAILED)
        with output.progress("waiting", 2) as progress:
            progress.advance()
        assert [stream.getvalue() for stream in streams] == ["", told]


SHOWS = """
from datetime import UTC, datetime, timedelta
from saltant.cli.output import Column, Output
from saltant.states import State
output = Output()
output.table([Column("state"), Column("at")], [(State.FAILED, datetime.now(UTC) - timedelta(minutes=3))], ids="at")
output.line("It is ", State.FAILED)
with output.progress("w\x1bork", 3) as progress:
    progress.update(2, text="more")
""".replace("\x1b", "\\x1b")


@pytest.mark.parametrize(
    ("environ", "has_colour", "mark"),
    [
        ({"TERM": "xterm-256color"}, True, "✗"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False, "✗"),
        ({"TERM": "dumb"}, False, "✗"),
        ({"TERM": "xterm-256color", "PYTHONIOENCODING": "latin-1"}, True, "x"),
    ],
)
def test_what_a_real_terminal_gets(environ: dict[str, str], has_colour: bool, mark: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM", "FORCE_COLOR")}
    near, far = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", SHOWS], stdout=far, stderr=far, env=kept | environ)
    os.close(far)
    read = b""
    while True:
        try:
            got = os.read(near, 4096)
        except OSError:  # Linux says so at the end of a pseudo-terminal
            break
        if not got:
            break
        read += got
    os.close(near)
    text = read.decode(environ.get("PYTHONIOENCODING", "utf-8"))
    assert process.wait(60) == 0, text
    assert f"{mark} failed" in text
    assert "3 min ago" in text
    assert ("\x1b[31m" in text) is has_colour
    assert "w\x1bork" not in text


def test_rich_waits_until_something_is_drawn() -> None:
    code = (
        "import sys; from saltant.cli.output import Column, Output;"
        "Output().table([Column('a')], [('b',)], ids='a'); Output(json=True).one({'a': 1}, ids='a');"
        "print([name for name in ('rich', 'requests') if name in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "[]\n")


def test_times_across_zones() -> None:
    from saltant.cli.times import both, duration, relative

    ago = timedelta(hours=2, minutes=59)
    assert relative(MOMENT - ago, MOMENT) == "2 h ago"
    assert relative(MOMENT + timedelta(days=3), MOMENT) == "in 3 d"
    assert relative(MOMENT, MOMENT) == "now"
    assert relative((MOMENT - timedelta(seconds=5)).replace(tzinfo=None), MOMENT) == "5 s ago"
    assert "ago" not in both(MOMENT - timedelta(days=400))
    assert [duration(each) for each in (None, 0, 59.9, 3600, 90061)] == ["", "0.0 s", "59 s", "1 h", "1 d 1 h"]


def test_moments_below_one_another_are_told_like_one() -> None:
    fields = {"next_time": MOMENT, "then": [MOMENT + timedelta(days=1), MOMENT + timedelta(days=2)]}
    stream, pipe = Screen(), io.StringIO()
    Output(stdout=stream).one(fields, ids="then")
    lines = stream.getvalue().splitlines()
    for days, line in enumerate(lines):
        assert times.local(MOMENT + timedelta(days=days)) in line
    assert len(lines) == 3
    Output(stdout=pipe).one(fields, ids="then")
    assert pipe.getvalue().splitlines()[1] == "then\t2026-05-07T07:08:09.123456Z,2026-05-08T07:08:09.123456Z"


def test_a_time_of_a_zone_is_told_with_its_name() -> None:
    soon = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert times.in_zone(soon, "Asia/Tokyo").startswith("2027-01-01 08:30:00 Asia/Tokyo")
    assert times.in_zone(soon, "No/Where").startswith("2026-12-31 23:30:00 UTC")
    assert times.in_zone(soon, "../x").startswith("2026-12-31 23:30:00 UTC")
    assert times.in_zone(datetime.now(UTC) + timedelta(hours=9.5), "UTC").endswith(" UTC (in 9 h)")
