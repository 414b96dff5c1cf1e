"""A camera's standing session at an SFU: one leg of the fan-out, for an audience of any size."""

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Sequence

from publisher.errors import PublisherError, WhipError
from publisher.legs.rtp import RtpLeg
from publisher.media.fanout import FanOut
from publisher.media.format import Format
from publisher.rtc.refusals import AnswerRefusedError
from publisher.supervisor.backoff import Backoff
from publisher.supervisor.network import is_local
from publisher.supervisor.viewer import CONNECT_SECONDS, SILENCE_SECONDS, TICK_SECONDS
from publisher.whip.endpoint import Endpoint
from rendezvous.wire.messages import IcePolicy, IceServer

logger = logging.getLogger(__name__)

BACKOFF = (0.5, 15.0)  # seconds: the first step and the longest
HOPELESS_BACKOFF = (30.0, 120.0)  # somebody has to change something first
SETTLED_SECONDS = 30.0  # a server that takes every stream and drops it must not be stormed
DELETE_SECONDS = 3.0  # the publisher stops, whether the server listens or not


class Broadcast:
    """Keeps one session at the endpoint, one after the other, until it is cancelled."""

    def __init__(self, endpoint: Endpoint, fan_out: FanOut) -> None:
        self._endpoint = endpoint
        self._fan_out = fan_out
        self._media: Format | None = None
        self._takes_sound = True
        self._stirred = asyncio.Event()
        self._backoff = Backoff(*BACKOFF)
        self._hopeless = Backoff(*HOPELESS_BACKOFF)
        self._links: tuple[IceServer, ...] = ()  # of the last 201
        self._reported = ""

    def use(self, media: Format) -> None:
        """The camera's format; a session that cannot carry it is replaced."""
        if self._media and media.audio_codec != self._media.audio_codec:
            self._takes_sound = True
        self._media = media
        self._stirred.set()

    async def run(self) -> None:
        """For ever; whatever fails is tried again."""
        while True:
            try:
                await self._session(await self._format())
            except PublisherError as error:
                await asyncio.sleep(self._pause_after(error))
            except Exception:
                logger.exception("%s: a defect of the publisher; trying again.", self.name)
                await asyncio.sleep(self._hopeless.next())

    @property
    def name(self) -> str:
        """Where the stream goes, as it may be shown."""
        return self._endpoint.name

    async def _format(self) -> Format:
        while (media := self._wanted()) is None:
            await self._stir()
        return media

    def _wanted(self) -> Format | None:
        if self._media and not self._takes_sound:
            return dataclasses.replace(self._media, audio_codec=None)
        return self._media

    async def _stir(self) -> None:
        """Waits for a change of the camera or of the connection, or for the clock."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), TICK_SECONDS)
        self._stirred.clear()

    # ── one session ──────────────────────────────────────────────────────────────────────────

    async def _session(self, media: Format) -> None:
        """Until the camera's format changes; raises PublisherError."""
        # The 201 comes too late for the offer that it answers (see Endpoint.ice_servers): what it
        # named serves the next one.
        servers = await self._endpoint.ice_servers() or self._links
        leg = self._leg(media, servers)
        try:
            published = await self._endpoint.publish(await leg.offer())
            self._links = published.ice_servers
            try:
                await leg.accept(published.answer)
                await self._watch(leg)
            finally:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._endpoint.delete(published), DELETE_SECONDS)
        finally:
            await leg.close()
            if leg.losses:
                logger.info("%s had %s.", self.name, leg.losses)

    def _leg(self, media: Format, servers: Sequence[IceServer]) -> RtpLeg:
        def stir(_: str) -> None:
            self._stirred.set()

        return RtpLeg(self._fan_out, media, servers, IcePolicy.ALL, stir, for_sfu=True)

    async def _watch(self, leg: RtpLeg) -> None:
        await self._connected(leg)
        logger.info("The stream goes to %s.", self.name)
        settled = time.monotonic() + SETTLED_SECONDS
        while self._suits(leg):
            if time.monotonic() > settled:
                self._forget_failures()
            # An SFU that stops closes DTLS at once; one that vanishes just falls silent.
            if leg.peer.state != "connected" or leg.silence > SILENCE_SECONDS or _cut_off(leg):
                raise WhipError("whip_lost", f"{self.name} has lost the stream.")
            await self._stir()
        logger.info("The camera's format has changed; a new session at %s.", self.name)

    async def _connected(self, leg: RtpLeg) -> None:
        deadline = time.monotonic() + CONNECT_SECONDS
        while leg.peer.state != "connected":
            if leg.peer.state in ("failed", "closed") or time.monotonic() > deadline:
                raise WhipError(
                    "whip_no_path",
                    f"{self.name} accepts the stream, but no connection to it comes about.",
                    "Let UDP out to it, or let it name a TURN server (RFC 9725 §4.6).",
                )
            await self._stir()

    def _suits(self, leg: RtpLeg) -> bool:
        wanted = self._wanted()
        return wanted is None or leg.suits(wanted)

    def _forget_failures(self) -> None:
        self._reported = ""
        self._backoff.reset()
        self._hopeless.reset()

    # ── between two sessions ─────────────────────────────────────────────────────────────────

    def _pause_after(self, error: PublisherError) -> float:
        """Seconds to wait after the error, which is told once."""
        if isinstance(error, AnswerRefusedError) and error.code == "sound_refused":
            logger.warning("%s does not take the camera's sound; it gets the picture.", self.name)
            self._takes_sound = False
            return 0.0
        if error.code != self._reported:
            logger.warning("[%s] %s Trying again.", error.code, error)
        self._reported = error.code
        if not isinstance(error, WhipError) or not error.mendable:
            return self._hopeless.next()
        return error.retry_after + self._backoff.next()


def _cut_off(leg: RtpLeg) -> bool:
    """Whether its way began at an address that this machine has no more."""
    return leg.local_address is not None and not is_local(leg.local_address)
