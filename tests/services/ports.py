"""Free ports that stay free."""

import random
import socket
from contextlib import closing

# Below those that the kernel hands out: while a service is down, no outgoing connection may take its port, and a client
# that tries again and again must not meet itself.
FIRST, LAST = 20_000, 32_000
_taken: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A port of `host` that nobody listens on, and that this process did not give out before."""
    while True:
        port = random.randint(FIRST, LAST)  # noqa: S311 - no secret
        if port in _taken:
            continue
        with closing(socket.socket()) as attempt:
            try:
                attempt.bind((host, port))
            except OSError:
                continue
        _taken.add(port)
        return port
