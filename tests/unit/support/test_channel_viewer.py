"""The viewer's account of what came over the channel."""

import pytest

from tests.support.channel_viewer import Generation


def box(kind: bytes, size: int) -> bytes:
    return size.to_bytes(4) + kind + bytes(size - 8)


INIT = box(b"ftyp", 24) + box(b"moov", 500)
SEGMENT = box(b"moof", 96) + box(b"mdat", 40_000)


@pytest.mark.parametrize("cut", [1, 8, 50, 96, 97, 104, 16_384, len(SEGMENT) - 1])
def test_a_segment_under_way_is_not_counted(cut: int) -> None:
    generation = Generation("video/mp4")
    generation.add(INIT)
    generation.add(SEGMENT[:cut])
    assert generation.data == INIT
    generation.add(SEGMENT[cut:])
    assert generation.data == INIT + SEGMENT


def test_before_the_init_segment_there_is_nothing() -> None:
    generation = Generation("video/mp4")
    generation.add(INIT[:8])
    assert generation.samples() == []


def test_segments_add_up() -> None:
    generation = Generation("video/mp4")
    for message in (INIT, SEGMENT, SEGMENT):
        generation.add(message)
    assert generation.data == INIT + SEGMENT + SEGMENT
