"""Packets that are taken at a stretch give what they give one by one, whatever else comes."""

from collections.abc import Iterable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.media.packets import Packet
from publisher.sources.rtsp import formats, sdp
from publisher.sources.rtsp.clock import SessionClock
from publisher.sources.rtsp.framing import DOLLAR, Framer, Interleaved
from publisher.sources.rtsp.pictures import MAX_BYTES
from publisher.sources.rtsp.rtp import RtpPacket
from publisher.sources.rtsp.track import Track
from tests.support.packetising import key, packets, slice_

DESCRIPTION = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 {}/90000\r\n"
CHANNEL = 2


def track(codec: str) -> Track:
    plans = formats.choose(sdp.parse(DESCRIPTION.format(codec.upper())).media)
    assert plans
    return Track(plans[0], SessionClock(0).stream(90_000))


def framed(packet: RtpPacket, channel: int = CHANNEL) -> bytes:
    """As it comes over the connection."""
    second = packet.marker << 7 | packet.payload_type
    header = bytes((0x80, second)) + packet.sequence.to_bytes(2)
    data = header + packet.timestamp.to_bytes(4) + packet.ssrc.to_bytes(4) + packet.payload
    return bytes((DOLLAR, channel)) + len(data).to_bytes(2) + data


def result(codec: str, chunks: Iterable[bytes], *, skims: bool) -> tuple[list[Packet], int, int]:
    """The pictures, how many packets were seen one by one, and how many pictures were damaged."""
    watched, framer, found, seen = track(codec), Framer(), list[Packet](), 0
    if skims:
        framer.run = partial(watched.skim, bytes((DOLLAR, CHANNEL)))
    for chunk in chunks:
        for event in framer.feed(chunk):
            assert isinstance(event, Interleaved)
            seen += 1
            if event.channel == CHANNEL:
                found += watched.take_rtp(event.data, 0)
    return found, seen, watched.damaged


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks, at = [], 0
    for size in [*sizes, len(data)]:
        chunks.append(data[at : at + size])
        at += size
    return [chunk for chunk in chunks if chunk]


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_of_a_large_picture_only_the_first_and_the_last_packet_are_looked_at(codec: str) -> None:
    data = b"".join(map(framed, packets(codec, [[key(codec, 50_000)], [slice_(codec, 9_000)]])))
    found, seen, damaged = result(codec, [data], skims=True)
    assert [len(picture.data) for picture in found] == [
        len(picture.data) for picture in result(codec, [data], skims=False)[0]
    ]
    assert (len(found), seen, damaged) == (2, 4, 0)


@pytest.mark.parametrize("codec", ["h264", "h265"])
@given(st.data())
def test_any_stream_gives_the_same_pictures(codec: str, data: st.DataObject) -> None:
    """Cut anywhere, with holes, repetitions, another sender's packets and other channels in it."""
    sizes = data.draw(st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=3), max_size=5))
    pictures = [[key(codec, 300)], *[[slice_(codec, size) for size in nals] for nals in sizes]]
    sent = packets(codec, pictures, limit=data.draw(st.integers(20, 200)))
    stream = b""
    for packet in sent:
        fate = data.draw(st.sampled_from(["", "", "", "", "lost", "twice", "foreign", "aside"]))
        stream += framed(packet) * {"lost": 0, "twice": 2}.get(fate, 1)
        if fate == "foreign":
            stream += framed(packet._replace(ssrc=2))
        if fate == "aside":
            stream += framed(packet, channel=CHANNEL + 1)
    chunks = cut(stream, data.draw(st.lists(st.integers(1, 300), max_size=20)))
    skimmed, singly = (result(codec, chunks, skims=skims) for skims in (True, False))
    assert (skimmed[0], skimmed[2]) == (singly[0], singly[2])


def test_a_packet_that_is_shorter_than_its_header_is_no_part_of_a_run() -> None:
    sent = packets("h264", [[key("h264", 5_000)]])
    whole = list(map(framed, sent))
    stub = whole[2][:2] + (6).to_bytes(2) + whole[2][4:10]
    found, _, damaged = result("h264", [b"".join([*whole[:2], stub, *whole[3:]])], skims=True)
    assert (found, damaged) == ([], 1)


def test_a_nal_unit_without_end_is_bounded() -> None:
    sent = packets("h264", [[key("h264", 60_000)]], limit=60_000 // 4)
    middle = sent[1]._replace(payload=memoryview(bytes(sent[1].payload[:2]) + bytes(60_000)))
    end = MAX_BYTES // 60_000 + 3
    middles = [middle._replace(sequence=number) for number in range(1, end)]
    stream = map(framed, [sent[0], *middles, sent[-1]._replace(sequence=end)])
    found, _, damaged = result("h264", stream, skims=True)
    assert (found, damaged) == ([], 1)
