"""Logs and results in the OpenAPI document: their bodies are files."""

from typing import Any

from saltant.files import LONGEST_NAME
from saltant.protocol import INTEGER
from saltant.server.api.openapi.parameters import in_path

Json = dict[str, Any]
TEXT = "text/plain"
CONTENT = {
    "log": TEXT,
    "result": "application/octet-stream",
    "results-zip": "application/zip",
    "results-tar": "application/x-tar",
}
"""The media type of what an endpoint sends, by what its name ends with."""
LISTS = ("logs", "results")

_DIGEST = {"type": ["string", "null"], "description": "SHA-256, in hexadecimal digits. Null: it was refused."}
_NUMBER = {"type": "integer", "minimum": 1, "description": "The number of its attempt."}
LOG: Json = {
    "attempt": _NUMBER,
    "name": {"type": "string", "description": "stdout, stderr, or the path of a file in the container's logs folder."},
    "size": {"type": "integer", "minimum": 0, "description": "Bytes that there are by now."},
    "is_cut": {"type": "boolean", "description": "There was more than the server keeps; the last line says so."},
}
RESULT: Json = {
    "name": {"type": "string", "description": "Its path in the results folder."},
    "size": {"type": ["integer", "null"], "minimum": 0, "description": "Bytes. Null: it was refused."},
    "sha256": _DIGEST,
    "attempt": _NUMBER,
    "why": {"type": ["string", "null"], "description": "Why it cannot be read: a sentence. Null: it can."},
}


def kind_of(name: str) -> str | None:
    """What an endpoint of that name shows; None if it is no file of an instance, nor a list of these."""
    _, is_one, kind = name.partition("-instance-")
    return kind if is_one and kind in (*LISTS, *CONTENT) else None


def parameters_of(kind: str) -> list[Json]:
    """What path, query and headers say."""
    made = [in_path("uuid")]
    if kind in ("log", "result"):
        named = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}
        said = "Its name, as the list has it: a path, whose slashes may stand as they are."
        made.append({"name": "file", "in": "path", "required": True, "description": said, "schema": named})
    made.append(_in_query("attempt", 1, "Of this attempt, not of the current one."))
    if kind == "log":
        made.append(_in_query("tail", 0, "The last so many lines, and not the whole log."))
    if kind in ("log", "result"):
        said = "`bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-LENGTH`."
        made.append({"name": "Range", "in": "header", "description": said, "schema": {"type": "string"}})
    return made


def answers_of(kind: str) -> Json:
    """The answers to requests that are granted, by status; and what a range beyond the end gets."""
    if kind in LISTS:
        entry = LOG if kind == "logs" else RESULT
        thing = {"type": "object", "properties": entry, "required": list(entry)}
        content = {"application/json": {"schema": {"type": "array", "items": thing}}}
        return {"200": {"description": "The files.", "content": content}}
    content = {CONTENT[kind]: {"schema": {"type": "string"} if kind == "log" else {}}}
    made: Json = {"200": {"description": "The bytes.", "content": content}}
    if kind in ("log", "result"):
        made["206"] = {"description": "The bytes of the range.", "content": content}
    return made


def _in_query(name: str, least: int, description: str) -> Json:
    schema = {"type": "integer", "minimum": least, "maximum": INTEGER}
    return {"name": name, "in": "query", "description": description, "schema": schema}
