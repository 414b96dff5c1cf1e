"""V4L2 and ALSA devices, where there are any; and what is said where there are none."""

from pathlib import Path

import pytest

from publisher.errors import SourceError
from publisher.sources.address import Address
from publisher.sources.catalog import source_for

CAMERA, SOUND = Path("/dev/video0"), Path("/dev/snd")


def test_a_device_that_is_not_there_is_named() -> None:
    source = source_for(Address.parse("v4l2:/dev/video-none?size=640x360&fps=15"))
    with pytest.raises(SourceError) as caught:
        source.open()
    assert caught.value.code == "source_not_found"
    assert "/dev/video-none" in caught.value.sentence


def test_a_camera_delivers_packets_of_both_devices() -> None:
    if not CAMERA.exists():
        pytest.skip(f"NOT TESTED: this machine has no {CAMERA}; V4L2 is read here nowhere else")
    audio = "?audio=default" if SOUND.exists() else ""
    opened = source_for(Address.parse(f"v4l2:{CAMERA}{audio}")).open()
    try:
        wanted = {stream.kind for stream in opened.streams}
        for packet in opened.packets():
            wanted.discard(packet.kind)
            if not wanted:
                break
    finally:
        opened.interrupt()
        opened.close()
