"""One camera: its source, its room, its viewers, its SFU; each fails and recovers by itself."""

import asyncio
import logging
from collections.abc import Callable

from publisher.errors import SignallingError, SourceError, UnplayableError
from publisher.media.fanout import FanOut
from publisher.media.format import Format
from publisher.media.timeline import Timeline
from publisher.sources import reader
from publisher.sources.source import Source as MediaSource
from publisher.supervisor.backoff import Backoff
from publisher.supervisor.broadcast import Broadcast
from publisher.supervisor.room import Place, RoomKeeper
from publisher.supervisor.viewers import Viewers
from publisher.whip.endpoint import Endpoint
from rendezvous.wire.messages import SENTENCE_LENGTH, Message, Source, SourceState

logger = logging.getLogger(__name__)

SOURCE_BACKOFF = (0.3, 1.5)  # seconds: a camera that returns is live again within three seconds
LOCKOUT_SECONDS = 30.0  # many cameras lock out who keeps trying a wrong password
UNPLAYABLE_SECONDS = 5.0  # somebody is perhaps just changing the camera's settings

_DEFECT = Source(
    state=SourceState.LOST,
    code="internal",
    message="The publisher failed at this camera's stream; its log has the details.",
)


class Camera:
    """Runs until it is cancelled, or until the server refuses the room for good.

    It has a place, or a WHIP endpoint, or both.
    """

    def __init__(
        self,
        source: MediaSource,
        place: Place | None,
        endpoint: Endpoint | None,
        *,
        most_viewers: int,
        keep_alive: bool,
        on_claimed: Callable[[str], None],
    ) -> None:
        self._media = source
        self._fan_out = FanOut()
        self._timeline = Timeline()
        self._viewers = Viewers(self._fan_out, self._send, most_viewers)
        self._broadcast = Broadcast(endpoint, self._fan_out) if endpoint else None
        self._source = Source(state=SourceState.STARTING)
        self._room = place and RoomKeeper(
            place,
            self._viewers,
            source=lambda: self._source,
            keep_alive=keep_alive,
            on_claimed=on_claimed,
        )

    async def run(self) -> None:
        """Raises SignallingError when time cannot mend what the server refuses."""
        tasks = [asyncio.create_task(self._supervise_source())]
        if self._broadcast:
            tasks.append(asyncio.create_task(self._broadcast.run()))
        try:
            if self._room:
                await self._keep(self._room)
            await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await self._viewers.close()
            if self._room:
                await self._room.close()
            await asyncio.wait(tasks)

    async def _keep(self, room: RoomKeeper) -> None:
        """A room that is refused for good is the camera's end, unless an SFU has its stream."""
        try:
            await room.run()
        except SignallingError as error:
            if self._broadcast is None:
                raise
            # Its sentence says all; there is nothing to trace.
            logger.error(  # noqa: TRY400
                "[%s] %s The stream to the SFU goes on.", error.code, error
            )

    # ── the source ───────────────────────────────────────────────────────────────────────────

    async def _supervise_source(self) -> None:
        backoff = Backoff(*SOURCE_BACKOFF)
        logger.info("%s: connecting.", self._media.name)
        while True:
            try:
                await reader.read(
                    self._media, self._timeline, on_format=self._live, on_unit=self._fan_out.publish
                )
            except UnplayableError as error:
                self._say(_trouble(SourceState.UNPLAYABLE, error))
                await asyncio.sleep(UNPLAYABLE_SECONDS)
            except SourceError as error:
                if self._source.state == SourceState.LIVE:
                    backoff.reset()
                self._say(_trouble(SourceState.LOST, error))
                locked_out = error.code == "source_unauthorized"
                await asyncio.sleep(LOCKOUT_SECONDS if locked_out else backoff.next())
            except Exception:
                logger.exception("%s: a defect of the publisher; trying again.", self._media.name)
                self._say(_DEFECT)
                await asyncio.sleep(UNPLAYABLE_SECONDS)

    def _live(self, media: Format) -> None:
        self._viewers.use(media)
        if self._broadcast:
            self._broadcast.use(media)
        self._say(Source(state=SourceState.LIVE, tracks=media.tracks))

    def _say(self, source: Source) -> None:
        if source == self._source:
            return
        self._source = source
        if source.state == SourceState.LIVE:
            tracks = "; ".join(f"{t.codec} ({t.detail})" for t in source.tracks)
            logger.info("%s: live: %s.", self._media.name, tracks)
        else:
            self._fan_out.gop.clear()
            logger.warning("[%s] %s", source.code, source.message)
        self._send(source)

    def _send(self, message: Message) -> None:
        if self._room:
            self._room.send(message)


def _trouble(state: SourceState, error: SourceError | UnplayableError) -> Source:
    return Source(state=state, code=error.code, message=str(error)[:SENTENCE_LENGTH])
