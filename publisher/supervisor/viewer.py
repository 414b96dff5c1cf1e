"""One viewer's session at the camera: a leg, a mailbox, and one task that does one thing at a time.

aiortc must not be entered twice, so the task takes messages and changes of the connection from one
mailbox, in order. Time is told from outside: with a clock for each viewer a camera of many would
wake at every moment.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, TypeAlias

from publisher.errors import PublisherError
from publisher.media.format import Format
from publisher.supervisor.network import is_local
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    End,
    EndReason,
    IceCandidate,
    Message,
    Offer,
    Session,
)

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 15.0
# Without RTCP or ICE checks. Browsers send the one every second and the other every 2.5 s, so the
# first may be a whim of the network, and the second is the end.
SUSPECT_SECONDS = 3.0
SILENCE_SECONDS = 8.0
# A viewer that has joined anew, in a silence, shows this session's pictures until the next one has
# its own, and then closes it. For so long it is let run; and so long it may be silent meanwhile.
REPLACED_SECONDS = 5.0
REPLACED_SILENCE_SECONDS = 1.5
TICK_SECONDS = 0.5  # from one look at the clock to the next
MAILBOX_ITEMS = 256

OnCandidate: TypeAlias = Callable[[IceCandidate | None], None]
"""Takes each later candidate of the camera, and None when there are no more."""
Item: TypeAlias = Offer | Candidate | End | str  # a string is the connection's new state


class Leg(Protocol):
    """What a session needs of a delivery."""

    async def answer(self, offer: str) -> str:
        """Takes an offer; raises PublisherError."""

    async def add_candidate(self, candidate: IceCandidate | None) -> None:
        """Takes a candidate."""

    def suits(self, media: Format) -> bool:
        """Whether what was negotiated can carry the format."""

    @property
    def losses(self) -> str:
        """What did not reach the viewer, in words; empty when all did."""

    @property
    def silence(self) -> float:
        """Seconds since the last sign of life on the media path."""

    @property
    def local_address(self) -> str | None:
        """Where the media path begins on this machine; None: not known (yet)."""

    async def close(self) -> None:
        """Idempotent."""


class Viewer:
    """Runs until either side ends the session; then everything it held is free."""

    def __init__(
        self,
        opening: Session,
        make_leg: Callable[[Session, Callable[[str], None], OnCandidate | None], Leg],
        send: Callable[[Message], object],
        on_silence: Callable[[], None] = lambda: None,
    ) -> None:
        """A viewer that cannot trickle gets all candidates with the answer (RFC 8838 §3).

        ``on_silence`` is called once in a silence that may be the network's.
        """
        self.session = opening.session
        self.secret = opening.secret
        self._send = send
        self._on_silence = on_silence
        self._suspected = False
        self._mailbox: asyncio.Queue[Item] = asyncio.Queue(MAILBOX_ITEMS)
        self._trickles = opening.trickle
        self._leg = make_leg(opening, self.put, self._trickle if opening.trickle else None)
        self._started = _now()
        self._connected = False
        self._reason: str | None = None
        self._replaced: float | None = None  # since when
        self.holds_place = True
        """False when it is over, or its viewer has a newer session: others may come."""
        self.dropped = 0
        self.put(Offer(session=opening.session, sdp=opening.sdp))

    def put(self, item: Item) -> None:
        """A message for this session; lost, and counted, when the task cannot keep up."""
        if isinstance(item, End):  # who comes next may do so before the task gets to it
            self.holds_place = False
        try:
            self._mailbox.put_nowait(item)
        except asyncio.QueueFull:
            self.dropped += 1

    @property
    def losses(self) -> str:
        """What this viewer missed, in words."""
        dropped = f"{self.dropped} messages dropped" if self.dropped else ""
        return ", ".join(part for part in (self._leg.losses, dropped) if part)

    def suits(self, media: Format) -> bool:
        """Whether the session can go on with the camera's new format."""
        return self._leg.suits(media)

    def network_changed(self) -> None:
        """Ends the session if its way began at an address that this machine has no more."""
        address = self._leg.local_address
        if address is not None and not is_local(address):
            self.end(EndReason.MEDIA_LOST)

    def end(self, reason: EndReason, message: str = "") -> None:
        """Ends the session from this side."""
        if self._reason is None:
            self._reason = reason
            if self._replaced is None:  # or the server has forgotten it
                self._send(End(session=self.session, reason=reason, message=message))
            self.put(End(session=self.session, reason=reason))

    async def run(self) -> str:
        """The session's life; returns why it ended."""
        try:
            while self._reason is None:
                await self._handle(await self._mailbox.get())
                self.check()
        finally:
            await self._leg.close()
        return self._reason

    async def _handle(self, item: Item) -> None:
        match item:
            case Offer(sdp=sdp):
                await self._answer(sdp)
            case Candidate(candidate=candidate):
                await self._leg.add_candidate(candidate)
            case End(reason=EndReason.REPLACED):
                self._replaced = self._replaced or _now()
            case End(reason=reason):
                self._reason = self._reason or reason
            case "connected":
                self._connected = True
            case "failed" | "closed":
                # A browser that leaves closes DTLS at once; silence ends differently, in _check.
                self.end(EndReason.MEDIA_LOST)
            case _:
                pass

    async def _answer(self, offer: str) -> None:
        try:
            answer = await self._leg.answer(offer)
        except PublisherError as error:
            self.end(EndReason.OFFER_REFUSED, str(error))
            return
        if self._reason is not None:
            return
        self._send(Answer(session=self.session, sdp=answer))
        if not self._trickles:  # all are in the answer
            self._trickle(None)

    def _trickle(self, candidate: IceCandidate | None) -> None:
        if self._reason is None:
            self._send(Candidate(session=self.session, candidate=candidate))

    def check(self) -> None:
        """Ends the session if its time is over; to be called every ``TICK_SECONDS``."""
        if self._reason is not None:
            return
        if self._replaced is not None:
            self._check_replaced(_now() - self._replaced)
        elif not self._connected:
            if _now() - self._started > CONNECT_SECONDS:
                self.end(EndReason.CONNECT_TIMEOUT)
        elif self._leg.silence > SILENCE_SECONDS:
            self.end(EndReason.MEDIA_LOST)
        else:
            self._suspect(self._leg.silence > SUSPECT_SECONDS)

    def _check_replaced(self, seconds: float) -> None:
        silent = min(seconds, self._leg.silence) > REPLACED_SILENCE_SECONDS
        if silent or not self._connected or seconds > REPLACED_SECONDS:
            self.end(EndReason.REPLACED)

    def _suspect(self, suspicious: bool) -> None:  # noqa: FBT001
        if suspicious and not self._suspected:
            self._on_silence()
        self._suspected = suspicious


def _now() -> float:
    return asyncio.get_running_loop().time()
