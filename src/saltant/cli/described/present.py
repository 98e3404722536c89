"""What the server has, as a description would say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saltant.cli.described.fields import SECTIONS, Section

if TYPE_CHECKING:
    from saltant.client import Client


@dataclass(frozen=True)
class Held:
    """A thing that the server has.

    Attributes:
        user: who owns it.
        said: all of its keys; of a server of version 1, those that it knows.
    """

    id: int
    name: str
    user: str | None
    said: dict[str, Any]


class Present:
    """All types, whitelists and queues of a server, read when they are needed."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._held: dict[str, dict[str, Held]] = {}

    @property
    def version(self) -> int:
        """The version of the API."""
        return self.client.server_version or 1

    def section(self, name: str) -> dict[str, Held]:
        """The things of a section, by name."""
        if name not in self._held:
            section = SECTIONS[name]
            models = getattr(self.client, section.manager).iterate()
            self._held[name] = {each.name: self._held_of(section, each) for each in models}
        return self._held[name]

    def remember(self, section: str, name: str, id_: int) -> None:
        """Take up what was made, so that others can refer to it."""
        self.section(section)[name] = Held(id_, name, None, {})

    def ids(self, section: str, names: list[str]) -> list[int]:
        """The ids of names."""
        held = self.section(section)
        return [held[name].id for name in names]

    def _held_of(self, section: Section, model: Any) -> Held:
        said: dict[str, Any] = {}
        for key, about in section.keys.items():
            if about.since > self.version:
                continue
            value: Any = about.as_written(getattr(model, about.field or key))
            if about.refers:
                value = self._name(about.refers, value) if about.is_one else self._names(about.refers, value)
            said[key] = value
        return Held(model.id, model.name, model.user, said)

    def _name(self, section: str, id_: int) -> str | None:
        """The name of one; None if it is of another section."""
        return next((held.name for held in self.section(section).values() if held.id == id_), None)

    def _names(self, section: str, ids: list[int]) -> list[str]:
        known = {held.id: held.name for held in self.section(section).values()}
        # One that was made since the others were listed has no name yet.
        return sorted(known.get(id_, f"(id {id_})") for id_ in ids)
