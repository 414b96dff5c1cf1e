"""The camera's room: claimed, kept, and claimed at another node when one goes away.

One rule is behind it: nothing is let go before there is something better. A server that sends the
camera away carries its messages until the room is claimed at the next one.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from publisher.errors import SignallingError
from publisher.identity import CameraKey
from publisher.signalling.claiming import Room, answer_challenge, claim
from publisher.signalling.connection import Connection, ServerAddress
from publisher.signalling.dialling import Dialler
from publisher.supervisor.backoff import Backoff
from publisher.supervisor.membership import Membership, doubt
from publisher.supervisor.nodes import Nodes
from rendezvous.wire.messages import (
    Candidate,
    Challenge,
    End,
    Error,
    ErrorCode,
    Message,
    Offer,
    Resume,
    ServerMessage,
    Session,
    Source,
)

logger = logging.getLogger(__name__)

GOAWAY_SPREAD = 0.3  # seconds at least: a server that sends all its cameras away sends many
RIVAL_BACKOFF = (30.0, 600.0)  # seconds; two publishers with one key must not take turns for long
RIVAL_CALM = 600.0  # seconds in the room, after which a rival is a new one
RIVAL = (
    "[superseded] Another publisher claimed the room with this camera's key; trying again, more "
    "and more rarely. Stop one of the two. If they are two cameras, the state directory of one "
    "was copied: give it an empty one with --state."
)


class Guests(Protocol):
    """Whose messages the room carries: all viewers of one camera."""

    def open(self, opening: Session) -> None:
        """A viewer's first offer."""

    def put(self, message: Offer | Candidate | End) -> None:
        """A message of a running session."""

    def resumptions(self, room: str) -> Iterable[Resume | End]:
        """What to say to a server that may have forgotten the sessions: they run, or are over."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which room, at which service; its nodes are as good as each other."""

    addresses: tuple[ServerAddress, ...]
    tls: ssl.SSLContext | None
    key: CameraKey
    room: Room


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds until the next attempt."""

    asked: float
    """Which the server, or the rule about rivals, wants in any case."""
    own: float = 0.0
    """After that, unless the network changes meanwhile."""


class RoomKeeper:
    """Keeps the room until it is cancelled, or until the server refuses it for good."""

    def __init__(
        self,
        place: Place,
        guests: Guests,
        *,
        source: Callable[[], Source],
        keep_alive: bool,
        on_claimed: Callable[[str], None],
    ) -> None:
        self._place = place
        self._guests = guests
        self._source = source
        self._keep_alive = keep_alive
        self._on_claimed = on_claimed
        self._nodes = Nodes(place.addresses)
        self._dialler = Dialler(place.tls)
        self._network_changed = asyncio.Event()
        self._entering: Connection | None = None
        self._membership: Membership | None = None
        self._claimed_at = 0.0  # by the loop's clock
        self._rivals = Backoff(*RIVAL_BACKOFF)
        self._reported = ""
        self._rival_reported = False
        self._link_shown = False

    async def run(self) -> None:
        """Raises SignallingError when time cannot mend what the server refuses."""
        while True:
            try:
                await self._enter()
                pause = await self._stay()
            except SignallingError as error:
                if not (error.retry and self._keep_alive):
                    raise
                pause = self._pause_after(error)
            await self._rest(pause)

    def send(self, message: Message) -> bool:
        """To the server while there is one; what is missed now is said again with the claim."""
        return self._membership is not None and self._membership.send(message)

    def network_changed(self) -> None:
        """Dials at once if it waits to, and does not trust the connection that it has."""
        self._network_changed.set()
        self.doubt()

    def doubt(self) -> None:
        """Something suggests that the server cannot be reached any more: it is asked."""
        if self._entering:
            doubt(self._entering)
        if self._membership:
            self._membership.doubt()

    async def close(self) -> None:
        """Sends what is queued and leaves. Idempotent."""
        membership, self._membership = self._membership, None
        if membership:
            await membership.close()

    # ── coming and going ─────────────────────────────────────────────────────────────────────

    async def _enter(self) -> None:
        """Claims the room at the next node; an earlier membership serves until then."""
        place, address, said = self._place, self._nodes.current, self._source()
        connection = await self._dialler.dial(address, self._network_changed)
        self._entering = connection
        try:
            claimed = await claim(connection, address, place.key, place.room, said)
        except BaseException:
            await connection.close()
            raise
        finally:
            self._entering = None
        logger.info("%s: room claimed, epoch %d.", address.origin, claimed.epoch)
        earlier = self._membership
        self._membership = Membership(connection, partial(self._hear, connection, address))
        self._settle(address, said)
        if earlier:
            await earlier.close()

    def _settle(self, address: ServerAddress, said: Source) -> None:
        self._nodes.succeeded()
        self._reported = ""
        self._claimed_at = asyncio.get_running_loop().time()
        if self._source() != said:
            self.send(self._source())
        for resume in self._guests.resumptions(self._place.room.room):
            self.send(resume)
        if not self._link_shown:
            self._link_shown = True
            self._on_claimed(self._place.room.link(address))

    async def _rest(self, pause: Pause) -> None:
        await asyncio.sleep(pause.asked)
        # Not asyncio.timeout: in Python 3.11 one that expires together with what it waits for
        # cancels the task's next step.
        change = asyncio.create_task(self._network_changed.wait())
        try:
            await asyncio.wait((change,), timeout=pause.own)
        finally:
            change.cancel()

    async def _stay(self) -> Pause:
        """How long to wait before claiming elsewhere; raises SignallingError when it was lost."""
        assert self._membership  # noqa: S101  # tells the type checker
        try:
            after = await self._membership.over()
        except SignallingError:
            await self.close()
            raise
        logger.info("The rendezvous is restarting; running pictures go on.")
        self._nodes.advance()
        return Pause(random.uniform(0.0, max(after, GOAWAY_SPREAD)))  # noqa: S311  # spreads load

    def _hear(self, connection: Connection, address: ServerAddress, message: ServerMessage) -> None:
        match message:
            case Session():
                self._guests.open(message)
            case Offer() | Candidate() | End():
                self._guests.put(message)
            case Challenge(nonce=nonce):
                key, room, source = self._place.key, self._place.room, self._source()
                answer_challenge(connection, address, key, room, source, nonce=nonce)
            case Error(session=None):
                # It was about one message; if the server closes as well, that is noticed.
                logger.warning("[%s] %s", message.code, message.message)
            case _:
                # An error of one session or an absent viewer: the media path decides who lives.
                logger.debug("%s", message)

    # ── trouble ──────────────────────────────────────────────────────────────────────────────

    def _pause_after(self, error: SignallingError) -> Pause:
        # All cameras of a server are told the same number.
        asked = error.retry_after * random.uniform(1.0, 1.5)  # noqa: S311  # spreads load
        if error.code == ErrorCode.SUPERSEDED:
            return Pause(max(asked, self._pause_for_rival()))
        if error.code != self._reported:
            logger.warning("[%s] %s Trying again.", error.code, error)
        self._reported = error.code
        return Pause(asked, max(0.0, self._nodes.failed() - asked))

    def _pause_for_rival(self) -> float:
        if asyncio.get_running_loop().time() - self._claimed_at > RIVAL_CALM:
            self._rivals.reset()
            self._rival_reported = False
        if not self._rival_reported:
            self._rival_reported = True
            logger.warning(RIVAL)
        return self._rivals.next()
