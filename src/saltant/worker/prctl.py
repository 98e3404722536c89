"""The few prctl(2) calls that keep a job's processes together. Raise OSError."""

import ctypes
import os

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_prctl = _libc.prctl


def become_subreaper() -> None:
    """Make orphaned descendants children of this process instead of init's."""
    _call(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signum: int) -> None:
    """Have the kernel send `signum` to this process when its parent dies."""
    _call(_PR_SET_PDEATHSIG, signum)


def renounce_privileges() -> None:
    """See to it that no later execve gains privileges (set-user-ID programs)."""
    _call(_PR_SET_NO_NEW_PRIVS, 1)


def set_name(name: bytes) -> None:
    """Name this process, and those it forks, in `ps` and `top`: 15 bytes at most."""
    _call(_PR_SET_NAME, ctypes.addressof(ctypes.create_string_buffer(name)))


def _call(option: int, value: int) -> None:
    if _prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl {option}: {os.strerror(error)}")
