"""V4L2 and ALSA devices, where there are any; and what is said where there are none."""

from pathlib import Path

import pytest

from publisher.errors import SourceError
from publisher.sources import devices
from publisher.sources.address import Address
from publisher.sources.catalog import source_for

CAMERA, SOUND = Path("/dev/video0"), Path("/dev/snd")


def test_a_device_that_is_not_there_is_named() -> None:
    source = source_for(Address.parse("v4l2:/dev/video-none?size=640x360&fps=15"))
    with pytest.raises(SourceError) as caught:
        source.open()
    assert caught.value.code == "source_not_found"
    assert "/dev/video-none" in caught.value.sentence


@pytest.mark.parametrize(
    ("address", "tried"),
    [
        ("v4l2:/dev/video0", ["h264", "mjpeg", None]),
        ("v4l2:/dev/video0?format=mjpeg", ["mjpeg"]),
    ],
)
def test_a_device_without_h264_is_asked_for_motion_jpeg(
    monkeypatch: pytest.MonkeyPatch, address: str, tried: list[str | None]
) -> None:
    asked: list[str | None] = []

    def refuse(*_: object, options: dict[str, str], **__: object) -> None:
        asked.append(options.get("input_format"))
        raise SourceError("source_unreachable", "It has no such format.")

    monkeypatch.setattr(devices, "open_container", refuse)
    with pytest.raises(SourceError):
        source_for(Address.parse(address)).open()
    assert asked == tried


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
