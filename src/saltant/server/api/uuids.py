"""UUIDs as people and programs write them."""

from uuid import UUID


def read_uuid(text: str) -> UUID | None:
    """The UUID that a text is; None if it is none.

    >>> read_uuid("{7d444840-9dc0-11d1-b245-5ffdce74fad2}") is None
    True
    """
    try:
        uuid = UUID(text)
    except ValueError:
        return None
    # Python also takes braces, prefixes, and dashes anywhere.
    return uuid if text.lower() in (str(uuid), uuid.hex) else None
