"""The words that a job's program is started with: workers make them, and the server tells what they are."""

import shlex
from collections.abc import Callable


def words_of_command(command: str) -> list[str]:
    """The words of a command; there may be none. ValueError if it cannot be split.

    >>> words_of_command("run 'a b'")
    ['run', 'a b']
    """
    return shlex.split(command)


def words_of_arguments(arguments: str, option: str | None, save: Callable[[str], str]) -> list[str]:
    """What follows a command: its arguments, which are a JSON object as text, unless that is empty.

    Args:
        option: what is followed by the path of a file that holds them; None or empty: they are a word themselves.
        save: puts them into that file, and says where it is.

    >>> words_of_arguments('{"a": 1}', None, str)
    ['{"a": 1}']
    >>> words_of_arguments('{"a": 1}', "--json", lambda text: "/tmp/it.json")
    ['--json', '/tmp/it.json']
    """
    if arguments == "{}":
        return []
    return [option, save(arguments)] if option else [arguments]
