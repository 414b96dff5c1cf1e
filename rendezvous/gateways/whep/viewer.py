"""A WHEP session's viewer: to the hub a connection like any other, without a socket of its own.

It says what every viewer says, and answers pings by itself: whether the player is alive shows on
the media path, where the camera watches it, and nowhere else.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from rendezvous.gateways.whep import problems
from rendezvous.relay.hub import Hub
from rendezvous.wire import codec, identity
from rendezvous.wire.identity import ConnectionId
from rendezvous.wire.messages import (
    VERSION,
    Answer,
    Candidate,
    ClientMessage,
    End,
    EndReason,
    Error,
    Hello,
    IceCandidate,
    Join,
    Joined,
    Offer,
    Ping,
    Pong,
    ServerMessage,
    SourceState,
    Waiting,
    Welcome,
)

_UNHEARD = 64  # messages; a camera that says more of them to a player is let go
_PATIENCE = 20.0  # seconds; the core gives a camera less

_Heard: TypeAlias = Welcome | Joined | Waiting | Answer | Error | End
_M = TypeVar("_M", Welcome, Joined, Answer)


class Viewer:
    """``join``, ``offer``, then ``trickle`` as needed, and ``end`` or ``leave``.

    Calls raise ProblemError and must not overlap.
    """

    def __init__(self, hub: Hub, room: str, connection: ConnectionId) -> None:
        self.id = connection
        self.stranger_since = asyncio.get_running_loop().time()
        self.origins: frozenset[str] = frozenset()
        self.on_gone: Callable[[], object] = lambda: None
        self._hub = hub
        self._room = room
        self._session = ""
        self._heard: asyncio.Queue[_Heard | None] = asyncio.Queue()  # bounded in send
        self._pongs: set[asyncio.Task[None]] = set()
        self._gone = False

    # ── for the hub ──────────────────────────────────────────────────────────────────────────

    def send(self, data: bytes) -> bool:
        """See relay.sockets.Connection."""
        message: ServerMessage = codec.decode_server(data)
        if isinstance(message, Ping):
            self._answer_ping()
        elif isinstance(message, _Heard):
            if self._heard.qsize() >= _UNHEARD:
                return False
            self._heard.put_nowait(message)
            if isinstance(message, End):
                # Not here: the hub is in the middle of something.
                asyncio.get_running_loop().call_soon(self.leave)
        return True

    def admitted(self) -> None:
        """See relay.sockets.Connection."""

    def unseated(self) -> None:
        """See relay.sockets.Connection; its session's end is on its way, and it leaves then."""

    def close(self) -> None:
        """See relay.sockets.Connection."""
        if not self._gone:
            self._gone = True
            self._heard.put_nowait(None)
            self.on_gone()

    def _answer_ping(self) -> None:
        task = asyncio.create_task(self._say(Pong()))
        self._pongs.add(task)
        task.add_done_callback(self._pongs.discard)

    # ── for HTTP ─────────────────────────────────────────────────────────────────────────────

    async def join(self, secret: str | None) -> Joined:
        """Enters the room, whose camera must have a picture to show."""
        self._hub.opened(self)
        await self._say(Hello(version=VERSION, agent="whep"))
        welcome = await self._expect(Welcome)
        await self._say(Join(room=self._room, proof=self._proof(secret, welcome)))
        joined = await self._expect(Joined)
        self._session = joined.session
        if joined.source.state is not SourceState.LIVE:
            raise problems.not_live(joined.source)
        return joined

    def _proof(self, secret: str | None, welcome: Welcome) -> str | None:
        if secret is None:
            return None
        verifier = identity.viewer_verifier(self._room, secret)
        return identity.join_proof(
            verifier, nonce=welcome.nonce, connection=welcome.connection, room=self._room
        )

    async def offer(self, sdp: str) -> str:
        """The camera's answer, with all its candidates: a player cannot be told of others."""
        await self._say(Offer(session=self._session, sdp=sdp, trickle=False))
        answer = await self._expect(Answer)
        self._check()  # the camera may have answered and gone at once
        return answer.sdp

    async def trickle(self, candidates: Sequence[IceCandidate | None]) -> None:
        """The player has more candidates."""
        for candidate in candidates:
            await self._say(Candidate(session=self._session, candidate=candidate))
        self._check()

    async def end(self) -> None:
        """The player is done; the camera is told."""
        await self._say(End(session=self._session, reason=EndReason.LEFT))
        self.leave()

    def leave(self) -> None:
        """Hangs up. Idempotent."""
        self._hub.lost(self)
        self.close()

    # ── the conversation ─────────────────────────────────────────────────────────────────────

    async def _say(self, message: ClientMessage) -> None:
        await self._hub.received(self, codec.encode(message))

    async def _expect(self, kind: type[_M]) -> _M:
        end = EndReason.ANSWER_TIMEOUT
        try:
            async with asyncio.timeout(_PATIENCE):
                while not isinstance(message := await self._heard.get(), kind):
                    self._refuse(message)
        except TimeoutError:
            raise problems.of_end(End(session=self._session, reason=end)) from None
        return message

    def _check(self) -> None:
        while not self._heard.empty():
            self._refuse(self._heard.get_nowait())

    def _refuse(self, message: _Heard | None) -> None:
        match message:
            case Error():
                raise problems.of_error(message)
            case End():
                raise problems.of_end(message)
            case Waiting():
                raise problems.camera_away()
            case None:
                raise problems.shutting_down()
            case _:  # an answer to nothing that was asked
                pass
