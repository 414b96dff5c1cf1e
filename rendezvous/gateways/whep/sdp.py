"""What the gateway reads of an offer (RFC 8866), and trickled fragments of one (RFC 8840).

It reads as little as it must: the camera is who understands session descriptions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rendezvous.wire.messages import CANDIDATE_BYTES, CANDIDATES_PER_SESSION, IceCandidate

_LINE = re.compile(r"[a-z]=[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*")
_RECEIVES = frozenset(("recvonly", "sendrecv"))
_DIRECTIONS = _RECEIVES | {"sendonly", "inactive"}
_ACTPASS = re.compile(r"^a=setup:actpass(?=\r?$)", re.MULTILINE)
_UDP_FIELDS = 8  # foundation component transport priority address port "typ" type (RFC 8839 §5.1)


class SdpError(Exception):
    """The text is not what it should be; the sentence is for its sender."""


class DirectionError(SdpError):
    """The offer is well-formed and asks for nothing that a camera could send."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer, and the credentials that later fragments are compared with."""

    text: str
    ufrags: frozenset[str]


@dataclass(slots=True)
class _Section:
    """A media section, or what comes before the first."""

    media: str = ""
    mid: str | None = None
    direction: str | None = None
    ufrags: list[str] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Fragment:
    """Trickled candidates, None for: there are no more; and the credentials they belong to."""

    ufrags: frozenset[str]
    candidates: tuple[IceCandidate | None, ...]


def read_offer(body: bytes) -> Offer:
    """An offer that a camera may be asked to answer; raises SdpError."""
    text = _text(body)
    if not text.strip():
        raise SdpError("There is no offer. The player offers here; this server never does.")
    if not text.startswith(("v=0\r\n", "v=0\n")):
        raise SdpError("A session description begins with v=0.")
    session, *media = _sections(text)
    if not media:
        raise SdpError("The offer has no media section.")
    if not any(_wants(section, session.direction) for section in media):
        raise DirectionError("The offer must ask to receive: a=recvonly.")
    ufrags = (ufrag for section in (session, *media) for ufrag in section.ufrags)
    return Offer(text, frozenset(ufrags))


def for_camera(offer: Offer) -> str:
    """The offer, with the player as DTLS client: a player may be either, and so it need not care.

    In DTLS the server's certificate narrows the cipher suites, and browsers' suites, which are our
    cameras', are for ECDSA alone (RFC 8827 §6.5). The camera's certificate is that, a player's
    need not be: GStreamer's is RSA. In the draft's examples players are the clients, too.
    """
    return _ACTPASS.sub("a=setup:active", offer.text)


def read_fragment(body: bytes) -> Fragment:
    """A fragment of an offer; raises SdpError."""
    sections = tuple(_sections(_text(body)))
    candidates = tuple(candidate for section in sections for candidate in _candidates(section))
    ufrags = frozenset(ufrag for section in sections for ufrag in section.ufrags)
    if not candidates and not ufrags:
        raise SdpError("The fragment has no candidates and no credentials.")
    if len(candidates) > CANDIDATES_PER_SESSION:
        raise SdpError(f"A session may have {CANDIDATES_PER_SESSION} candidates.")
    # In a bundle each section may say that it has no more, and it is one transport all the same.
    complete = any(section.complete for section in sections)
    return Fragment(ufrags, candidates + ((None,) if complete else ()))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise SdpError("A session description is UTF-8.") from None


def _sections(text: str) -> list[_Section]:
    sections = [_Section()]
    for line in _lines(text):
        if line.startswith("m="):
            sections.append(_Section(media=line.removeprefix("m=")))
        elif line.startswith("a="):
            _note(sections[-1], *line.removeprefix("a=").partition(":")[::2])
    return sections


def _lines(text: str) -> Iterator[str]:
    # Not splitlines(): it also splits at U+2028 and its like, which are ordinary characters here.
    for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"):
        if line and not _LINE.fullmatch(line):
            raise SdpError("A line of a session description is a letter, '=' and a value.")
        if line:
            yield line


def _note(section: _Section, name: str, value: str) -> None:
    if name == "mid":
        section.mid = value
    elif name == "ice-ufrag":
        section.ufrags.append(value)
    elif name == "candidate":
        section.candidates.append(f"{name}:{value}")
    elif name == "end-of-candidates":
        section.complete = True
    elif name in _DIRECTIONS:
        section.direction = name


def _wants(section: _Section, default: str | None) -> bool:
    kind, _, rest = section.media.partition(" ")
    rejected = rest.startswith("0 ") and section.mid is None  # 0 is also bundle-only's (RFC 9143)
    direction = section.direction or default or "sendrecv"  # RFC 8866 §6.7
    return kind in {"audio", "video"} and not rejected and direction in _RECEIVES


def _candidates(section: _Section) -> Iterator[IceCandidate]:
    if section.candidates and section.mid is None:
        raise SdpError("Candidates follow the a=mid of their section.")
    for text in section.candidates:
        if len(text) > CANDIDATE_BYTES:
            raise SdpError(f"A candidate may have {CANDIDATE_BYTES} bytes.")
        if _usable(text):
            yield IceCandidate(candidate=text, sdp_mid=(section.mid or "")[:64])


def _usable(candidate: str) -> bool:
    """UDP is all that cameras speak; others are left out in silence (whep §4.4.2)."""
    parts = candidate.split()
    return len(parts) >= _UDP_FIELDS and parts[2].lower() == "udp"
