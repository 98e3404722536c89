"""What it means for what is to be shipped that a request failed."""

from enum import Enum

from saltant.exceptions import BadHttpRequestError


class Verdict(Enum):
    """What to do after a request failed."""

    AWAY = "wait until the server can be reached, however long it takes"
    BUSY = "try again, but not for ever"
    REFUSED = "give it up"


def verdict_on(error: Exception) -> Verdict:
    """What a failure says."""
    if isinstance(error, BadHttpRequestError):
        status = error.status_code
        # A token that does not hold, or a worker that is not known, stops the end as well: both can be mended.
        if status is None or status in (401, 403, 409):
            return Verdict.AWAY
        is_final = 400 <= status < 500 and status not in (408, 425, 429)
        return Verdict.REFUSED if is_final else Verdict.BUSY
    return Verdict.AWAY if isinstance(error, ConnectionError) else Verdict.BUSY


def is_too_large(error: Exception) -> bool:
    """Whether smaller requests may pass, through a proxy that takes no large ones."""
    return isinstance(error, BadHttpRequestError) and error.status_code == 413
