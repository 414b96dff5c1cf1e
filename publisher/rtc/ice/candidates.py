"""Local candidates (RFC 8445 §5.1), each with a priority that no other of its kind has."""

from typing import Final

from aioice.candidate import Candidate, candidate_foundation, candidate_priority

from publisher.rtc.ice.urls import Transport
from rendezvous.wire.messages import IceCandidate

COMPONENT: Final = 1  # RTP, and all else with it (RFC 5761)
_MOST_PREFERRED: Final = 65535
_PEER_REFLEXIVE: Final = 110  # RFC 8445 §5.1.2.2
_RANKS: Final = 256
_DISCARD: Final = 9  # a port for what is not told (RFC 8839 §5.1)


class LocalCandidate(Candidate):
    """A candidate of ours; ``relay`` tells how its TURN server is reached."""

    relay: Transport | None = None


def host(address: tuple[str, int], rank: int) -> LocalCandidate:
    """An address of this machine; lower ranks are preferred."""
    return _candidate("host", address, address[0], rank)


def reflexive(base: Candidate, mapped: tuple[str, int]) -> LocalCandidate:
    """What a STUN server saw of the base."""
    rank = _MOST_PREFERRED - (base.priority >> 8 & 0xFFFF)
    made = _candidate("srflx", mapped, base.host, rank)
    made.related_address, made.related_port = base.host, base.port
    return made


def relayed(
    relay: tuple[str, int], mapped: tuple[str, int] | None, transport: Transport, rank: int = 0
) -> LocalCandidate:
    """An address at a TURN server. ``mapped``: what it saw of us; None hides that.

    Servers that answered sooner have a lower rank.
    """
    made = _candidate(
        "relay", relay, f"{relay[0]}|{transport.name}", transport * _RANKS + rank % _RANKS
    )
    nowhere = "::" if ":" in relay[0] else "0.0.0.0"  # noqa: S104  # nothing is bound
    made.related_address, made.related_port = mapped or (nowhere, _DISCARD)
    made.relay = transport
    return made


def as_peer_reflexive(candidate: Candidate) -> int:
    """The priority of what the other side may learn of a candidate by its checks (§7.1.1)."""
    return _PEER_REFLEXIVE << 24 | candidate.priority & 0xFFFFFF


def _candidate(kind: str, address: tuple[str, int], base: str, rank: int) -> LocalCandidate:
    return LocalCandidate(
        foundation=candidate_foundation(kind, "udp", base),
        component=COMPONENT,
        transport="udp",
        priority=candidate_priority(COMPONENT, kind, _MOST_PREFERRED - rank),
        host=address[0],
        port=address[1],
        type=kind,
    )


def to_wire(candidate: Candidate, mid: str, ufrag: str) -> IceCandidate:
    """The candidate as it is trickled: in a bundle all belong to its first section (RFC 8838)."""
    return IceCandidate(
        candidate=f"candidate:{candidate.to_sdp()}",
        sdp_mid=mid,
        sdp_m_line_index=0,
        username_fragment=ufrag,
    )
