"""WebSocket's frames and handshake, to the letter of RFC 6455."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.transports import frames, websocket
from rendezvous.transports.frames import CloseCode, Frame, FrameError, Opcode

MASK = b"\x37\xfa\x21\x3d"
MOST = 1 << 16


def masked(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A frame as clients send it."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    body = bytes(byte ^ MASK[i % 4] for i, byte in enumerate(payload))
    return bytes([0x80 * final | opcode]) + length + MASK + body


def test_the_rfc_s_own_example_is_read() -> None:
    """§5.7: a single-frame masked text message."""
    data = bytes.fromhex("818537fa213d7f9f4d5158")
    assert frames.read(data, MOST) == (Frame(Opcode.TEXT, b"Hello"), b"")


def test_the_rfc_s_own_examples_are_written() -> None:
    """§5.7: unmasked, with each form of length."""
    assert frames.written(Opcode.TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")
    assert frames.written(Opcode.BINARY, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert frames.written(Opcode.BINARY, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")
    assert frames.closing(CloseCode.NORMAL) == bytes.fromhex("880203e8")


@given(payload=st.binary(max_size=300), rest=st.binary(max_size=9), final=st.booleans())
def test_what_a_client_masked_is_read_whole_or_not_at_all(
    payload: bytes, rest: bytes, *, final: bool
) -> None:
    data = masked(Opcode.BINARY, payload, final=final)
    assert frames.read(data + rest, MOST) == (Frame(Opcode.BINARY, payload, final), rest)
    assert all(frames.read(data[:size], MOST) is None for size in range(len(data)))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x05Hello", CloseCode.PROTOCOL_ERROR),  # §5.1: not masked
        (b"\xc1\x80" + MASK, CloseCode.PROTOCOL_ERROR),  # a bit of an extension
        (b"\x83\x80" + MASK, CloseCode.PROTOCOL_ERROR),  # no such opcode
        (b"\x09\x80" + MASK, CloseCode.PROTOCOL_ERROR),  # a control frame in pieces
        (b"\x89\xfe\x00\x7e" + MASK, CloseCode.PROTOCOL_ERROR),  # a control frame of 126 bytes
        (b"\x81\xff" + (MOST + 1).to_bytes(8), CloseCode.TOO_BIG),  # known by its header
    ],
)
def test_what_is_out_of_order_is_refused(data: bytes, code: CloseCode) -> None:
    with pytest.raises(FrameError) as refused:
        frames.read(data, MOST)
    assert refused.value.code is code


HEADERS = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_the_rfc_s_own_handshake_is_accepted() -> None:
    """§1.3."""
    accepted = websocket.upgrade(HEADERS)
    assert accepted is not None
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in accepted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Connection", "close"),
        ("Sec-WebSocket-Version", "8"),
        ("Sec-WebSocket-Key", "c2hvcnQ="),
        ("Sec-WebSocket-Key", "not base64"),
        ("Sec-WebSocket-Key", ""),
    ],
)
def test_a_handshake_that_is_not_in_order_is_refused(name: str, value: str) -> None:
    assert websocket.upgrade({**HEADERS, name: value}) is None
