"""WebSocket's frames as bytes (RFC 6455 §5), from a server's point of view. Pure."""

from dataclasses import dataclass
from enum import IntEnum


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """Why a connection ends (RFC 6455 §7.4.1)."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    NOT_UTF8 = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009


class FrameError(Exception):
    """The peer has broken the protocol, or sends too much; the connection ends with ``code``."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, unmasked; ``final`` ends a message."""

    opcode: Opcode
    payload: bytes
    final: bool = True

    @property
    def control(self) -> bool:
        """Whether it is about the connection, and may come between a message's frames."""
        return self.opcode >= Opcode.CLOSE


_FINAL = _MASKED = 0x80
_RESERVED = 0x70
_LENGTH = 0x7F
_LENGTH_16, _LENGTH_64 = 126, 127  # the length is in the next 2 or 8 bytes
_CONTROL_BYTES = 125  # a control frame has no more
_OPCODES = frozenset(Opcode)


def read(data: bytes, most: int) -> tuple[Frame, bytes] | None:
    """The first frame and what follows it; None while it is not whole.

    Raises FrameError, as soon as the header shows that it must be refused.
    """
    if len(data) < 2:  # noqa: PLR2004  # the shortest header
        return None
    _require_header(data[0], data[1])
    length, start = _length(data)
    if length is None:
        return None
    if length > most:
        raise FrameError(CloseCode.TOO_BIG)
    end = start + 4 + length
    if len(data) < end:
        return None
    payload = _unmasked(data[start : start + 4], data[start + 4 : end])
    return Frame(Opcode(data[0] & 0x0F), payload, bool(data[0] & _FINAL)), data[end:]


def _require_header(first: int, second: int) -> None:
    opcode = first & 0x0F
    control = opcode >= Opcode.CLOSE
    if (
        first & _RESERVED  # no extension was negotiated
        or opcode not in _OPCODES
        or not second & _MASKED  # §5.1: clients mask
        or (control and (not first & _FINAL or second & _LENGTH > _CONTROL_BYTES))  # §5.5
    ):
        raise FrameError(CloseCode.PROTOCOL_ERROR)


def _length(data: bytes) -> tuple[int | None, int]:
    short = data[1] & _LENGTH
    size = {_LENGTH_16: 2, _LENGTH_64: 8}.get(short, 0)
    if not size:
        return short, 2
    if len(data) < 2 + size:
        return None, 2
    return int.from_bytes(data[2 : 2 + size]), 2 + size


def _unmasked(mask: bytes, payload: bytes) -> bytes:
    # One XOR of two big numbers: Python has none for bytes.
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def written(opcode: Opcode, payload: bytes = b"") -> bytes:
    """A whole frame, as a server sends it."""
    size = len(payload)
    if size <= _CONTROL_BYTES:
        length = bytes([size])
    elif size < 1 << 16:
        length = bytes([_LENGTH_16]) + size.to_bytes(2)
    else:
        length = bytes([_LENGTH_64]) + size.to_bytes(8)
    return bytes([_FINAL | opcode]) + length + payload


def closing(code: CloseCode) -> bytes:
    """A close frame."""
    return written(Opcode.CLOSE, code.to_bytes(2))
