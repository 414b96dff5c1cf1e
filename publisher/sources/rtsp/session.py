"""A camera that plays: its packets, and what keeps it playing."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, TypeAlias

from publisher.errors import SourceError
from publisher.media.packets import SECOND, Packet, Stream
from publisher.sources import faults
from publisher.sources.container import READ_SECONDS
from publisher.sources.rtsp import rtcp
from publisher.sources.rtsp.connection import Connection
from publisher.sources.rtsp.conversation import Conversation
from publisher.sources.rtsp.framing import DOLLAR, Event, Interleaved
from publisher.sources.rtsp.messages import ProtocolError
from publisher.sources.rtsp.track import Track

logger = logging.getLogger(__name__)

REPORT_SECONDS: Final = 5.0  # RFC 3550 §6.2; some cameras stop who is silent
_UNSUPPORTED: Final = (400, 404, 405, 501, 551)
_CNAME: Final = "porthole"

Consumer: TypeAlias = Callable[[memoryview, int], list[Packet]]


class OpenRtspCamera:
    """An OpenSource whose media comes inside the connection."""

    def __init__(
        self,
        connection: Connection,
        conversation: Conversation,
        shown: str,
        url: str,
        tracks: dict[tuple[int, int], Track],
        *,
        timeout: int,
        keep_alive: str,
    ) -> None:
        """``tracks`` by their channels, ``timeout`` of the session in seconds."""
        self._connection = connection
        self._conversation = conversation
        self._shown = shown
        self._url = url
        self._tracks = tuple(tracks.values())
        self._reports = {control: track for (_, control), track in tracks.items()}
        self._consumers: dict[int, Consumer] = {}
        for (media, control), track in tracks.items():
            self._consumers |= {media: track.take_rtp, control: track.take_rtcp}
            if track.plan.stream.kind == "video":
                connection.skim(partial(track.skim, bytes((DOLLAR, media))))
        self._keep_alive = keep_alive
        self._pause = timeout * SECOND // 2
        self._ssrc = secrets.randbits(32)
        self._interrupted = False
        now = _now()
        self._heard_at = now
        self._report_at = now + int(REPORT_SECONDS * SECOND)
        self._keep_alive_at = now + self._pause

    @property
    def streams(self) -> tuple[Stream, ...]:
        """At most one video and one audio stream."""
        return tuple(track.plan.stream for track in self._tracks)

    @property
    def lost(self) -> int:
        """RTP packets that never came."""
        return sum(track.lost for track in self._tracks)

    def watch(self) -> int | None:
        """The socket, for an event loop that calls ``take``; None under TLS."""
        return self._connection.watch()

    def take(self) -> list[Packet]:
        """What has come; raises SourceError when it stops coming."""
        try:
            return self._take()
        except (OSError, EOFError, ProtocolError) as error:
            raise self._ended(error) from None

    def packets(self) -> Iterator[Packet]:
        """Units as they are complete; raises SourceError when they stop coming."""
        try:
            yield from self._read()
        except (OSError, EOFError, ProtocolError) as error:
            if self._interrupted:
                return
            raise self._ended(error) from None

    def interrupt(self) -> None:
        """Ends ``packets`` at once."""
        self._interrupted = True
        self._connection.interrupt()

    def close(self) -> None:
        """Says good-bye, if that can be done at once, and hangs up."""
        try:
            self._connection.never_wait()
            self._conversation.say("TEARDOWN", self._url)
        except OSError:
            pass  # it hung up first
        finally:
            self._connection.close()
        self._report_losses()

    def _take(self) -> list[Packet]:
        now = _now()
        packets = self._early(now)
        try:
            for event in self._connection.receive():
                packets += self._handle(event, now)
        except BlockingIOError:
            pass  # nothing has come: a look at the clock
        self._attend(now, heard=bool(packets))
        return packets

    def _read(self) -> Iterator[Packet]:
        yield from self._early(_now())
        self._connection.wait_at_most(READ_SECONDS)
        while not self._interrupted:
            events = self._connection.receive()
            now = _now()
            packets = [packet for event in events for packet in self._handle(event, now)]
            self._attend(now, heard=bool(packets))
            yield from packets

    def _early(self, now: int) -> list[Packet]:
        """What came before PLAY's answer."""
        early = self._conversation.early
        packets = [packet for event in early for packet in self._handle(event, now)]
        early.clear()
        return packets

    def _ended(self, error: Exception) -> SourceError:
        logger.debug("%s: %s %s", self._shown, type(error).__name__, error)
        return faults.error(faults.INTERRUPTED, self._shown)

    def _handle(self, event: Event, now: int) -> list[Packet]:
        if isinstance(event, Interleaved):
            consumer = self._consumers.get(event.channel)
            return consumer(event.data, now) if consumer else []
        method, status = self._conversation.hear(event)
        if method == "GET_PARAMETER" and status in _UNSUPPORTED:
            self._keep_alive, self._keep_alive_at = "OPTIONS", now
        return []

    def _attend(self, now: int, *, heard: bool) -> None:
        if heard:
            self._heard_at = now
        elif now - self._heard_at > READ_SECONDS * SECOND:
            raise TimeoutError("no media")
        if now >= self._keep_alive_at:
            self._keep_alive_at = now + self._pause
            self._conversation.say(self._keep_alive, self._url)
        if now >= self._report_at:
            self._report_at = now + int(REPORT_SECONDS * SECOND)
            self._send_reports(now)

    def _send_reports(self, now: int) -> None:
        for channel, track in self._reports.items():
            if block := track.reception(now):
                report = rtcp.receiver_report(self._ssrc, _CNAME, [block])
                self._connection.send(b"$" + bytes([channel]) + len(report).to_bytes(2) + report)

    def _report_losses(self) -> None:
        damaged = sum(track.damaged for track in self._tracks)
        foreign = sum(track.foreign for track in self._tracks)
        if damaged or foreign or self._connection.garbage:
            logger.warning(
                "%s: %d units came incomplete; %d packets and %d bytes meant nothing.",
                self._shown,
                damaged,
                foreign,
                self._connection.garbage,
            )


def _now() -> int:
    return time.monotonic_ns() // 1000
