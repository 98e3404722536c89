"""How the server is run over HTTP: by `saltant server` in processes of its own, and by `saltant up`."""


class CannotStart(Exception):
    """The server cannot be started. The message says why, and what to do."""
