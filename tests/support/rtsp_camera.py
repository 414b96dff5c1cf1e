"""A real RTSP camera for the tests: GStreamer's RTSP server, with the test picture and tone.

Runs on the system's Python, which has GStreamer's bindings:

    PYTHONPATH=. /usr/bin/python3 tests/support/rtsp_camera.py --variant plain --port 8554

Prints ``READY <url>`` when it listens. All clients share one encoder, as with a real camera. A
line like ``640x360`` on its standard input changes the size of the running picture; it ends when
its standard input does, so that it never outlives the one who started it.
"""

import argparse
import hashlib
import json
import re
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

from publisher.sources.pattern import SAMPLE_RATE, Pattern, tone  # noqa: E402

FPS = 30
BLOCK_MS = 20  # of sound handed to the encoder
# avenc_aac stamps what it codes a frame too late: it leaves its own delay out of account.
AAC_DELAY_NS = 1024 * 10**9 // SAMPLE_RATE
PATH = "/live"
USER, PASSWORD = "admin", "s3cret pass/word"

# x264enc's ultrafast preset turns off what the higher profiles are about.
X264 = (
    "x264enc tune=zerolatency speed-preset=ultrafast threads=1 bitrate=2000 aud=false"
    " key-int-max={gop} option-string=scenecut=0"
)
X264_HIGH = X264.replace("ultrafast", "superfast") + " dct8x8=true cabac=true bframes=0"
X264_B_FRAMES = (
    "x264enc speed-preset=superfast threads=1 bitrate=2000 aud=false key-int-max={gop}"
    " bframes=2 b-adapt=false rc-lookahead=0 sync-lookahead=0 option-string=scenecut=0"
)
X264_SLICES = X264.replace("threads=1", "threads=2 sliced-threads=true") + ":repeat-headers=0"
X265 = "x265enc tune=zerolatency speed-preset=ultrafast bitrate=800 key-int-max={gop}"

IN_BAND = (
    "rtph264pay name=pay0 pt=96 config-interval=0"  # x264enc repeats the parameter sets itself
)
IN_SDP_ONLY = (
    "video/x-h264,stream-format=avc,alignment=au ! rtph264pay name=pay0 pt=96 config-interval=0"
)
H265 = "video/x-h265,stream-format=byte-stream ! rtph265pay name=pay0 pt=96 config-interval=-1"
MJPEG = "jpegenc quality=85 ! rtpjpegpay name=pay0 pt=26"


def byte_stream(profile: str) -> str:
    return f"video/x-h264,stream-format=byte-stream,profile={profile} ! {IN_BAND}"


AAC = "audioconvert ! avenc_aac bitrate=96000 ! aacparse ! rtpmp4gpay name=pay1 pt=97"
G711 = "audioconvert ! audioresample ! audio/x-raw,rate=8000 ! "
PCMA = G711 + "alawenc ! rtppcmapay name=pay1 pt=8"
PCMU = G711 + "mulawenc ! rtppcmupay name=pay1 pt=0"


@dataclass(frozen=True)
class Variant:
    """What a camera sends."""

    video: str = X264 + " ! " + byte_stream("constrained-baseline")
    audio: str = AAC
    gop: int = FPS
    auth: bool = False


VARIANTS = {
    "plain": Variant(),
    "long-gop": Variant(gop=10 * FPS),
    "sdp-parameter-sets": Variant(video=f"{X264_SLICES} ! {IN_SDP_ONLY}"),
    "high": Variant(video=X264_HIGH + " ! " + byte_stream("high")),
    "b-frames": Variant(video=X264_B_FRAMES + " ! " + byte_stream("high")),
    "g711": Variant(audio=PCMA),
    "g711-mu": Variant(audio=PCMU),
    "no-audio": Variant(audio=""),
    "h265": Variant(video=f"{X265} ! {H265}"),
    "mjpeg": Variant(video=MJPEG),
    "auth": Variant(auth=True),
}


