"""A connection whose lists have an end, whatever the other side, or a stranger, sends."""

import asyncio
import logging
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from aioice import stun
from aioice.candidate import Candidate
from aioice.ice import CandidatePair, Connection, StunProtocol

from publisher.rtc.ice import remotes
from publisher.rtc.ice.candidates import COMPONENT

logger = logging.getLogger(__name__)

MOST_PAIRS: Final = 100  # RFC 8445 §6.1.2.5
MOST_WAITING: Final = 64  # datagrams that DTLS has not taken; it begins with a few
NEW_AT_ONCE: Final = 32  # addresses that nobody has told us of, and that checks come from
_NEW_PER_SECOND: Final = 1.0
_LARGEST_STUN: Final = 3  # as a first byte (RFC 7983 §7)
_State = CandidatePair.State


class Bounded(Connection):
    """In aioice each address that a check comes from is kept for good, and each datagram waits."""

    _on_heard: Callable[[], None]
    _new: float
    _new_at: float
    trusted: bool
    """Whether the other side is one that the camera's owner has named."""
    unwanted: int
    """Datagrams of strangers, malformed ones, and those that there was no room for."""

    def begin(self, on_heard: Callable[[], None]) -> None:
        """In the place of ``__init__``; ``on_heard`` is called at every sign of life."""
        self._on_heard = on_heard
        self._new, self._new_at = float(NEW_AT_ONCE), 0.0
        self.trusted = False
        self.unwanted = 0

    # ── candidates and pairs ─────────────────────────────────────────────────────────────────

    def _add_remote_candidate(self, remote_candidate: Candidate, network_host: str) -> None:
        known = sum(candidate.type != "prflx" for candidate in self._remote_candidates)
        if known < remotes.MOST and self._is_usable(remote_candidate, network_host):
            super()._add_remote_candidate(remote_candidate, network_host)
            self.trim()
        else:
            logger.debug("candidate left out: %r", remote_candidate)

    def revise(self) -> None:
        """Once our own candidates are known: those of an offer came before anybody counted."""
        told, self._remote_candidates = self._remote_candidates, []
        for candidate in told[: remotes.MOST]:
            if self._is_usable(candidate, candidate._network_host):  # noqa: SLF001
                self._remote_candidates.append(candidate)
        for pair in list(self._check_list):
            if pair.remote_candidate not in self._remote_candidates:
                self.forget(pair)

    def _is_usable(self, candidate: Candidate, address: str) -> bool:
        return remotes.is_usable(
            candidate, address, trusted=self.trusted, on_loopback=self._is_on_loopback()
        )

    def _is_on_loopback(self) -> bool:
        """Or nowhere yet: what a relay may reach, when there is one, is its server's affair."""
        own = [protocol.local_candidate.host for protocol in self._protocols]
        return not own or any(ip_address(host).is_loopback for host in own)

    def check_incoming(
        self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol
    ) -> None:
        """An authenticated check of the other side."""
        self._on_heard()
        if self.knows(addr) or self._may_learn():
            super().check_incoming(message, addr, protocol)
            self.trim()
        else:
            self.unwanted += 1

    def _may_learn(self) -> bool:
        """Whether one more address may be looked at now: each costs checks of ours."""
        now = asyncio.get_running_loop().time()
        self._new = min(NEW_AT_ONCE, self._new + (now - self._new_at) * _NEW_PER_SECOND)
        self._new_at = now
        if self._new < 1:
            return False
        self._new -= 1
        return True

    def trim(self) -> None:
        """Lets go of pairs that there is no room for: of what has failed, then of the last."""
        while len(self._check_list) > MOST_PAIRS:
            self.forget(max(enumerate(self._check_list), key=self._uselessness)[1])
        if len(self._remote_candidates) > remotes.MOST:
            paired = {id(pair.remote_candidate) for pair in self._check_list}
            self._remote_candidates = [
                candidate
                for candidate in self._remote_candidates
                if candidate.type != "prflx" or id(candidate) in paired
            ]

    def _uselessness(self, item: tuple[int, CandidatePair]) -> tuple[bool, bool, bool, int]:
        rank, pair = item
        is_nominated = pair is self._nominated.get(COMPONENT)
        has_failed, works = pair.state is _State.FAILED, pair.state is _State.SUCCEEDED
        return not is_nominated, has_failed, not works, rank

    def forget(self, pair: CandidatePair) -> None:
        """Takes the pair off the list."""
        self.give_up(pair)
        self._check_list.remove(pair)

    def give_up(self, pair: CandidatePair) -> None:
        """Ends the check of a pair so that one from the other side begins it anew."""
        if pair.task:
            pair.task.cancel()
            pair.task = None
            self.check_state(pair, _State.FAILED)

    # ── datagrams ────────────────────────────────────────────────────────────────────────────

    def knows(self, address: tuple[str, int]) -> bool:
        """Whether it is one of the other side's."""
        return any((c._network_host, c.port) == address for c in self._remote_candidates)  # noqa: SLF001

    def data_received(self, data: bytes, component: int) -> None:
        """From an address of the other side; STUN is what comes here only when it is malformed."""
        if data[0] <= _LARGEST_STUN or self._queue.qsize() >= MOST_WAITING:
            self.unwanted += 1
            return
        self._on_heard()
        super().data_received(data, component)


class Endpoint(StunProtocol):
    """A socket, or an allocation, of a bounded connection."""

    receiver: Bounded

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """As stock, unless a stranger sends something else than a check.

        aiortc's DTLS ends with an empty datagram, and aioice's parser fails in many ways: both
        must not be anybody's to use who finds the port.
        """
        raw = data if isinstance(data, bytes) else b""
        if not raw or (raw[0] > _LARGEST_STUN and not self.receiver.knows(addr[:2])):
            self.receiver.unwanted += 1
            return
        try:
            super().datagram_received(raw, addr)
        except Exception as error:  # noqa: BLE001
            self.receiver.unwanted += 1
            logger.debug("datagram left out: %r", error)
