"""What comes over an RTSP connection, in any pieces: messages, and packets between them.

A packet is "$", its channel and its length (RFC 2326 §10.12). Between them some cameras send
bytes that are neither: those are skipped and counted, up to a limit.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

from publisher.sources.rtsp.messages import (
    ProtocolError,
    Request,
    Response,
    body_length,
    parse_head,
)

MAX_HEAD: Final = 16 * 1024  # bytes
MAX_BODY: Final = 256 * 1024
MAX_GARBAGE: Final = 64 * 1024  # in a row
DOLLAR: Final = 0x24
_PREFIX: Final = 4  # bytes before a packet


class Interleaved(NamedTuple):
    """A packet; ``data`` is of the buffer and to be copied by who keeps it."""

    channel: int
    data: memoryview


Event: TypeAlias = Interleaved | Response | Request


class Framer:
    """Takes bytes, gives events; ``run`` may take packets first, and says where it has ended."""

    def __init__(self, run: Callable[[bytes, int], int] = lambda _data, at: at) -> None:
        self.run = run
        self._rest = b""
        self._streams = False  # who sends media may stammer; before that, it is no camera
        self._in_a_row = 0
        self.garbage = 0
        """Bytes that were skipped."""

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that are complete with these bytes; raises ProtocolError.

        To be used up before the next call.
        """
        data = self._rest + data if self._rest else data
        view, at = memoryview(data), 0
        while len(data) - at >= _PREFIX:
            if data[at] == DOLLAR:
                at = self.run(data, at)
                if len(data) - at < _PREFIX or data[at] != DOLLAR:
                    continue
                end = at + _PREFIX + (data[at + 2] << 8 | data[at + 3])
                if end > len(data):
                    break
                self._in_a_row, self._streams = 0, True
                yield Interleaved(data[at + 1], view[at + _PREFIX : end])
            else:
                end = self._blank(data, at)
                if end == at:
                    message, end = self._message(data, at)
                    if end == at:
                        break
                    if message:
                        yield message
            at = end
        self._rest = data[at:]

    def _blank(self, data: bytes, at: int) -> int:
        while data[at : at + 1] in (b"\r", b"\n"):
            at += 1
        return at

    def _message(self, data: bytes, at: int) -> tuple[Response | Request | None, int]:
        """The message and where it ends; where it begins when it is not complete."""
        try:
            message, end = _parse(data, at)
        except ProtocolError:
            if not self._streams:
                raise
            return None, self._skip(data, at)
        return message, end

    def _skip(self, data: bytes, at: int) -> int:
        """Where something may begin again."""
        found = [data.find(mark, at + 1) for mark in (b"$", b"RTSP/")]
        end = min((place for place in found if place > 0), default=len(data))
        self.garbage += end - at
        self._in_a_row += end - at
        if self._in_a_row > MAX_GARBAGE:
            raise ProtocolError("nothing but bytes without meaning")
        return end


def _parse(data: bytes, at: int) -> tuple[Response | Request | None, int]:
    if not data[at : at + 1].isalpha():
        raise ProtocolError("bytes without meaning")
    end = data.find(b"\r\n\r\n", at, at + MAX_HEAD)
    if end < 0:
        if len(data) - at >= MAX_HEAD:
            raise ProtocolError("a message's head has no end")
        return None, at
    message = parse_head(data[at:end])
    begin = end + 4
    end = begin + body_length(message.fields, MAX_BODY)
    if end > len(data):
        return None, at
    if isinstance(message, Response):
        message = replace(message, body=data[begin:end])
    return message, end
