"""Asks the STUN and TURN servers of a session, all beside each other, and hands on what they find.

Nothing waits for it. Each question is bounded in time, all are bounded in number, and one that
fails concerns no other.
"""

import asyncio
import errno
import logging
import ssl
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from aioice import stun
from aioice.ice import StunProtocol

from publisher.rtc.ice import turn
from publisher.rtc.ice.resolver import resolve
from publisher.rtc.ice.urls import Server, Transport, parse
from publisher.rtc.ice.ways import Way, Ways
from rendezvous.wire.messages import IceServer

logger = logging.getLogger(__name__)

SECONDS: Final = 8.0  # for all; a server that has not answered then is of no use
STUN_STAGGER_SECONDS: Final = 0.2
MOST_STUN: Final = 4  # servers, for each of our addresses
MOST_TURN: Final = 4  # servers; each may hold an allocation for the session
_SAID_SECONDS: Final = 60.0  # before the same is said of the same server again
_MOST_SAID: Final = 256
_Credentials = tuple[str | None, str | None]
_Group = tuple[list[Server], _Credentials]
# Errors that somebody has made, and that time does not mend (RFC 8656 §19).
_REFUSALS: Final = {
    401: "refuses the credentials (401)",
    403: "forbids it (403)",
    441: "refuses the credentials (441)",
    486: "has no more allocations for this user (486)",
}
_said: dict[str, float] = {}


class Agent(Protocol):
    """Whom the candidates are for."""

    @property
    def hosts(self) -> Sequence[StunProtocol]:
        """Those of the machine's own addresses."""

    def make_relay_protocol(self) -> StunProtocol:
        """For packets of an allocation."""

    def add_reflexive(self, base: StunProtocol, mapped: tuple[str, int]) -> None:
        """A STUN server saw the base as this."""

    def add_relayed(self, protocol: StunProtocol, server: Server) -> None:
        """An allocation works."""

    def retire(self, protocol: StunProtocol) -> None:
        """A better one has taken its place."""


