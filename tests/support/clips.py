"""Files to play: the test camera's own stream in a container, made at once and without a gap."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from publisher.sources import test_camera
from tests.support.clock import Clock


def record(
    path: Path, *, seconds: float = 1.0, spec: str = "test:?size=640x360", begin: float = 0.0
) -> Path:
    """Records the test camera into an mp4, mkv or ts file whose first picture is at ``begin``."""
    with pytest.MonkeyPatch.context() as patch:
        # By its own clock: a busy machine would leave pictures out.
        clock = Clock()
        patch.setattr(test_camera, "time", clock)
        camera = test_camera.TestCamera(spec).open()
        patch.setattr(camera, "_interrupted", clock)
        _mux(camera, path, seconds, begin)
    return path


def _mux(camera: test_camera.OpenTestCamera, path: Path, seconds: float, begin: float) -> None:
    with av.open(str(path), "w") as file:
        video = file.add_stream("h264", rate=30)
        video.width, video.height = camera.streams[0].width, camera.streams[0].height
        video.codec_context.extradata = camera.streams[0].extradata
        zero: int | None = None
        for packet in camera.packets():
            if packet.kind == "audio" or packet.pts is None:
                continue
            zero = packet.pts if zero is None else zero
            coded = av.Packet(packet.data)
            coded.pts = coded.dts = packet.pts - zero + round(begin * 1_000_000)
            coded.time_base = Fraction(1, 1_000_000)
            coded.is_keyframe = packet.key
            coded.stream = video
            file.mux(coded)
            if packet.pts - zero > seconds * 1_000_000:
                break
