"""Messages and packets come out of an RTSP connection whole, in whatever pieces they came."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.sources.rtsp.framing import MAX_GARBAGE, Event, Framer, Interleaved
from publisher.sources.rtsp.messages import (
    ProtocolError,
    Request,
    Response,
    interleaved_channels,
    rtp_times,
    session_of,
)

ANSWER = (
    b"RTSP/1.0 200 OK\r\ncseq: 7\r\nContent-Length: 5\r\nWWW-Authenticate: Basic\r\n"
    b"www-authenticate: Digest\r\n\r\nv=0\r\n"
)
ASKED = b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 3\r\n\r\n"


def packet(channel: int, data: bytes) -> bytes:
    return b"$" + bytes([channel]) + len(data).to_bytes(2) + data


STREAM = (
    packet(0, b"a" * 1400) + ANSWER + packet(1, b"") + ASKED + b"\r\n" + packet(2, b"$RTSP/1.0\r\n")
)


def told(events: list[Event]) -> list[object]:
    return [
        (event.channel, bytes(event.data)) if isinstance(event, Interleaved) else event
        for event in events
    ]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    framer, found = Framer(), []
    bounds = [0, *sorted(cuts), len(STREAM)]
    for begin, end in pairwise(bounds):
        found += told(list(framer.feed(STREAM[begin:end])))
    first, answer, second, asked, third = found
    assert (first, second, third) == ((0, b"a" * 1400), (1, b""), (2, b"$RTSP/1.0\r\n"))
    assert isinstance(answer, Response)
    assert (answer.status, answer.sequence, answer.body) == (200, "7", b"v=0\r\n")
    assert list(answer.all("www-authenticate")) == ["Basic", "Digest"]
    assert isinstance(asked, Request)
    assert asked.method == "OPTIONS"
    assert framer.garbage == 0


def test_a_camera_that_stammers_is_understood_again_and_the_bytes_are_counted() -> None:
    framer = Framer()
    list(framer.feed(packet(0, b"")))
    found = told(list(framer.feed(b"\x00\x01\x02" + packet(0, b"x") + b"\xff" + ANSWER)))
    assert found[0] == (0, b"x")
    assert isinstance(found[1], Response)
    assert framer.garbage == 4


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a",
        b"RTSP/1.0\r\n\r\n",
        b"RTSP/1.0 twice\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        b"RTSP/1.0 200 OK\r\n" + b"x" * 20_000,
    ],
)
def test_what_does_not_speak_rtsp_is_told_at_once(first: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Framer().feed(first))


def test_nothing_but_garbage_ends_it() -> None:
    framer = Framer()
    list(framer.feed(packet(0, b"")))
    with pytest.raises(ProtocolError):
        list(framer.feed(b"\x00" * (MAX_GARBAGE + 1)))


def test_folded_fields_are_one() -> None:
    (answer,) = Framer().feed(b"RTSP/1.0 401 No\r\nA: b,\r\n  c\r\n\r\n")
    assert isinstance(answer, Response)
    assert answer.field("a") == "b, c"


@pytest.mark.parametrize(
    ("field", "channels"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=D9E92E4F", (0, 1)),
        ("RTP/AVP/TCP; Interleaved=4", (4, 5)),
        ("RTP/AVP;unicast;client_port=1-2", None),
        ("RTP/AVP/TCP;interleaved=300-301", None),
        ("RTP/AVP/TCP;interleaved=x-y", None),
        ("", None),
    ],
)
def test_channels_are_the_servers(field: str, channels: tuple[int, int] | None) -> None:
    assert interleaved_channels(field) == channels


def test_a_session_without_timeout_has_sixty_seconds() -> None:
    assert session_of("12ab") == ("12ab", 60)
    assert session_of("12ab; timeout=30") == ("12ab", 30)
    assert session_of("12ab;timeout=soon") == ("12ab", 60)


def test_rtp_info_is_read_stream_by_stream() -> None:
    info = (
        "url=rtsp://h/a,b;seq=1;rtptime=20, url=rtsp://h/c;rtptime=4294967295;seq=2,url=rtsp://h/d"
    )
    assert rtp_times(info) == {"rtsp://h/a,b": 20, "rtsp://h/c": 0xFFFFFFFF}
    assert rtp_times("") == {}
