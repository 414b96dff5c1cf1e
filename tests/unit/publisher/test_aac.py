"""AAC passes bit for bit; only MPEG-TS's header is taken off."""

import pytest

from publisher.media.aac import AacPassage, codec_string
from publisher.media.packets import Packet, Stream

FRAME = bytes(range(40))


def adts(*, checksum: bool = False, frames: int = 1, profile: int = 1) -> bytes:
    """A header for mono at 48 kHz; ``profile`` 1 is AAC-LC (ISO/IEC 14496-3 §1.A.2.2.1)."""
    size = len(FRAME) + 7
    fields = [0xFF, 0xF1 - checksum, profile << 6 | 3 << 2, 1 << 6 | size >> 11]
    header = bytes([*fields, size >> 3 & 255, (size & 7) << 5 | 31, 0xFC | frames - 1])
    return header + (b"\x12\x34" if checksum else b"")


def packet(data: bytes) -> Packet:
    return Packet("audio", data, 0, 0, key=True)


def test_raw_frames_are_not_touched() -> None:
    passage = AacPassage(Stream("audio", "aac", b"\x11\x88", sample_rate=48_000, channels=1))
    frame = passage.feed(packet(b"\xff\xf1 looks like ADTS"), 7)
    assert frame
    assert (frame.data, frame.pts) == (b"\xff\xf1 looks like ADTS", 7)
    assert passage.config == b"\x11\x88"


@pytest.mark.parametrize("checksum", [False, True])
def test_mpeg_ts_s_header_becomes_the_configuration(checksum: bool) -> None:  # noqa: FBT001
    passage = AacPassage(Stream("audio", "aac"))
    assert passage.config is None
    frame = passage.feed(packet(adts(checksum=checksum) + FRAME), 0)
    assert frame
    assert frame.data == FRAME
    assert passage.config == b"\x11\x88"


@pytest.mark.parametrize("data", [b"", b"\xff\xf1", b"no header at all", adts(frames=2) + FRAME])
def test_what_is_no_single_frame_is_counted(data: bytes) -> None:
    passage = AacPassage(Stream("audio", "aac"))
    assert passage.feed(packet(data), 0) is None
    assert passage.lost == 1


def test_players_are_told_the_object_type() -> None:
    assert codec_string(b"\x11\x88") == "mp4a.40.2"
    assert codec_string(b"\x2b\x92\x08\x00") == "mp4a.40.5"
    assert codec_string(b"\xf8\xe8\x50\x00") == "mp4a.40.39"
