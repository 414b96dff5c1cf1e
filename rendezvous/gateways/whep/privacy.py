"""A player's addresses, kept from the camera of a relay-only room.

Players of others cannot be told the room's policy, so they gather as they like. What they say of
themselves loses every address but those of TURN servers, as if they had been told (RFC 8829
§4.1.18); the rest of the path is their own affair.
"""

import re
from collections.abc import Iterable, Iterator

from rendezvous.wire.messages import IceCandidate

_CANDIDATE = re.compile(r"^a=(candidate:.*?)(\r?\n|\Z)", re.MULTILINE)
# Of c=, o= and a=rtcp (RFC 3605): each ends with "IN IP4 address" or "IN IP6 address".
_ADDRESS = re.compile(r"^((?:c=|o=|a=rtcp:).*?)IN IP[46] \S+", re.MULTILINE)
_PORT = re.compile(r"^(m=\w+) [1-9]\d*", re.MULTILINE)
_RTCP_PORT = re.compile(r"^(a=rtcp:)\d+", re.MULTILINE)
_RELATED = re.compile(r" raddr \S+ rport \d+")
_TYPE = 7  # foundation component transport priority address port "typ" type (RFC 8839 §5.1)
_HIDDEN = " raddr 0.0.0.0 rport 9"  # RFC 8839 §5.1


def hide(offer: str) -> str:
    """The offer with relayed addresses alone."""
    offer = _CANDIDATE.sub(lambda found: _line(found[1], found[2]), offer)
    offer = _ADDRESS.sub(r"\1IN IP4 0.0.0.0", offer)
    return _RTCP_PORT.sub(r"\g<1>9", _PORT.sub(r"\1 9", offer))


def relayed(candidates: Iterable[IceCandidate | None]) -> tuple[IceCandidate | None, ...]:
    """Those that are relayed, and None where it was."""
    return tuple(_kept(candidates))


def _kept(candidates: Iterable[IceCandidate | None]) -> Iterator[IceCandidate | None]:
    for candidate in candidates:
        if candidate is None:
            yield None
        elif text := _relayed(candidate.candidate):
            yield IceCandidate(candidate=text, sdp_mid=candidate.sdp_mid)


def _line(candidate: str, end: str) -> str:
    kept = _relayed(candidate)
    return f"a={kept}{end}" if kept else ""


def _relayed(candidate: str) -> str | None:
    """The candidate without what it is related to; None if it is not relayed."""
    is_relayed = candidate.split()[_TYPE : _TYPE + 1] == ["relay"]
    return _RELATED.sub(_HIDDEN, candidate) if is_relayed else None
