"""An ICE agent that answers at once and finds more candidates later (RFC 8838)."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from aioice.candidate import Candidate
from aioice.ice import Connection, StunProtocol, TransportPolicy

from publisher.rtc.ice import candidates, hosts, names, turn
from publisher.rtc.ice.bounded import Endpoint
from publisher.rtc.ice.candidates import COMPONENT, LocalCandidate
from publisher.rtc.ice.checks import Checks
from publisher.rtc.ice.gatherer import Gatherer
from publisher.rtc.ice.hosts import Network
from publisher.rtc.ice.nomination import Route, route_of
from publisher.rtc.ice.urls import Server
from rendezvous.wire.messages import IceServer

logger = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 0.8  # of a description that must hold all candidates


class Listener(Protocol):
    """Who owns the agent."""

    def gathered(self, candidate: LocalCandidate | None, /) -> None:
        """A server has helped to find a candidate; None: there are no more."""

    def heard(self) -> None:
        """The other side has given a sign of life."""


class Agent(Checks):
    """Made by ``adopt`` of a connection that has not gathered yet."""

    hosts: list[StunProtocol]
    _gatherer: Gatherer
    _network: Network
    _listener: Listener
    _patience: float
    _names: int
    _dropped: int

    @classmethod
    def adopt(
        cls,
        stock: Connection,
        servers: Sequence[IceServer],
        network: Network,
        listener: Listener,
        *,
        trickles: bool,
    ) -> "Agent":
        """The connection as an agent; unless the peer ``trickles`` gathering takes its time."""
        stock.__class__ = cls
        assert isinstance(stock, cls)  # noqa: S101  # tells the type checker
        stock.equip(servers, network, listener, PATIENCE_SECONDS if not trickles else 0.0)
        return stock

    def equip(
        self, servers: Sequence[IceServer], network: Network, listener: Listener, patience: float
    ) -> None:
        """In the place of ``__init__``."""
        self.begin(listener.heard)
        self.hosts = []
        self._gatherer = Gatherer(self, servers)
        self._network = network
        self._listener = listener
        self._patience = patience
        self._names = 0
        self._dropped = 0

    @property
    def route(self) -> Route | None:
        """Of the nominated pair; None: there is none."""
        nominated = self._nominated.get(COMPONENT)
        return route_of(nominated) if nominated else None

    @property
    def losses(self) -> dict[str, int]:
        """What went wrong, in words, and how often."""
        return {
            "packets not taken by a relay": self._relay_dropped(),
            "ways to ICE servers failed": self._gatherer.faults.total(),
            "datagrams refused": self.unwanted,
        }

    def _relay_dropped(self) -> int:
        now = sum(turn.dropped_by(protocol.transport) for protocol in self._protocols)
        return self._dropped + now

    async def close(self) -> None:
        """Ends it; idempotent."""
        self._closing = True
        await self._gatherer.close()
        self._dropped = self._relay_dropped()  # closed protocols are forgotten
        for protocol in self._protocols:
            if protocol.local_candidate.type == "relay":
                protocol.transport.close()  # all at once: where a server is gone it takes a second
        await super().close()

    # ── gathering ────────────────────────────────────────────────────────────────────────────

    async def gather_candidates(self) -> None:
        """Binds the host's addresses, and asks the servers."""
        if self._local_candidates_start:
            return
        self._local_candidates_start = True
        if self._transport_policy is TransportPolicy.ALL:
            await self._bind_hosts()
        self._local_candidates_end = True  # connect() may begin
        if self._closing:
            return
        gathering = self._gatherer.start()
        gathering.add_done_callback(self._gathered)
        if self._patience:
            await asyncio.wait([gathering], timeout=self._patience)

    async def _bind_hosts(self) -> None:
        for rank, address in enumerate(hosts.addresses(self._network)):
            try:
                protocol = await hosts.bind(lambda: Endpoint(self), address, self._network.ports)
            except OSError as error:
                logger.info("No candidate at %s: %s.", address, error.strerror or error)
            else:
                self._add_host(protocol, rank)

    def _add_host(self, protocol: StunProtocol, rank: int) -> None:
        if self._closing:
            protocol.transport.close()
            return
        address = protocol.transport.get_extra_info("sockname")
        protocol.local_candidate = candidates.host(address[:2], rank)
        self.hosts.append(protocol)
        self._protocols.append(protocol)
        self._local_candidates.append(protocol.local_candidate)

    def _gathered(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self._closing:
            self._listener.gathered(None)

    # ── for the gatherer ─────────────────────────────────────────────────────────────────────

    def make_relay_protocol(self) -> StunProtocol:
        """See gatherer.Agent."""
        return Endpoint(self)

    def add_reflexive(self, base: StunProtocol, mapped: tuple[str, int]) -> None:
        """See gatherer.Agent; without a NAT it is no news (RFC 8445 §5.1.3)."""
        if all((known.host, known.port) != mapped for known in self._local_candidates):
            self._announce(candidates.reflexive(base.local_candidate, mapped))

    def add_relayed(self, protocol: StunProtocol, server: Server) -> None:
        """See gatherer.Agent."""
        transport = protocol.transport
        hidden = self._transport_policy is TransportPolicy.RELAY
        made = candidates.relayed(
            transport.get_extra_info("sockname"),
            None if hidden else transport.get_extra_info("related_address"),
            server.transport,
            sum(candidate.type == "relay" for candidate in self._local_candidates),
        )
        protocol.local_candidate = made
        self._protocols.append(protocol)  # also of a connection that closes: it closes these
        self._announce(made)
        self.pair_all()

    def _announce(self, candidate: LocalCandidate) -> None:
        if not self._closing:
            self._local_candidates.append(candidate)
            self._listener.gathered(candidate)

    def retire(self, protocol: StunProtocol) -> None:
        """See gatherer.Agent; what carries the media stays."""
        nominated = self._nominated.get(COMPONENT)
        if nominated and nominated.protocol is protocol:
            return
        for pair in [pair for pair in self._check_list if pair.protocol is protocol]:
            self.forget(pair)
        if protocol in self._protocols:
            self._dropped += turn.dropped_by(protocol.transport)
            self._protocols.remove(protocol)
            self._local_candidates.remove(protocol.local_candidate)
        protocol.transport.close()

    # ── hidden candidates ────────────────────────────────────────────────────────────────────

    def resolve(self, candidate: Candidate) -> None:
        """A candidate of the other side behind an mDNS name; nothing waits for its address.

        A browser's own checks usually find us sooner, but not through a firewall on this machine.
        """
        usable = candidate.component == COMPONENT and candidate.transport.lower() == "udp"
        may = self._transport_policy is TransportPolicy.ALL and self._names < names.MOST
        if usable and may:
            self._names += 1
            self.start_beside(self._resolve(candidate))

    async def _resolve(self, candidate: Candidate) -> None:
        address = await names.look_up(candidate.host, self)
        if address and not self._closing:
            self._add_remote_candidate(candidate, address)
