"""Pages of lists by cursors: from where one page ended the next one goes on, whatever came or went meanwhile.

Nothing before a page is counted or skipped, so that the last page of a long list costs what the first one does.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from saltant.server.api.ordering import Key, Order

MOST = 1000
"""Rows of one page."""
LONGEST = 10_000
"""Characters of a cursor."""


@dataclass(frozen=True)
class Cursor:
    """Where a page begins.

    Attributes:
        key: of what stands just before it, or if it goes backwards just behind it; None: it is the first page.
    """

    key: Key | None = None
    backwards: bool = False

    @classmethod
    def read(cls, text: str, order: Order) -> "Cursor":
        """The cursor that a request gives.

        Raises:
            ValidationError: it is none of a list in this order.
        """
        if not text:
            return cls()
        try:
            if len(text) > LONGEST or not text.isascii():
                raise ValueError("too long")
            padded = text + "=" * (-len(text) % 4)
            by, backwards, told = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if by != order.text or not isinstance(backwards, bool):
                raise ValueError("another order")
            return cls(order.key_of(told), backwards)
        except (ValueError, TypeError, OverflowError, RecursionError):
            message = "This is no cursor of this list, in this order: begin with an empty one."
            raise ValidationError({"cursor": [message]}) from None

    def text(self, order: Order) -> str:
        """As `read` takes it."""
        said = json.dumps([order.text, self.backwards, order.told(self.key or ())], ensure_ascii=False)
        return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")

    def links(self, request: Request, order: Order, keys: Sequence[Key], *, more: bool) -> tuple[Any, Any]:
        """The links to the next page and to the previous one, or None.

        Args:
            keys: of what is on this page, in the order of the list.
            more: whether there is more in this cursor's direction.
        """
        url = request.build_absolute_uri()
        behind = before = None
        if keys and (more or self.backwards):
            behind = replace_query_param(url, "cursor", Cursor(keys[-1]).text(order))
        if keys and (more if self.backwards else self.key is not None):
            before = replace_query_param(url, "cursor", Cursor(keys[0], backwards=True).text(order))
        if self.backwards and not keys:
            # What stood here has gone: this is where the list begins now.
            behind = replace_query_param(url, "cursor", "")
        return behind, before
