"""A description tells which streams we read ourselves; the others are left to FFmpeg."""

import pytest

from publisher.sources.rtsp.formats import choose
from publisher.sources.rtsp.location import Location
from publisher.sources.rtsp.messages import ProtocolError
from publisher.sources.rtsp.sdp import control_url, parse

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=Media\r\nt=0 0\r\na=control:*\r\n"
H264 = (
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=framerate:25.0\r\n"
    "a=fmtp:96 packetization-mode=1; profile-level-id=640029; "
    "sprop-parameter-sets=Z2QAKa2E,aO48sA==\r\na=control:trackID=1\r\n"
)
AAC = (
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\n"
    "a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
    "indexdeltalength=3;config=1408\r\na=control:trackID=2\r\n"
)
METADATA = (
    "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:meta\r\n"
)
BACKCHANNEL = "m=audio 0 RTP/AVP 0\r\na=sendonly\r\na=control:back\r\n"


def codecs(text: str) -> list[str] | None:
    plans = choose(parse(HEAD + text).media)
    return None if plans is None else [plan.stream.codec for plan in plans]


def test_an_ordinary_camera_is_ours() -> None:
    description = parse(HEAD + BACKCHANNEL + METADATA + AAC + H264)
    plans = choose(description.media)
    assert plans
    video, audio = plans
    assert description.control == "*"
    assert (video.stream.codec, video.stream.frame_rate) == ("h264", 25)
    assert video.stream.extradata == bytes.fromhex("00000001676400 29ad84 00000001 68ee3cb0")
    assert video.media.control == "trackID=1"
    assert (audio.stream.codec, audio.stream.sample_rate, audio.stream.channels) == (
        "aac",
        16000,
        1,
    )
    assert audio.stream.extradata == b"\x14\x08"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (H264, ["h264"]),
        (H264.replace("\r\n", "\n"), ["h264"]),
        (H264.replace("packetization-mode=1; ", ""), ["h264"]),
        (H264.replace("packetization-mode=1", "packetization-mode=2"), None),
        (H264.replace("Z2QAKa2E,aO48sA==", "???,Z2"), ["h264"]),
        (H264.replace("RTP/AVP", "RTP/SAVP"), None),
        ("m=video 0 RTP/AVP 98\r\na=rtpmap:98 H265/90000\r\n", ["hevc"]),
        (
            "m=video 0 RTP/AVP 98\r\na=rtpmap:98 H265/90000\r\na=fmtp:98 sprop-max-don-diff=2\r\n",
            None,
        ),
        ("m=video 0 RTP/AVP 26\r\n", None),
        (H264 + "m=audio 0 RTP/AVP 8\r\n", ["h264", "pcm_alaw"]),
        (H264 + "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n", ["h264", "pcm_mulaw"]),
        (H264 + "m=audio 0 RTP/AVP 99\r\na=rtpmap:99 opus/48000/2\r\n", ["h264", "opus"]),
        (H264 + "m=audio 0 RTP/AVP 99\r\na=rtpmap:99 MP4A-LATM/16000\r\n", None),
        (H264 + AAC.replace("AAC-hbr", "AAC-lbr"), None),
        (H264 + AAC.replace("config=1408", "config=xyz"), None),
        (H264 + AAC.replace("sizelength=13;", ""), None),
        (H264 + BACKCHANNEL, ["h264"]),
        (METADATA, None),
        ("m=video\r\nm=video 0 RTP/AVP many\r\n", None),
        ("", None),
    ],
)
def test_what_is_ours_and_what_is_ffmpegs(text: str, expected: list[str] | None) -> None:
    assert codecs(text) == expected


@pytest.mark.parametrize(
    ("base", "control", "url"),
    [
        ("rtsp://h/live/", "track1", "rtsp://h/live/track1"),
        ("rtsp://h/live", "track1", "rtsp://h/live/track1"),
        ("rtsp://h/live", "rtsp://h:555/other", "rtsp://h:555/other"),
        ("rtsps://h:1/live/", "/abs", "rtsps://h:1/abs"),
        ("rtsp://h/live", "*", "rtsp://h/live"),
        ("rtsp://h/live", "", "rtsp://h/live"),
        ("rtsp://h/live?channel=1", "trackID=0", "rtsp://h/live?channel=1/trackID=0"),
    ],
)
def test_control_urls(base: str, control: str, url: str) -> None:
    assert control_url(base, control) == url


def test_a_location_keeps_the_password_to_itself() -> None:
    here = Location.parse("rtsp://ad%20min:s%2Fcret@h/a b?c=1")
    assert (here.host, here.port, here.secure, here.url) == ("h", 554, False, "rtsp://h/a%20b?c=1")
    assert here.credentials
    assert (here.credentials.user, here.credentials.password) == ("ad min", "s/cret")
    assert "cret" not in repr(here)
    assert Location.parse("rtsps://h/").port == 322
    with pytest.raises(ProtocolError):
        Location.parse("http://h/")


def test_a_redirection_tells_the_password_to_the_same_host_only() -> None:
    here = Location.parse("rtsp://a:b@h/x")
    assert here.redirected("rtsp://h:555/y").credentials == here.credentials
    assert here.redirected("rtsp://h:555/y").port == 555
    assert here.redirected("rtsp://other/y").credentials is None
