"""How parts are looked at, and what of clocks is said."""

from threading import Event

import pytest

from saltant.checks import Check, Part, Wrong, run_parts, within
from saltant.config import Settings
from saltant.serving.database_checks import tell_drift
from saltant.worker.contact import Contact


def fail() -> str:
    raise Wrong("It is broken.", "Mend it.")


def crash() -> str:
    raise ZeroDivisionError("by nought")


def test_what_needs_something_wrong_is_not_looked_at() -> None:
    parts = [
        Part("a", fail),
        Part("b", crash, needs=["a"]),
        Part("c", crash, needs=["b"]),
        Part("d", lambda: "well"),
        Part("e", crash, needs=["d"], is_remote=True),
    ]
    assert list(run_parts(parts, "x/")) == [
        Check("x/a", False, "It is broken.", "Mend it."),
        Check("x/d", True, "well"),
        Check("x/e", False, "ZeroDivisionError: by nought", "The message is all that is known."),
    ]


def test_what_takes_for_ever_is_given_up() -> None:
    def wait() -> str:
        never.wait()
        return "too late"

    never = Event()
    try:
        with pytest.raises(Wrong, match=r"within 0.01 s"):
            within(0.01, wait)
    finally:
        never.set()


@pytest.mark.parametrize(("ahead", "words"), [(1.3, "ahead of"), (-1.3, "behind")])
def test_a_clock_that_is_not_the_databases(ahead: float, words: str) -> None:
    with pytest.raises(Wrong, match=rf"1.3 s {words} the database's"):
        tell_drift(ahead, 0.2)
    assert tell_drift(ahead, 0.5) == "1.3 s from the database's", "the answer took long: nobody knows better"


@pytest.mark.parametrize(("ahead", "words"), [(90.0, "ahead of"), (-90.0, "behind")])
def test_a_clock_that_is_not_the_servers(ahead: float, words: str) -> None:
    with pytest.raises(Wrong, match=rf"90 s {words} the server's"):
        Contact(Settings(), ahead=ahead).check_clock()


def test_a_server_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    contact = Contact(Settings(server_url="https://saltant.example.org"))
    for theirs, upgrade in ((0, "the server first"), (3, "this worker")):
        contact.answer = {"version": "9.9", "protocol": theirs, "queues": ["default"]}
        monkeypatch.setattr(contact, "_ask", lambda: None)
        with pytest.raises(Wrong, match=rf"speaks protocol {theirs}") as wrong:
            contact.check_server()
        assert upgrade in wrong.value.advice
