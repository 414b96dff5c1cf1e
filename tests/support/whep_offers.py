"""Offers and fragments for tests of the signalling alone: well-formed, and never connected."""

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"

UFRAG, PASSWORD = "EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"
_FINGERPRINT = ":".join(["AB"] * 32)

_SESSION = (
    "v=0\r\no=- 5228595038118931041 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
)
_SECTION = (
    "m={kind} 9 UDP/TLS/RTP/SAVPF {payload}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\n"
    f"a=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {_FINGERPRINT}\r\na=setup:actpass\r\n"
    "a=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtpmap:{codec}\r\n"
)

UDP = "candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host"
TCP = "candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active"


def offer(direction: str = "recvonly", *, ufrag: str = UFRAG) -> str:
    """Sound and picture in one bundle."""
    sections = (("audio", 111, 0, "111 opus/48000/2"), ("video", 96, 1, "96 H264/90000"))
    return _SESSION + "".join(
        _SECTION.format(
            kind=kind, payload=payload, mid=mid, codec=codec, direction=direction, ufrag=ufrag
        )
        for kind, payload, mid, codec in sections
    )


def fragment(*candidates: str, ufrag: str = UFRAG, complete: bool = False) -> str:
    """As in the examples of the WHEP draft."""
    lines = [
        "a=group:BUNDLE 0 1",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{PASSWORD}",
        *(f"a={candidate}" for candidate in candidates),
        *(["a=end-of-candidates"] if complete else []),
    ]
    return "\r\n".join(lines) + "\r\n"
