"""The user that jobs run as."""

import grp
import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunAs:
    """A user with all their groups, looked up once: the launcher asks no user database."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    @classmethod
    def named(cls, name: str) -> "RunAs":
        """The user of that name. ValueError if there is none, PermissionError if this process may not become them."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            raise ValueError(f"There is no user named {name!r} on this machine.") from None
        if os.geteuid() != 0:
            raise PermissionError(f"Only root can run jobs as another user ({name!r}).")
        return cls(name, entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid)))

    def may_pass(self, status: os.stat_result) -> bool:
        """Whether they may pass through a folder of this status, as far as its mode bits say."""
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid in (self.gid, *self.groups):
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)

    def __str__(self) -> str:
        groups = ", ".join(_group_name(gid) for gid in self.groups)
        return f"{self.name} ({self.uid}; groups: {groups})"


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
