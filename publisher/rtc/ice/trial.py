"""Whether aioice still is what our agents are made from.

They take its connection over by private names. So before anybody connects, one is put together
without a socket, and does what an agent has to.
"""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, Final

from aioice import stun
from aioice.candidate import Candidate
from aioice.ice import CandidatePair, Connection, StunProtocol
from aioice.turn import TurnClientMixin, TurnTransport
from aiortc import RTCPeerConnection

from publisher.rtc.ice import candidates
from publisher.rtc.ice.agent import Agent
from publisher.rtc.ice.hosts import Network
from publisher.rtc.ice.nomination import is_relayed, outranks
from publisher.rtc.ice.urls import Transport

_CONNECTION: Final = (
    "_check_list", "_check_list_done", "_check_list_state", "_closing", "_early_checks",
    "_early_checks_done", "_local_candidates", "_local_candidates_end", "_local_candidates_start",
    "_nominated", "_nominating", "_protocols", "_query_consent_task", "_queue",
    "_remote_candidates",
    "_transport_policy",
)  # fmt: skip
_METHODS: Final = (
    "_add_remote_candidate", "_pair_remote_candidate", "_unfreeze_initial", "build_request",
    "check_incoming", "check_start_task", "check_state", "connect", "data_received",
    "gather_candidates", "query_consent", "sort_check_list",
)  # fmt: skip
_CLIENT: Final = (
    "channel_refresh_at", "channel_refresh_time", "peer_to_channel", "peer_to_failed_channel",
    "mapped_address",
)  # fmt: skip
_REMOTE: Final = ("192.0.2.1", 1024)


class TrialError(Exception):
    """Agents cannot be had; says why."""


class _Listener:
    def gathered(self, _: object) -> None:
        """See agent.Listener."""

    def heard(self) -> None:
        """See agent.Listener."""


def check() -> None:
    """Raises TrialError, or whatever aioice raises where it is no longer as known."""
    if missing := list(_missing()):
        raise TrialError(f"without {', '.join(missing)}")
    agent = Agent.adopt(Connection(False), (), Network(), _Listener(), trickles=True)
    agent.remote_username, agent.remote_password = "remote", "password"
    _check_pairs(agent)
    _check_requests(agent)


def _missing() -> Iterable[str]:
    for owner, wanted in (
        (Connection.__init__, _CONNECTION),
        (TurnClientMixin.__init__, _CLIENT),
        (TurnTransport.__init__, ("_TurnTransport__inner_protocol",)),
    ):
        known: Any = owner
        yield from set(wanted) - set(known.__code__.co_names)
    yield from (name for name in _METHODS if not callable(getattr(Connection, name, None)))
    if not callable(getattr(StunProtocol, "datagram_received", None)):
        yield "datagram_received"
    if not hasattr(RTCPeerConnection, "_RTCPeerConnection__connect"):
        yield "connecting"


def _check_pairs(agent: Any) -> None:
    """A local candidate that comes late is paired, and direct pairs are tried before relayed."""
    agent._add_remote_candidate(_remote(), _REMOTE[0])  # noqa: SLF001
    relay = candidates.relayed(("192.0.2.9", 9000), None, Transport.UDP)
    for local in (relay, candidates.host(("192.0.2.2", 2000), 0)):
        agent._protocols.append(SimpleNamespace(local_candidate=local))  # noqa: SLF001
        agent.pair_all()
    direct, relayed = agent._check_list  # noqa: SLF001
    if not is_relayed(relayed) or not outranks(direct, relayed):
        raise TrialError("candidates that come late are not paired")


def _check_requests(agent: Any) -> None:
    """A check that is under way is known, and known no more when it has ended."""
    pair = agent._check_list[0]  # noqa: SLF001
    agent.check_state(pair, CandidatePair.State.IN_PROGRESS)
    request = agent.build_request(pair, nominate=False)
    if not isinstance(request, stun.Message) or agent.under_way(pair) is not request:
        raise TrialError("checks are not made as they were")
    agent.check_state(pair, CandidatePair.State.SUCCEEDED)
    if agent.under_way(pair):
        raise TrialError("checks do not end as they did")


def _remote() -> Candidate:
    return Candidate("1", candidates.COMPONENT, "udp", 1, *_REMOTE, "host")
