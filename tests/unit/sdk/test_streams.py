"""Bytes that come bit by bit, and the events among them."""

import random

import pytest

from saltant._streams import Event, Events, lines

STREAM = (
    b": saltant\n\n"
    b"id: 5\ndata: one\n\n"
    b"event: change\r\ndata: two\r\ndata:  more\r\nid: 6\r\n\r\n"
    b"event: nothing\n\n"
    b"retry: 7\nnonsense\ndata:\xc3\xa9\n\n"
    b"event: end\ndata: {}\n\n"
    b"data: not whole\n"
)
EVENTS = [
    Event("message", "one", "5"),
    Event("change", "two\n more", "6"),
    Event("message", "é", "6"),
    Event("end", "{}", "6"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_events_come_whole_wherever_the_pieces_end(size: int) -> None:
    reader = Events()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [event for piece in pieces for event in reader.feed(piece)] == EVENTS


def test_lines_are_all_that_came() -> None:
    rng = random.Random(5)  # noqa: S311
    for _ in range(200):
        data = bytes(rng.choices(b"ab\n\r", k=rng.randrange(40)))
        cuts = sorted(rng.choices(range(len(data) + 1), k=5))
        pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        found = list(lines(pieces))
        assert b"".join(found) == data
        assert found == data.replace(b"\r", b"x").splitlines(keepends=True) or b"\r" in data
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in found[:-1])
