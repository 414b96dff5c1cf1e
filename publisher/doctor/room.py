"""The room: is it ours, and which STUN and TURN servers do its sessions get?

A viewer is let in first: it is admitted where the camera is live, and waits where it is away. Only
a room without a live camera is claimed, for an instant, so that no camera loses its place. Viewers
who wait there meanwhile are joined and sent back to waiting.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from publisher.doctor.keys import Claimant
from publisher.errors import SignallingError
from publisher.signalling.claiming import ANSWER_SECONDS, Room, claim
from publisher.signalling.connection import Connection, ServerAddress, connect
from rendezvous.probes.dialling import NOBODY
from rendezvous.probes.findings import Finding, Report, fault, note, well
from rendezvous.wire import identity
from rendezvous.wire.messages import (
    VERSION,
    Error,
    Hello,
    Join,
    Joined,
    ServerMessage,
    Source,
    SourceState,
    Waiting,
    Welcome,
)

_AGENT: Final = "porthole-doctor/0.1"
_LOOKING: Final = Source(state=SourceState.STARTING)
_MEANINGS: Final = {
    "room_unavailable": "Who opens the link sees another camera, or none.",
    "origin_unknown": "The camera cannot come online under this address.",
    "store_unavailable": "Nobody can join until it is back; running pictures go on.",
    "room_full": "No more viewers get in.",
}
_CURES: Final = {
    "room_unavailable": "Without --room the ID is made from the key, and nobody can take it.",
    "store_unavailable": "Run rendezvous doctor at the server: its store does not answer.",
    "tls_required": "Say --tls (ersOverSsl=1).",
}


M = TypeVar("M", Joined, Welcome)


@dataclass(frozen=True, slots=True)
class Server:
    """A rendezvous that can be spoken to."""

    address: ServerAddress
    tls: ssl.SSLContext | None


async def greet(server: Server, report: Report) -> bool:
    """Whether it is a rendezvous that talks with us."""
    try:
        async with _viewer(server) as viewer:
            report.add(_greeting(viewer))
    except SignallingError as error:
        report.add(_refused(error.code, error.sentence, error.cure))
        return False
    return True


async def examine(server: Server, claimant: Claimant, report: Report) -> Joined | None:
    """What a viewer of this room is given; None when none gets in."""
    try:
        async with _viewer(server) as viewer:
            return await _enter(server, claimant, viewer, report)
    except SignallingError as error:
        report.add(_refused(error.code, error.sentence, error.cure))
        return None


async def _enter(
    server: Server, claimant: Claimant, viewer: Connection, report: Report
) -> Joined | None:
    answer = None if claimant.stand_in else await _join(viewer, claimant.room)
    if isinstance(answer, Joined):
        report.add(_live(claimant))
        return answer
    if isinstance(answer, Error):
        if answer.code != "room_unknown":
            raise SignallingError(answer.code, answer.message)
        if earlier := await _live_as_before(server, claimant, report):
            return earlier
    async with _camera(server, claimant) as refusal:
        if refusal is not None:
            report.add(_not_ours(claimant, refusal))
            return None
        report.add(_ours(claimant))
        waited = isinstance(answer, Waiting)
        let_in = await _next(viewer) if waited else await _join(viewer, claimant.room)
    return _expect(Joined, let_in)


async def _live_as_before(server: Server, claimant: Claimant, report: Report) -> Joined | None:
    """Whether a camera runs there that was started public, or with a secret, and is not now."""
    if claimant.before is None:
        return None
    async with _viewer(server) as viewer:
        answer = await _join(viewer, claimant.before)
    if not isinstance(answer, Joined):
        return None
    report.add(_LIVE_AS_BEFORE)
    return answer


def _expect(kind: type[M], answer: ServerMessage) -> M:
    if isinstance(answer, kind):
        return answer
    if isinstance(answer, Error):
        raise SignallingError(answer.code, answer.message)
    raise SignallingError("server_foreign", "What answers there is not a rendezvous.")


# ── the two connections ──────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def _viewer(server: Server) -> AsyncIterator[Connection]:
    """Greeted; raises SignallingError."""
    connection = await connect(server.address, server.tls)
    try:
        connection.send(Hello(version=VERSION, agent=_AGENT))
        welcome = await _next(connection)
        connection.welcome = _expect(Welcome, welcome)
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _camera(server: Server, claimant: Claimant) -> AsyncIterator[SignallingError | None]:
    """Holds the room; or gives why it could not be had."""
    connection = await connect(server.address, server.tls)
    refusal = None
    try:
        try:
            await claim(connection, server.address, claimant.key, claimant.room, _LOOKING)
        except SignallingError as error:
            refusal = error
        yield refusal
    finally:
        await connection.close()


async def _join(viewer: Connection, room: Room) -> ServerMessage:
    assert viewer.welcome  # noqa: S101  # tells the type checker
    nonce, connection = viewer.welcome.nonce, viewer.welcome.connection
    proof = None
    if (verifier := room.verifier) is not None:
        proof = identity.join_proof(verifier, nonce=nonce, connection=connection, room=room.room)
    viewer.send(Join(room=room.room, proof=proof))
    return await _next(viewer)


async def _next(connection: Connection) -> ServerMessage:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await connection.receive()
    except TimeoutError:
        sentence = "The rendezvous does not answer."
        raise SignallingError("server_silent", sentence) from None


# ── words ────────────────────────────────────────────────────────────────────────────────────


_LIVE_AS_BEFORE: Final = note(
    "room_live",
    "A camera is live in the room, public where it shall have a secret or the other way round. It "
    "was left alone.",
    "The link is not the one that these settings make.",
    "Restart the publisher for the new settings to hold.",
)


def _greeting(viewer: Connection) -> Finding:
    server = viewer.welcome.server if viewer.welcome else ""
    return well("welcome", f"It is a rendezvous: {server}.")


def _live(claimant: Claimant) -> Finding:
    if claimant.room.secret is None:
        return note(
            "room_live",
            "A camera is live in this public room; it was left alone, so whether it is this one "
            "was not tested.",
        )
    return well("room_live", "The camera is live in its room, and was left alone.")


def _ours(claimant: Claimant) -> Finding:
    if claimant.stand_in:
        sentence = "Rooms can be claimed here; tested with a passing key, for the room's own key "
        return note("room_untested", f"{sentence}or viewer secret was not made yet.")
    return well("room_ours", "The room is ours: it could be claimed, and was given back.")


def _not_ours(claimant: Claimant, error: SignallingError) -> Finding:
    if claimant.stand_in and error.code == "room_unavailable":
        sentence = "The server lets only listed cameras claim; tested with a passing key."
        return note("room_untested", sentence, "", "Start the camera once, then ask again.")
    return _refused(error.code, error.sentence, error.cure)


def _refused(code: str, sentence: str, cure: str) -> Finding:
    return fault(code, sentence, _MEANINGS.get(code, NOBODY), cure or _CURES.get(code, ""))
