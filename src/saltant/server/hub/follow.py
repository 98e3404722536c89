"""Following a log: what the raw view of the log gives, piece by piece, as events."""

import json
import re
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qsl, urlencode

from saltant.server.bridge import Receive, Reply, Send
from saltant.server.hub.board import Board, Watch
from saltant.server.hub.sse import Client, Look, listening

PIECE = 256 * 1024
"""Bytes of one event at most."""
PAUSE = 0.1
"""Seconds between two looks at a log that grows slowly."""
OFFSET = re.compile(r"[0-9]{1,18}", re.ASCII)
WORDS = {"true": True, "1": True, "false": False, "0": False}
INSTANCE = re.compile(r"(.*/)([^/]+)(/logs/.+)", re.DOTALL)


class Follower:
    """One client that follows one log of one attempt, from an offset on."""

    def __init__(self, look: Look, board: Board, watch: Watch, environ: dict[str, Any]) -> None:
        self._look = look
        self._board = board
        self._watch = watch
        query = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
        said = dict(query)
        self._is_wanted = WORDS.get(said.get("follow", "").lower())
        self._given = environ.get("HTTP_LAST_EVENT_ID") or said.get("offset") or "0"
        self._offset = int(self._given) if OFFSET.fullmatch(self._given) else -1
        self._tail = None if "HTTP_LAST_EVENT_ID" in environ or "offset" in said else said.get("tail")
        self._query = [(name, value) for name, value in query if name not in ("follow", "offset", "tail")]
        self._environ = {name: value for name, value in environ.items() if name != "HTTP_IF_RANGE"}
        self._attempt: str | None = said.get("attempt")
        self._size = 0

    async def serve(self, receive: Receive, send: Send) -> None:
        """Tell until the attempt has ended and all is told, or the client goes, or the server stops."""
        if not self._is_wanted:
            reply = await self._look(self._environ)
            if self._is_wanted is None and reply.status < 400:
                reply = _refuse(reply, "follow", "Must be a valid boolean.")
            await reply.send_to(send)
            return
        matched = INSTANCE.fullmatch(self._environ["PATH_INFO"])
        uuid = matched[2].lower().replace("-", "") if matched else ""
        self._watch.on_log(uuid)
        if self._tail is not None:
            # Without the bytes: only where they begin.
            query = urlencode([*self._query, ("tail", self._tail)])
            reply = await self._look({**self._environ, "QUERY_STRING": query, "REQUEST_METHOD": "HEAD"})
            if reply.status != 200:  # said once more, with the words that HEAD leaves out
                reply = await self._look({**self._environ, "QUERY_STRING": query})
                await reply.send_to(send)
                return
            self._offset = int(reply.header(b"saltant-log-offset") or 0)
            self._attempt = reply.header(b"saltant-attempt") or self._attempt
        reply = await self._next()
        if reply.status not in (200, 206, 416):
            await reply.send_to(send)
            return
        if self._offset < 0:
            await _refuse(reply, "offset", "Must be a number of bytes.").send_to(send)
            return
        async with listening(receive, send, self._board, self._watch) as client:
            await client.begin(reply)
            await self._tell(client, reply)

    async def _tell(self, client: Client, reply: Reply) -> None:
        while True:
            piece = self._piece_of(reply)
            if piece:
                await client.tell(self._event(piece))
            if reply.header(b"saltant-finished") == "true" and self._offset >= self._size:
                state = await self._state()
                if state is not None:
                    said = json.dumps({"size": self._offset, "state": state, "attempt": int(self._attempt or 0)})
                    await client.tell(f"event: end\nid: {self._offset}\ndata: {said}\n\n".encode())
                    break
            failed = reply.status >= 500
            has_news = bool(piece) and self._offset < self._size
            if not has_news:
                has_news = await client.wait(pause=PAUSE, failed=failed)
            if client.is_over:
                break
            reply = await self._next(is_routine=not has_news)
            if reply.status not in (200, 206, 416) and reply.status < 500:
                break  # it may not be read any more, or is gone
        if not client.gone.done():
            await client.end()

    def _piece_of(self, reply: Reply) -> bytes:
        """What an answer brings that is new."""
        if reply.status not in (200, 206, 416):
            return b""
        # The size as the view saw it, with the bytes: later ones are for the next look.
        self._size = int(reply.header(b"saltant-log-size") or 0)
        self._attempt = reply.header(b"saltant-attempt") or self._attempt
        if reply.status == 206:
            return reply.body
        return reply.body[self._offset : self._offset + PIECE] if reply.status == 200 else b""

    def _event(self, piece: bytes) -> bytes:
        start = self._offset
        self._offset += len(piece)
        return b'id: %d\ndata: {"offset":%d,"data":"%s"}\n\n' % (self._offset, start, b64encode(piece))

    async def _next(self, *, is_routine: bool = False) -> Reply:
        """The next piece. Once it is known which attempt it is, it stays that one, though another may follow."""
        query = [(name, value) for name, value in self._query if name != "attempt"]
        if self._attempt is not None:
            query.append(("attempt", self._attempt))
        start = max(self._offset, 0)
        asked = {
            **self._environ,
            "QUERY_STRING": urlencode(query),
            "HTTP_RANGE": f"bytes={start}-{start + PIECE - 1}",
        }
        return await self._look(asked, is_routine=is_routine)

    async def _state(self) -> str | None:
        """The state of the instance; None if it cannot be had now."""
        path = INSTANCE.fullmatch(self._environ["PATH_INFO"])
        if path is None:
            return None
        # A browser takes nothing but events here, which an instance is not.
        asked = {**self._environ, "HTTP_ACCEPT": "application/json", "QUERY_STRING": ""}
        reply = await self._look({**asked, "PATH_INFO": f"{path[1]}{path[2]}/"})
        return str(json.loads(reply.body)["state"]) if reply.status == 200 else None


def _refuse(reply: Reply, parameter: str, why: str) -> Reply:
    """A 400, with the headers of an answer that would have let the client in."""
    body = json.dumps({parameter: [why]}).encode()
    kept = [
        (name, value)
        for name, value in reply.headers
        if name.startswith((b"saltant-version", b"vary", b"cache-", b"x-"))
    ]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *kept]
    return Reply(400, headers, body)