class Gatherer:
    """One session's questions; ``start`` once the hosts are bound, ``close`` in the end."""

    def __init__(self, agent: Agent, servers: Sequence[IceServer]) -> None:
        self._agent = agent
        self.faults: Counter[str] = Counter()
        reflecting, self._groups = _sorted(servers)
        # A TURN server answers Binding requests as well (RFC 8656 §5), as browsers know.
        plain = (group[0] for group, _ in self._groups if group[0].transport is Transport.UDP)
        self._stun = (reflecting or list(plain))[:MOST_STUN]
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Begins; the task ends when there is nothing more to come."""
        self._task = asyncio.create_task(self._run())
        return self._task

    async def close(self) -> None:
        """Stops asking; idempotent."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        questions: list[Coroutine[Any, Any, None]] = [
            self._reflect(base) for base in self._agent.hosts if self._stun
        ]
        questions += [self._relay(*group) for group in self._groups[:MOST_TURN]]
        # Not the first exception ends it: none concerns the others, and all must have ended.
        for outcome in await asyncio.gather(*questions, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.error("An ICE server could not be asked.", exc_info=outcome)

    # ── STUN ─────────────────────────────────────────────────────────────────────────────────

    async def _reflect(self, base: StunProtocol) -> None:
        """What the servers see of one of our addresses; the first answer is as good as any."""
        tasks = [
            asyncio.create_task(self._ask(base, server, number * STUN_STAGGER_SECONDS))
            for number, server in enumerate(self._stun)
        ]
        try:
            for answer in asyncio.as_completed(tasks, timeout=SECONDS):
                if mapped := await answer:
                    self._agent.add_reflexive(base, mapped)
                    return
        except TimeoutError as error:
            for server in self._stun:
                self._note(server, error)
        finally:
            for task in tasks:
                task.cancel()

    async def _ask(
        self, base: StunProtocol, server: Server, pause: float
    ) -> tuple[str, int] | None:
        await asyncio.sleep(pause)
        try:
            for address in await resolve(server.host):
                if (":" in address) == (":" in base.local_candidate.host):
                    return await _binding(base, (address, server.port))
        except (OSError, stun.TransactionError) as error:
            self._note(server, error)
        return None

    # ── TURN ─────────────────────────────────────────────────────────────────────────────────

    async def _relay(self, group: Sequence[Server], credentials: _Credentials) -> None:
        async def attempt(way: Way) -> tuple[StunProtocol, Server]:
            protocol = self._agent.make_relay_protocol()
            await turn.allocate(way.server, way.address, credentials, protocol)
            return protocol, way.server

        ways = Ways(
            await self._ways(group),
            attempt,
            take=lambda found: self._agent.add_relayed(*found),
            drop=lambda found: self._agent.retire(found[0]),
            failed=lambda way, error: self._note(way.server, error),
        )
        await ways.run(SECONDS)

    async def _ways(self, group: Sequence[Server]) -> list[Way]:
        found = await asyncio.gather(*(self._addresses(server) for server in group))
        return [Way(server, a) for server, known in zip(group, found, strict=True) for a in known]

    async def _addresses(self, server: Server) -> Sequence[str]:
        try:
            async with asyncio.timeout(SECONDS):
                return await resolve(server.host)
        except OSError as error:  # TimeoutError is one
            self._note(server, error)
            return ()

    # ── what went wrong ──────────────────────────────────────────────────────────────────────

    def _note(self, server: Server, error: Exception) -> None:
        reason, level = _reason(error)
        if level > logging.DEBUG:
            self.faults[reason] += 1
        _say(level, f"ICE server {server} {reason}.")


def _say(level: int, sentence: str) -> None:
    """Once a minute at the most: every viewer meets the same servers."""
    now = time.monotonic()
    if now - _said.get(sentence, -_SAID_SECONDS) < _SAID_SECONDS:
        return
    if len(_said) >= _MOST_SAID:
        _said.clear()
    _said[sentence] = now
    logger.log(level, "%s", sentence)


async def _binding(base: StunProtocol, at: tuple[str, int]) -> tuple[str, int] | None:
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    response, _ = await base.request(request, at)
    mapped: tuple[str, int] | None = response.attributes.get("XOR-MAPPED-ADDRESS")
    return mapped


def _sorted(servers: Iterable[IceServer]) -> tuple[list[Server], list[_Group]]:
    """The STUN servers; and the ways to each TURN server, the best transport first.

    The URLs of one entry lead to one server. Some providers give each URL an entry of its own.
    """
    reflecting: dict[Server, None] = {}
    relaying: dict[tuple[str, _Credentials], list[Server]] = {}
    for entry in servers:
        usable = list(_usable(entry.urls))
        reflecting |= dict.fromkeys(server for server in usable if not server.relays)
        if relays := [server for server in usable if server.relays]:
            key = (relays[0].host, (entry.username, entry.credential))
            relaying.setdefault(key, []).extend(relays)
    groups = [(sorted(group, key=lambda s: s.transport), key[1]) for key, group in relaying.items()]
    return list(reflecting), groups


def _usable(urls: Iterable[str]) -> Iterator[Server]:
    for url in urls:
        try:
            yield parse(url)
        except ValueError as error:
            # Who puts a password into the URL, where none belongs, must not find it in a log.
            _say(logging.WARNING, f"ICE server left out: {url.rpartition('@')[2]!r} is {error}.")


def _reason(error: Exception) -> tuple[str, int]:
    """What happened, in words, and how grave that is: only some is somebody's mistake."""
    match error:
        case stun.TransactionFailed():
            code = error.response.error_code or 0
            level = logging.WARNING if code in _REFUSALS else logging.INFO
            return _REFUSALS.get(code, f"refuses with {code}"), level
        case ssl.SSLError():
            return f"fails in TLS ({error.reason})", logging.WARNING
        case TimeoutError() | stun.TransactionTimeout():
            return "is silent", logging.INFO
        case OSError(errno=errno.ENETUNREACH):
            return "is in no network of ours", logging.DEBUG  # IPv6 here, or IPv4 there
        case _:
            words = getattr(error, "strerror", None) or "no connection"
            return f"cannot be reached ({words})", logging.INFO
