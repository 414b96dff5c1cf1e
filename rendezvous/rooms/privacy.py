"""What a member of a relay-only session says of itself, without its addresses.

Members that know the policy gather relayed candidates only. Players of others (WHEP) cannot be
told, and an implementation may be careless: so what either says is passed on as if it had obeyed
(RFC 8829 §4.1.18), whatever it has gathered. Without the addresses there is no way but the relays:
these let in only whom their own client has named.
"""

import re

import msgspec

from rendezvous.wire.messages import (
    CANDIDATE_BYTES,
    SDP_BYTES,
    Answer,
    Candidate,
    End,
    IceCandidate,
    Offer,
)

_CANDIDATE = re.compile(r"^a=(candidate:.*?)(\r?\n|\Z)", re.MULTILINE)
# Of c=, o= and a=rtcp (RFC 3605): each ends with "IN IP4 address" or "IN IP6 address".
_ADDRESS = re.compile(r"^((?:c=|o=|a=rtcp:).*?)IN IP[46] \S+", re.MULTILINE)
_PORT = re.compile(r"^(m=\w+) [1-9]\d*", re.MULTILINE)
_RTCP_PORT = re.compile(r"^(a=rtcp:)\d+", re.MULTILINE)
_RELATED = re.compile(r" (raddr|rport) \S+", re.IGNORECASE)
# The addresses that a controlling side has chosen, its peer's among them (RFC 8839 §5.2).
_CHOSEN = re.compile(r"^a=remote-candidates:.*?(\r?\n|\Z)", re.MULTILINE)
_TYPE = 7  # foundation component transport priority address port "typ" type (RFC 8839 §5.1)
_HIDDEN = {"raddr": " raddr 0.0.0.0", "rport": " rport 9"}  # RFC 8839 §5.1


def hidden(said: Offer | Answer | Candidate | End) -> Offer | Answer | Candidate | End | None:
    """The same with relayed addresses alone; None if there is nothing to pass on."""
    match said:
        case Offer() | Answer():
            text = hide(said.sdp)
            # What no honest peer writes could have grown beyond what a peer may be told.
            return msgspec.structs.replace(said, sdp=text) if len(text) <= SDP_BYTES else None
        case Candidate(candidate=IceCandidate() as own) if own.candidate:
            text = relayed(own.candidate) or ""
            own = msgspec.structs.replace(own, candidate=text)
            fits = 0 < len(text) <= CANDIDATE_BYTES
            return msgspec.structs.replace(said, candidate=own) if fits else None
        case _:  # an end, of the session or of candidates
            return said


def hide(sdp: str) -> str:
    """The description with relayed addresses alone."""
    sdp = _CANDIDATE.sub(lambda found: _line(found[1], found[2]), _CHOSEN.sub("", sdp))
    sdp = _ADDRESS.sub(r"\1IN IP4 0.0.0.0", sdp)
    return _RTCP_PORT.sub(r"\g<1>9", _PORT.sub(r"\1 9", sdp))


def _line(candidate: str, end: str) -> str:
    kept = relayed(candidate)
    return f"a={kept}{end}" if kept else ""


def relayed(candidate: str) -> str | None:
    """The candidate without what it is related to; None if it is not relayed."""
    is_relayed = candidate.split()[_TYPE : _TYPE + 1] == ["relay"]
    return _RELATED.sub(lambda found: _HIDDEN[found[1].lower()], candidate) if is_relayed else None
