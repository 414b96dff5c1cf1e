"""One camera: its source, its room, its viewers, its SFU; each fails and recovers by itself."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from publisher.errors import SignallingError, SourceError, UnplayableError
from publisher.media.format import Format
from publisher.media.outlets import Outlets, Transcode
from publisher.media.timeline import Timeline
from publisher.sources import reader
from publisher.sources.source import Source as MediaSource
from publisher.supervisor.backoff import Backoff
from publisher.supervisor.broadcast import Broadcast
from publisher.supervisor.room import Place, RoomKeeper
from publisher.supervisor.viewers import Viewers
from publisher.whip.endpoint import Endpoint
from rendezvous.wire.messages import (
    SENTENCE_LENGTH,
    Delivery,
    IcePolicy,
    Message,
    Source,
    SourceState,
)

logger = logging.getLogger(__name__)

SOURCE_BACKOFF = (0.3, 1.5)  # seconds: a camera that returns is live again within three seconds
LOCKOUT_SECONDS = 30.0  # many cameras lock out who keeps trying a wrong password
UNPLAYABLE_SECONDS = 5.0  # somebody is perhaps just changing the camera's settings

_RTP: tuple[str, ...] = (Delivery.RTP,)  # what every camera has that was not seen yet
_AAC_FIRST: tuple[str, ...] = (Delivery.FMP4, Delivery.RTP)

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
        transcode: Transcode = Transcode.AUTO,
        aac_first: bool = False,
    ) -> None:
        """With ``aac_first`` viewers are to prefer the camera's own AAC to a faster picture."""
        self._media = source
        self._aac_first = aac_first
        self._outlets = Outlets(source.name, transcode, self._live)
        self._timeline = Timeline()
        rtp, fmp4 = self._outlets.rtp, self._outlets.fmp4
        policy = place.room.ice_policy if place else IcePolicy.ALL
        self._viewers = Viewers(
            rtp, fmp4, self._send, most_viewers, self._doubt_server, policy=policy
        )
        self._broadcast = Broadcast(endpoint, rtp) if endpoint else None
        self._source = Source(state=SourceState.STARTING, legs=_AAC_FIRST if aac_first else _RTP)
        self._room: RoomKeeper | None = None
        if place:
            self._room = RoomKeeper(
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
            self._outlets.clear()
            if self._room:
                await self._room.close()
            await asyncio.wait(tasks)

    def network_changed(self) -> None:
        """What was lost with the old network is let go, and looked for in the new one."""
        if self._room:
            self._room.network_changed()
        self._viewers.network_changed()

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
                    self._media,
                    self._timeline,
                    on_format=self._outlets.use,
                    on_unit=self._outlets.publish,
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

    def _live(self) -> None:
        """The outlets have their formats."""
        rtp, fmp4 = self._outlets.rtp.media, self._outlets.fmp4.media
        assert rtp and fmp4  # noqa: S101, PT018  # tells the type checker
        self._viewers.use_formats()
        if self._broadcast and not rtp.obstacle:
            self._broadcast.use(rtp)
        aac_first = self._aac_first and fmp4.aac is not None
        self._say(_live(rtp, aac_first=aac_first))

    def _say(self, source: Source) -> None:
        if source.state != SourceState.LIVE:
            # Who comes now shall begin with what most likely is right.
            source = msgspec.structs.replace(source, legs=self._source.legs)
        if source == self._source:
            return
        self._source = source
        if source.state == SourceState.LIVE:
            tracks = "; ".join(f"{t.codec} ({t.detail})" for t in source.tracks)
            logger.info("%s: live: %s.", self._media.name, tracks)
            if source.code:
                logger.warning("[%s] %s", source.code, source.message)
        else:
            self._outlets.clear()
            logger.warning("[%s] %s", source.code, source.message)
        self._send(source)

    def _send(self, message: Message) -> bool:
        return self._room is not None and self._room.send(message)

    def _doubt_server(self) -> None:
        if self._room:
            self._room.doubt()


def _live(media: Format, *, aac_first: bool) -> Source:
    """With the ways in which viewers can have the stream; an obstacle leaves one of them."""
    if media.obstacle is None:
        legs = _AAC_FIRST if aac_first else _AAC_FIRST[::-1]
        return Source(state=SourceState.LIVE, tracks=media.tracks, legs=legs)
    return Source(
        state=SourceState.LIVE,
        code=media.obstacle.code,
        message=f"{media.obstacle.sentence} {media.obstacle.cure}",
        tracks=media.tracks,
        legs=(Delivery.FMP4,),
    )


def _trouble(state: SourceState, error: SourceError | UnplayableError) -> Source:
    return Source(state=state, code=error.code, message=str(error)[:SENTENCE_LENGTH])
