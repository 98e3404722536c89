"""Request bodies: JSON, forms and multipart forms, strictly UTF-8."""

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from rest_framework import parsers
from rest_framework.exceptions import ParseError

from saltant.server.api import json_input

Context = Mapping[str, Any] | None


class JSONParser(parsers.JSONParser):
    """JSON that can be stored and given back."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Context = None) -> Any:
        try:
            return json_input.loads(_decode(stream.read(), parser_context))
        except json_input.InvalidJSON as error:
            raise ParseError(f"JSON parse error - {error}") from None


class FormParser(parsers.FormParser):
    """URL-encoded forms. Django would quietly put U+FFFD where a body is no UTF-8."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Context = None) -> Any:
        body = stream.read()
        _decode(unquote_to_bytes(body), parser_context)
        return super().parse(io.BytesIO(body), media_type, parser_context)


class MultiPartParser(parsers.MultiPartParser):
    """Multipart forms. No endpoint takes files, so all of the body is text."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Context = None) -> Any:
        body = stream.read()
        _decode(body, parser_context)
        return super().parse(io.BytesIO(body), media_type, parser_context)


def _decode(body: bytes, context: Context) -> str:
    charset = (context or {}).get("encoding", "utf-8")
    if charset.lower().replace("_", "-") not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise ParseError(f"The body's charset is {charset}: only UTF-8 is read.")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8: byte {error.start} cannot be read.") from None
