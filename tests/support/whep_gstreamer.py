"""A WHEP player on GStreamer's webrtcbin, which stands on libnice and GStreamer's own DTLS.

Runs on the system's Python, which has GStreamer's bindings:

    PYTHONPATH=. /usr/bin/python3 tests/support/whep_gstreamer.py <url> <token>

Prints one JSON line for each picture: the time code that it shows, or null. Ends the session and
itself when standard input ends.
"""

import json
import sys
import threading
import urllib.request
from typing import Any
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

from publisher.sources.pattern import read  # noqa: E402

OFFERED = (
    "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f"
)
DECODER = (
    "rtph264depay ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=I420"
    " ! appsink name=sink emit-signals=true sync=false max-buffers=2 drop=true"
)


def request(method: str, url: str, token: str, body: bytes | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    made = urllib.request.Request(url, data=body, headers=headers, method=method)
    return urllib.request.urlopen(made, timeout=60)


class Player:
    """One session; its methods run on GLib's main loop or on GStreamer's threads."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token, self.session = url, token, None
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.Pipeline.new("player")
        self.webrtc = Gst.ElementFactory.make("webrtcbin", "webrtc")
        self.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.webrtc)
        self.webrtc.connect("pad-added", self.on_pad)
        self.webrtc.connect("notify::ice-gathering-state", self.on_gathering)
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        self.webrtc.emit("add-transceiver", direction, Gst.Caps.from_string(OFFERED))

    def start(self) -> None:
        self.pipeline.set_state(Gst.State.PLAYING)
        self.webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_offer(self, promise: Any, *_: Any) -> None:
        reply = promise.get_reply()  # owns the offer
        offer = reply.get_value("offer")
        self.webrtc.emit("set-local-description", offer, None)

    def on_gathering(self, *_: Any) -> None:
        if self.webrtc.get_property("ice-gathering-state").value_nick == "complete":
            GLib.idle_add(self.watch)

    def watch(self) -> bool:
        sdp = self.webrtc.get_property("local-description").sdp.as_text()
        with request("POST", self.url, self.token, sdp.encode()) as response:
            self.session = urljoin(self.url, response.headers["Location"])
            _, message = GstSdp.SDPMessage.new_from_text(response.read().decode())
        kind = GstWebRTC.WebRTCSDPType.ANSWER
        answer = GstWebRTC.WebRTCSessionDescription.new(kind, message)
        self.webrtc.emit("set-remote-description", answer, None)
        return False

    def on_pad(self, _webrtc: Any, pad: Any) -> None:
        decoder = Gst.parse_bin_from_description(DECODER, True)
        decoder.get_by_name("sink").connect("new-sample", self.on_picture)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def on_picture(self, sink: Any) -> Any:
        sample = sink.emit("pull-sample")
        shape = sample.get_caps().get_structure(0)
        width, height = shape.get_value("width"), shape.get_value("height")
        stride = (width + 3) // 4 * 4
        data = sample.get_buffer().extract_dup(0, stride * height)
        code = read(data, stride, width, height)
        print(json.dumps(code and [code.frame, code.unix_ms]), flush=True)
        return Gst.FlowReturn.OK

    def end_with(self, stream: Any) -> None:
        stream.read()
        GLib.idle_add(self.loop.quit)

    def stop(self) -> None:
        if self.session:
            request("DELETE", self.session, self.token).close()
        self.pipeline.set_state(Gst.State.NULL)


def main() -> None:
    Gst.init(None)
    player = Player(*sys.argv[1:3])
    player.start()
    threading.Thread(target=player.end_with, args=(sys.stdin,), daemon=True).start()
    player.loop.run()
    player.stop()


if __name__ == "__main__":
    main()
