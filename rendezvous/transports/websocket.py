"""WebSocket: one JSON object a text message.

aiohttp reads the request. From the upgrade on its parts are let go, and the connection is ours: of
the memory that an idle viewer costs they were two thirds.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import hdrs

from rendezvous.transports import frames
from rendezvous.transports.conversation import Conversation, Conversations
from rendezvous.transports.frames import CloseCode, Frame, FrameError, Opcode
from rendezvous.transports.gate import Arrival
from rendezvous.wire import codec
from rendezvous.wire.messages import MESSAGE_BYTES

SERVER = "porthole"  # and no versions of libraries
_DEFAULT_PORTS = {"http": 80, "https": 443}
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_KEY_BYTES = 16


def same_origin(origin: str, host: str) -> bool:
    """Whether a page of this origin was served under this Host (RFC 6454 §4)."""
    try:
        page, served = urlsplit(origin), urlsplit(f"//{host}")
        default = _DEFAULT_PORTS[page.scheme]
        ports = page.port or default, served.port or default
    except (KeyError, ValueError):  # "null", another scheme, a port that is no number
        return False
    named = page.hostname is not None
    return named and page.hostname == served.hostname and ports[0] == ports[1]


# ── the handshake ────────────────────────────────────────────────────────────────────────────


def upgrade(headers: Mapping[str, str]) -> bytes | None:
    """The response that accepts the request for an upgrade; None: it is not in order (§4.2.1)."""
    key = headers.get(hdrs.SEC_WEBSOCKET_KEY, "").encode()
    words = headers.get(hdrs.CONNECTION, "").lower().split(",")
    if (
        "upgrade" not in [word.strip() for word in words]
        or headers.get(hdrs.SEC_WEBSOCKET_VERSION) != "13"
        or not _is_key(key)
    ):
        return None
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n"
        b"Server: " + SERVER.encode() + b"\r\n\r\n"
    )


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


# ── the conversation ─────────────────────────────────────────────────────────────────────────


class WebSocket(Conversation[Frame]):
    """One peer; a unit is a frame, for a control frame costs its sender as much as a message."""

    __slots__ = ("_code", "_opcode", "_parts")

    def __init__(self, conversations: Conversations, arrival: Arrival) -> None:
        super().__init__(conversations, arrival)
        self._opcode: Opcode | None = None  # of the message whose end has not come
        self._parts = b""  # of it
        self._code = CloseCode.POLICY_VIOLATION

    def next_unit(self) -> Frame | None:
        """The next frame; a peer that breaks the protocol is closed."""
        try:
            read = frames.read(self._input, MESSAGE_BYTES - len(self._parts))
            if read is None:
                return None
            frame, self._input = read
            self._require_order(frame)
        except FrameError as error:
            self._fail(error.code)
            return None
        return frame

    def _require_order(self, frame: Frame) -> None:
        continues, begun = frame.opcode is Opcode.CONTINUATION, self._opcode is not None
        if not frame.control and continues is not begun:
            raise FrameError(CloseCode.PROTOCOL_ERROR)

    def handle(self, unit: Frame) -> None:
        """What the frame is for."""
        match unit.opcode:
            case Opcode.PING:
                self._write(frames.written(Opcode.PONG, unit.payload))
            case Opcode.PONG:
                pass
            case Opcode.CLOSE:
                self._end(CloseCode.NORMAL)
            case _:
                self._join(unit)

    def _join(self, frame: Frame) -> None:
        opcode, message = self._opcode or frame.opcode, self._parts + frame.payload
        self._opcode, self._parts = (None, b"") if frame.final else (opcode, message)
        if not frame.final:
            return
        if opcode is Opcode.TEXT and not _is_utf8(message):
            self._fail(CloseCode.NOT_UTF8)
        else:
            self.converse(message)

    def _fail(self, code: CloseCode) -> None:
        self._code = code
        if code is CloseCode.TOO_BIG:
            raise codec.too_large()
        self._end(code)

    def _end(self, code: CloseCode) -> None:
        self._code = code
        self._finish()

    def wrapped(self, data: bytes) -> bytes:
        """A message is a text frame."""
        return frames.written(Opcode.TEXT, data)

    def farewell(self) -> None:
        """A close frame."""
        self._write(frames.closing(self._code))

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