class Feeder:
    """Feeds one encoder by the wall clock, from when it runs until it is torn down."""

    def __init__(self, pattern: Pattern, picture: Any, sound: Any, sound_delay: int) -> None:
        self.pattern, self._picture, self._sound = pattern, picture, sound
        self._sound_delay = sound_delay
        self._size = (pattern.width, pattern.height)
        self._stopped = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Ends the thread; for any thread."""
        self._stopped.set()

    def _run(self) -> None:
        # Only a playing pipeline has the base time that its running time counts from.
        while self._picture.get_state(0).state != Gst.State.PLAYING:
            if self._stopped.wait(0.005):
                return
        start = self._now()
        frames, blocks = 0, 2  # a little later, so that no time is below zero
        while True:
            picture_due = start + frames * Gst.SECOND // FPS
            sound_due = start + (blocks + 1) * BLOCK_MS * Gst.MSECOND
            due = min(picture_due, sound_due) if self._sound else picture_due
            if self._stopped.wait(max(0, due - self._now()) / Gst.SECOND):
                return
            if due == picture_due:
                self._push_picture(frames)
                frames += 1
            else:
                self._push_sound(sound_due)
                blocks += 1

    def _now(self) -> int:
        """The pipeline's running time, in nanoseconds."""
        return self._picture.get_current_running_time()

    def _epoch(self) -> int:
        """The wall-clock time, in nanoseconds, at which the running time was zero."""
        # A pause between the two readings makes the difference too small, never too large.
        return max(time.time_ns() - self._now() for _ in range(3))

    def _push_picture(self, frame: int) -> None:
        at, pattern = self._now(), self.pattern
        if self._size != (pattern.width, pattern.height):
            self._size = (pattern.width, pattern.height)
            self._picture.set_caps(Gst.Caps.from_string(picture_caps(*self._size)))
        data = pattern.draw(frame, (at + self._epoch()) // 1_000_000)
        push(self._picture, bytes(data), at, Gst.SECOND // FPS)

    def _push_sound(self, end: int) -> None:
        start = end - BLOCK_MS * Gst.MSECOND
        wall = start + self._epoch()
        data = tone(wall * SAMPLE_RATE // Gst.SECOND, SAMPLE_RATE * BLOCK_MS // 1000)
        push(self._sound, data, start - self._sound_delay, BLOCK_MS * Gst.MSECOND)


def picture_caps(width: int, height: int) -> str:
    return f"video/x-raw,format=I420,width={width},height={height},framerate={FPS}/1"


def push(source: Any, data: bytes, at: int, duration: int) -> None:
    buffer = Gst.Buffer.new_wrapped(data)
    buffer.pts, buffer.duration = at, duration
    source.emit("push-buffer", buffer)


class Recorder:
    """Writes one JSON line for every access unit and every frame of sound that is sent."""

    def __init__(self, path: str, *, h265: bool) -> None:
        self._file = Path(path).open("w", buffering=1, encoding="ascii")  # noqa: SIM115, it lives as long as the program
        self._h265 = h265

    def watch(self, picture: Any, sound: Any) -> None:
        """Records what goes into the payloaders from now on; there may be no sound."""
        buffers = Gst.PadProbeType.BUFFER
        picture.get_static_pad("sink").add_probe(buffers, self._on_picture)
        if sound:
            sound.get_static_pad("sink").add_probe(buffers, self._on_sound)

    def _on_sound(self, _pad: Any, info: Any) -> Any:
        buffer = info.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        digest = hashlib.sha256(data).hexdigest()
        self._file.write(json.dumps({"pts": buffer.pts, "sound": digest}) + "\n")
        return Gst.PadProbeReturn.OK

    def _on_picture(self, pad: Any, info: Any) -> Any:
        buffer = info.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        avc = pad.get_current_caps().get_structure(0).get_string("stream-format") == "avc"
        nals = length_prefixed(data) if avc else annex_b(data)
        described = [(self._type(nal), len(nal), hashlib.sha256(nal).hexdigest()) for nal in nals]
        self._file.write(json.dumps({"pts": buffer.pts, "nals": described}) + "\n")
        return Gst.PadProbeReturn.OK

    def _type(self, nal: bytes) -> int:
        return nal[0] >> 1 & 0x3F if self._h265 else nal[0] & 0x1F


def annex_b(data: bytes) -> list:
    # Zeros before a start code belong to it, not to the NAL unit (H.264 Annex B.1.1).
    return [nal.rstrip(b"\0") for nal in re.split(rb"\x00\x00\x01", data) if nal.strip(b"\0")]


def length_prefixed(data: bytes) -> list:
    nals = []
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        nals.append(data[4:end])
        data = data[end:]
    return nals


class Camera:
    """One RTSP mount point."""

    def __init__(self, variant: Variant, size: list, recorder: Recorder | None) -> None:
        self._variant, self._recorder = variant, recorder
        self._pattern = Pattern(*size)
        self._feeder: Feeder | None = None
        self.factory = GstRtspServer.RTSPMediaFactory()
        self.factory.set_shared(True)
        self.factory.set_latency(0)
        self.factory.set_launch(f"( {self._launch()} )")
        self.factory.connect("media-configure", self._on_media)
        if variant.auth:
            self.factory.set_permissions(permissions())

    def resize(self, width: int, height: int) -> None:
        """Goes on with pictures of another size, for those who watch and for those who come."""
        self._pattern = Pattern(width, height)
        if self._feeder:
            self._feeder.pattern = self._pattern

    def _launch(self) -> str:
        width, height = self._pattern.width, self._pattern.height
        # On a busy machine encoders are too slow: then pictures are left out, and sound waits.
        source = "appsrc is-live=true format=time max-bytes=0 leaky-type=downstream max-buffers="
        picture = picture_caps(width, height)
        sound = f"audio/x-raw,format=S16LE,layout=interleaved,rate={SAMPLE_RATE},channels=1"
        launch = f"{source}8 name=picture caps={picture} ! {self._variant.video}"
        if self._variant.audio:
            launch += f" {source}100 name=sound caps={sound} ! {self._variant.audio}"
        return launch.format(gop=self._variant.gop)

    def _on_media(self, _factory: Any, media: Any) -> None:
        pipeline = media.get_element()
        feeder = self._feeder = Feeder(
            self._pattern,
            pipeline.get_by_name("picture"),
            pipeline.get_by_name("sound"),
            AAC_DELAY_NS if self._variant.audio == AAC else 0,
        )
        media.connect("unprepared", lambda _: feeder.stop())
        if self._recorder:
            self._recorder.watch(pipeline.get_by_name("pay0"), pipeline.get_by_name("pay1"))


def permissions() -> Any:
    allowed = GstRtspServer.RTSPPermissions()
    allowed.add_role("viewer")
    for permission in ("media.factory.access", "media.factory.construct"):
        allowed.add_permission_for_role("viewer", permission, True)
    return allowed


def digest_auth() -> Any:
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(USER, PASSWORD, token)
    return auth


def size_of(text: str) -> list:
    return [int(number) for number in text.split("x")]


def obey(camera: Camera, loop: Any) -> bool:
    line = sys.stdin.readline()
    if line:
        camera.resize(*size_of(line))
    else:
        loop.quit()
    return bool(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--variant", choices=VARIANTS, default="plain")
    parser.add_argument("--size", type=size_of, default="640x360")
    parser.add_argument("--record", metavar="FILE")
    arguments = parser.parse_args()
    variant = VARIANTS[arguments.variant]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(arguments.port))
    recorder = (
        Recorder(arguments.record, h265=variant.video.startswith("x265"))
        if arguments.record
        else None
    )
    camera = Camera(variant, arguments.size, recorder)
    server.get_mount_points().add_factory(PATH, camera.factory)
    if variant.auth:
        server.set_auth(digest_auth())
    if not server.attach(None):
        sys.exit(f"port {arguments.port} cannot be had")
    loop = GLib.MainLoop()
    conditions = GLib.IOCondition.HUP | GLib.IOCondition.IN
    GLib.io_add_watch(0, GLib.PRIORITY_DEFAULT, conditions, lambda *_: obey(camera, loop))
    print(f"READY rtsp://127.0.0.1:{server.get_bound_port()}{PATH}", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
