"""What has to be made or changed, looked at before anything is, and then done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from saltant import exceptions
from saltant.cli.described.fields import CONTAINERS, EXECUTABLES, SECTIONS, WHITELISTS
from saltant.cli.described.present import Held, Present
from saltant.cli.described.reading import Mistakes, Thing
from saltant.cli.failures import REFUSED, Failure


@dataclass(frozen=True)
class Step:
    """One thing to make or to change.

    Attributes:
        held: as the server has it; None: it is to be made.
        old, new: the keys that differ.
    """

    thing: Thing
    held: Held | None
    old: dict[str, Any]
    new: dict[str, Any]

    @property
    def title(self) -> str:
        """Such as `task queue 'gpu'`."""
        return f"{SECTIONS[self.thing.section].thing} {self.thing.name!r}"

    @property
    def action(self) -> str:
        """What is done."""
        return "create" if self.held is None else "change"


def plan(things: Sequence[Thing], present: Present, file: str) -> list[Step]:
    """The steps that make the server as the things say, in their order.

    Raises:
        Mistakes: something is referred to that is not there, or missing.
        Failure: something belongs to somebody else.
        UnsupportedByServer: the server does not know a key.
    """
    for section in dict.fromkeys(thing.section for thing in things):
        present.section(section)
    steps = [step for thing in things if (step := _step(thing, present)) is not None]
    mistakes = sorted(_mistakes(things, steps, present))
    if mistakes:
        raise Mistakes("\n".join(f"{file}:{line}: {said}" for line, said in mistakes))
    _check_owners(steps, present)
    return steps


def carry_out(step: Step, present: Present) -> list[str]:
    """Do a step; returns the names of the whitelists of others that a type was taken off.

    Raises:
        BadHttpRequestError: the server refuses.
    """
    section = SECTIONS[step.thing.section]
    manager: Any = getattr(present.client, section.manager)
    sent: dict[str, Any] = {}
    for key, value in step.new.items():
        about = section.keys[key]
        ids = present.ids(about.refers, about.named(value)) if about.refers else []
        sent[about.field or key] = value if not about.refers else ids[0] if about.is_one else ids
    if step.held is None:
        made = manager._create({"name": step.thing.name, **sent})
        present.remember(step.thing.section, step.thing.name, made.id)
        return []
    if step.thing.section in (EXECUTABLES, CONTAINERS):
        always = {key: step.held.said[key] for key, about in section.keys.items() if about.needed}
        saved = manager._save("PUT", step.held.id, {"name": step.thing.name, **always, **sent})
        return [str(each["name"]) for each in saved.removed_from_whitelists or ()]
    if step.thing.section == WHITELISTS:
        # One by one, so that nobody's change of a moment ago is undone unseen.
        added, removed = _members(step, present, new=True), _members(step, present, new=False)
        if any(added.values()):
            manager.add(step.held.id, **added)
        if any(removed.values()):
            manager.remove(step.held.id, **removed)
        sent = {key: value for key, value in sent.items() if key == "description"}
    if sent:
        manager._save("PATCH", step.held.id, sent)
    return []


def _members(step: Step, present: Present, *, new: bool) -> dict[str, list[int]]:
    """The ids of types that come to a whitelist, or that leave it."""
    found = {}
    for key in (EXECUTABLES, CONTAINERS):
        here, there = (step.new, step.old) if new else (step.old, step.new)
        known = present.section(key)
        names = [name for name in here.get(key, ()) if name not in there.get(key, ()) and name in known]
        found[key] = present.ids(key, names)
    return found


def _step(thing: Thing, present: Present) -> Step | None:
    keys = SECTIONS[thing.section].keys
    held = present.section(thing.section).get(thing.name)
    late = [key for key in thing.said if keys[key].since > present.version]
    if late:
        raise exceptions.UnsupportedByServer(
            f"The server at {present.client.base_api_url} speaks version {present.version} of the API, which has no"
            f" {late[0]}: take it out of {SECTIONS[thing.section].thing} {thing.name!r}."
        )
    lists = {key for key in thing.said if keys[key].refers and not keys[key].is_one}
    said = {key: sorted(set(value)) if key in lists else value for key, value in thing.said.items()}
    if held is None:
        return Step(thing, None, {}, said)
    new = {key: value for key, value in said.items() if not keys[key].same(value, held.said[key])}
    return Step(thing, held, {key: held.said[key] for key in new}, new) if new else None


def _mistakes(things: Iterable[Thing], steps: Iterable[Step], present: Present) -> Iterator[tuple[int, str]]:
    described = {(thing.section, thing.name) for thing in things}
    for step in steps:
        thing, keys = step.thing, SECTIONS[step.thing.section].keys
        if step.held is None and (missing := _missing(thing)):
            yield thing.lines[""], f"{step.title} is new and needs {' and '.join(missing)}."
        for key in step.new:
            section = keys[key].refers
            for name in keys[key].named(step.new[key]):
                if (section, name) not in described and name not in present.section(section):
                    near = get_close_matches(name, present.section(section), n=1)
                    hint = f"Did you mean {near[0]!r}?" if near else "Describe it here, or make it first."
                    yield thing.lines[key], f"There is no {SECTIONS[section].thing} {name!r}. {hint}"


def _missing(thing: Thing) -> list[str]:
    """What a new thing would have to say, and does not."""
    section = SECTIONS[thing.section]
    missing = [key for key, about in section.keys.items() if about.needed and key not in thing.said]
    chosen = [key for key in section.one_of if key in thing.said]
    return missing if chosen or not section.one_of else [" or ".join(section.one_of), *missing]


def _check_owners(steps: Iterable[Step], present: Present) -> None:
    """Find out who may not, before anything is changed."""
    me = None
    if present.version >= 2 and any(step.held for step in steps):
        try:
            me = present.client.users.me().username
        except exceptions.NotFound:
            me = None
    refused = []
    for step in steps:
        if step.held is not None and (me is None or step.held.user != me) and not _may_change(step, present):
            refused.append(f"{step.title} belongs to {step.held.user or 'nobody any more'}")
    if refused:
        raise Failure(
            f"You may not change what is not yours, and nothing was changed: {'; '.join(refused)}."
            " Ask them or an admin, or take it out of the file.",
            REFUSED,
        )


def _may_change(step: Step, present: Present) -> bool:
    """Ask by a change that says nothing: who may not gets 403 before that is looked at."""
    manager: Any = getattr(present.client, SECTIONS[step.thing.section].manager)
    assert step.held is not None  # noqa: S101 - what is to be made is nobody's
    try:
        manager._save("PUT", step.held.id, {})
    except exceptions.PermissionDenied:
        return False
    except exceptions.BadRequest:
        return True
    return True
