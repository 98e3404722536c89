"""What all of `saltant check` is made of: parts that are looked at, one after the other, and what is found."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Thread

PATIENCE = 30.0
"""Seconds after which a part that waits for another machine is given up, whatever it waits for."""


@dataclass(frozen=True)
class Check:
    """What was found of one part.

    Attributes:
        part: its name.
        ok: whether it is right.
        says: what was found.
        advice: what to do; "" if it is right.
    """

    part: str
    ok: bool
    says: str
    advice: str = ""


class Wrong(Exception):
    """A part is not right: what was found, and what to do."""

    def __init__(self, says: str, advice: str) -> None:
        super().__init__(says)
        self.says = says
        self.advice = advice


@dataclass(frozen=True)
class Part:
    """One thing to look at.

    Attributes:
        look: says what it found; raises Wrong.
        needs: parts that must be right for this one to be looked at.
        is_remote: whether it waits for another machine. It is looked at in a thread then, and given up in time.
    """

    name: str
    look: Callable[[], str]
    needs: Sequence[str] = ()
    is_remote: bool = False


def run_parts(parts: Iterable[Part], prefix: str = "") -> Iterator[Check]:
    """Look at each part whose needs are met. `prefix` goes before their names."""
    failed: set[str] = set()
    for part in parts:
        if failed.intersection(part.needs):
            failed.add(part.name)
            continue
        try:
            found = Check(prefix + part.name, True, within(PATIENCE, part.look) if part.is_remote else part.look())
        except Wrong as wrong:
            found = Check(prefix + part.name, False, wrong.says, wrong.advice)
        except Exception as error:
            says = f"{type(error).__name__}: {error}"
            found = Check(prefix + part.name, False, says, "The message is all that is known.")
        if not found.ok:
            failed.add(part.name)
        yield found


def within(seconds: float, look: Callable[[], str]) -> str:
    """What `look` says, if it says it in time: not every wait, such as that for a name, has a time-out of its own.

    Raises:
        Wrong: it does not.
    """
    said: list[str] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            said.append(look())
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=run, name="check", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not said:
        raise Wrong(f"There was no answer within {seconds:g} s.", "Look whether the network and names work there.")
    return said[0]
