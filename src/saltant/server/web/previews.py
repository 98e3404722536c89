"""What of a result a page can show."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

IMAGES = {
    "png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    "jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    "gif": ("image/gif", b"GIF8"),
    "webp": ("image/webp", b"RIFF"),
}
"""Images that browsers draw and that hold no script: by the end of a name, the media type and how the bytes begin."""
TABLES = {"csv": ",", "tsv": "\t"}
TEXTS = frozenset(
    (
        "txt",
        "log",
        "md",
        "json",
        "jsonl",
        "yaml",
        "yml",
        "toml",
        "ini",
        "xml",
        "html",
        "py",
        "r",
        "sh",
        "sql",
        "tex",
        "svg",
    )
)
LARGEST_IMAGE = 16 * 2**20
MOST_TEXT = 128 * 1024
"""Bytes of a text or a table that a page shows."""
MOST_ROWS, MOST_COLUMNS = 200, 50


@dataclass(frozen=True)
class Table:
    """The beginning of a table."""

    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=list)
    is_cut: bool = False


def kind_of(name: str) -> str:
    """How a result is shown: `image`, `table` or `text`; nothing if it is not.

    >>> [kind_of(each) for each in ("a/b.PNG", "x.csv", "notes.txt", "model.bin", "csv")]
    ['image', 'table', 'text', '', '']
    """
    _, dot, end = name.rpartition("/")[2].rpartition(".")
    end = end.lower() if dot else ""
    return "image" if end in IMAGES else "table" if end in TABLES else "text" if end in TEXTS else ""


def ending(name: str) -> str:
    """What follows the last dot of a name."""
    return name.rpartition(".")[2].lower()


def media_type(name: str, begin: bytes) -> str | None:
    """The media type of an image, if it is one by its first bytes, too."""
    known = IMAGES.get(ending(name))
    return known[0] if known and begin.startswith(known[1]) else None


def table_of(name: str, text: str, *, is_cut: bool) -> Table:
    """The first rows of a CSV file."""
    lines = text.splitlines(keepends=True)
    if is_cut and len(lines) > 1:
        lines.pop()  # half a line, maybe
    reader = csv.reader(io.StringIO("".join(lines)), delimiter=TABLES[ending(name)])
    found: list[list[str]] = []
    try:
        for row in reader:
            if len(found) > MOST_ROWS:
                is_cut = True
                break
            found.append(row[:MOST_COLUMNS])
    except csv.Error:
        is_cut = True
    found = [row for row in found if row]
    return Table(found[0], found[1 : MOST_ROWS + 1], is_cut) if found else Table()
