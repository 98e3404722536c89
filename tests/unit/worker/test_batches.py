"""Calls of many threads that go together in one request."""

import threading
from collections.abc import Sequence

import pytest

from saltant.worker.control import batches
from saltant.worker.control.batches import Batches
from tests.unit.worker.rig import until


class Line:
    """Sends when it is let, and answers each number with its tenfold."""

    def __init__(self) -> None:
        self.sent: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()

    def send(self, items: list[int]) -> Sequence[int | Exception]:
        self.sent.append(items)
        assert self.open.wait(10)
        if 13 in items:
            raise ConnectionError("no luck")
        return [item * 10 for item in items]


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_lone_call_goes_out_at_once_however_much_company_is_wanted(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PAUSE", 1000.0)
    calls: Batches[int, int] = Batches(line.send, lambda: 5)
    assert calls.call(1) == 10
    assert line.sent == [[1]]


def test_what_comes_while_a_request_is_under_way_goes_in_the_next(line: Line) -> None:
    line.open.clear()
    calls: Batches[int, int] = Batches(line.send)
    answers: list[int | Exception] = []
    calls.post(1, answers.append)
    until(lambda: line.sent == [[1]])
    for number in (2, 3, 4):
        calls.post(number, answers.append)
    line.open.set()
    until(lambda: answers == [10, 20, 30, 40])
    assert line.sent == [[1], [2, 3, 4]]


def test_soon_after_a_request_the_next_waits_for_company(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PAUSE", 1000.0)
    calls: Batches[int, int] = Batches(line.send, lambda: 2)
    calls.call(1)
    answers: list[int | Exception] = []
    calls.post(2, answers.append)
    calls.post(3, answers.append)
    until(lambda: answers == [20, 30])
    assert line.sent == [[1], [2, 3]]


def test_it_waits_for_company_only_for_a_while(line: Line) -> None:
    calls: Batches[int, int] = Batches(line.send, lambda: 100)
    assert [calls.call(number) for number in (1, 2, 3)] == [10, 20, 30]


def test_an_error_is_that_of_each_call_and_the_next_go_on(line: Line) -> None:
    calls: Batches[int, int] = Batches(line.send)
    with pytest.raises(ConnectionError):
        calls.call(13)

    def fail(answer: int | Exception) -> None:
        raise RuntimeError(answer)

    calls.post(1, fail)
    assert calls.call(2) == 20


def test_a_close_waits_for_no_company(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PAUSE", 1000.0)
    calls: Batches[int, int] = Batches(line.send, lambda: 5)
    calls.call(1)
    answers: list[int | Exception] = []
    calls.post(2, answers.append)
    calls.close()
    until(lambda: answers == [20])
