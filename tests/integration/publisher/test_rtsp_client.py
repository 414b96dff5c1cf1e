"""Our RTSP client reads cameras that stammer, and names what is wrong with those that fail."""

import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from select import select

import pytest

from publisher.errors import SourceError
from publisher.media.packets import Packet
from publisher.sources.address import Address
from publisher.sources.rtsp import camera as rtsp
from publisher.sources.rtsp import opening, session
from publisher.sources.rtsp.session import OpenRtspCamera
from tests.support.cameras import http_port
from tests.support.media import picture
from tests.support.scripted_rtsp import (
    H264,
    MJPEG,
    Asked,
    Script,
    ScriptedCamera,
    answer,
    in_turn,
    pictures,
    raw,
)

SENT = pictures(12)
DIGEST = 'WWW-Authenticate: Digest realm="x", nonce="{}", qop="auth"'


def opened(camera: ScriptedCamera, login: str = "") -> OpenRtspCamera:
    source = rtsp.RtspCamera(Address.parse(camera.url.replace("//", f"//{login}")))
    found = source.open()
    assert isinstance(found, OpenRtspCamera)
    return found


def fault(camera: ScriptedCamera, login: str = "") -> str:
    with pytest.raises(SourceError) as caught:
        opened(camera, login)
    assert "s3cret" not in str(caught.value)
    return caught.value.code


@pytest.fixture(autouse=True, params=["thread", "loop"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test is one of both: of a thread that waits, and of a loop that watches."""
    if request.param == "loop":
        monkeypatch.setattr(f"{__name__}.packets_of", watched_packets)


def packets_of(stream: OpenRtspCamera) -> Iterator[Packet]:
    return stream.packets()


def watched_packets(stream: OpenRtspCamera) -> Iterator[Packet]:
    descriptor = stream.watch()
    if descriptor is None:
        yield from stream.packets()
        return
    while True:
        for packet in stream.take():
            assert not os.get_blocking(descriptor)
            yield packet
        select([descriptor], [], [], 0.05)


def take(stream: OpenRtspCamera, count: int) -> list[Packet]:
    return list(islice(packets_of(stream), count))


def expected(count: int) -> list[bytes]:
    return [picture(3000, key=number == 0, seed=number) for number in range(count)]


def test_pictures_come_as_they_are_sent_and_as_soon_as_they_are_complete() -> None:
    with ScriptedCamera() as camera:
        stream = opened(camera)
        packets = packets_of(stream)
        for number, piece in enumerate(SENT):
            camera.send(piece)
            assert next(packets).data == expected(number + 1)[-1]  # with no packet behind it
        stream.close()
    assert camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert [asked["url"] for asked in camera.asked[2:4]] == [f"{camera.url}/picture", camera.url]
    assert camera.asked[-1]["session"] == "17"


def test_pieces_of_any_size_make_no_difference() -> None:
    data, cut = b"".join(SENT), random.Random(1)
    with ScriptedCamera() as camera:
        stream = opened(camera)

        def send() -> None:
            at = 0
            while at < len(data):
                end = at + cut.choice((1, 2, 3, 700, 1500))
                camera.send(data[at:end])
                at = end

        sender = threading.Thread(target=send)
        sender.start()
        found = take(stream, len(SENT))
        sender.join()
        stream.close()
    assert [one.data for one in found] == expected(len(SENT))
    times = [one.pts or 0 for one in found]
    assert [time - times[0] for time in times] == [number * 100_000 // 3 for number in range(12)]
    assert [one.key for one in found] == [True] + [False] * 11


def test_packets_around_the_answer_to_play_are_not_lost() -> None:
    def play(asked: Asked) -> bytes:
        return SENT[0] + answer(200)(asked) + SENT[1]

    with ScriptedCamera(PLAY=play) as camera:
        stream = opened(camera)
        camera.send(SENT[2])
        assert [one.data for one in take(stream, 3)] == expected(3)
        stream.close()


def test_a_camera_that_stammers_is_read_and_its_noise_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ScriptedCamera() as camera:
        stream = opened(camera)
        camera.send(SENT[0] + b"\x00noise\xff" + SENT[1] + b"$\x09\x00\x01x" + SENT[2])
        assert [one.data for one in take(stream, 3)] == expected(3)
        stream.close()
    assert "bytes meant nothing" in caplog.text


def test_channels_and_urls_are_those_that_the_camera_says() -> None:
    setup = answer(200, "Session: 9", "Transport: RTP/AVP/TCP;interleaved=4-5")
    describe = answer(200, "Content-Base: rtsp://127.0.0.1/base/", body=H264)
    with ScriptedCamera(SETUP=setup, DESCRIBE=describe) as camera:
        stream = opened(camera)
        camera.send(SENT[0] + pictures(1, channel=4)[0])
        assert len(take(stream, 1)) == 1
        stream.close()
    assert camera.asked[2]["url"] == "rtsp://127.0.0.1/base/picture"
    assert camera.asked[3]["url"] == "rtsp://127.0.0.1/base/"


def test_a_certificate_that_the_camera_signed_itself_will_do(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)

    def play(asked: Asked) -> bytes:
        # By the thread that reads: OpenSSL's connections are for one thread at a time.
        return answer(200)(asked) + b"".join(SENT[:3])

    with ScriptedCamera(PLAY=play).secure(tls) as camera:
        stream = opened(camera)
        assert [one.data for one in take(stream, 3)] == expected(3)
        stream.interrupt()
        assert take(stream, 1) == []
        stream.close()


# ── user and password ────────────────────────────────────────────────────────────────────────


def guarded(granted: Script) -> Script:
    """A camera that wants a digest, once."""

    def say(asked: Asked) -> bytes:
        if "authorization" in asked:
            return granted(asked)
        return answer(401, DIGEST.format("n1"))(asked)

    return say


def test_a_digest_is_given_where_it_is_asked_for_and_from_then_on() -> None:
    with ScriptedCamera(DESCRIBE=guarded(answer(200, body=H264))) as camera:
        stream = opened(camera, "admin:s3cret@")
        stream.close()
    assert camera.methods[:4] == ["OPTIONS", "DESCRIBE", "DESCRIBE", "SETUP"]
    assert "authorization" not in camera.asked[1]
    assert 'username="admin"' in camera.asked[2]["authorization"]
    assert "nc=00000002" in camera.asked[3]["authorization"]
    assert all("s3cret" not in word for asked in camera.asked for word in asked.values())


def test_a_wrong_password_is_tried_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedCamera(DESCRIBE=answer(401, DIGEST.format("n"))) as camera:
        assert fault(camera, "admin:s3cret@") == "source_unauthorized"
    assert camera.methods == ["OPTIONS", "DESCRIBE", "DESCRIBE"]
    assert "s3cret" not in caplog.text


def test_without_a_password_nothing_is_tried() -> None:
    with ScriptedCamera(DESCRIBE=answer(401, DIGEST.format("n"))) as camera:
        assert fault(camera) == "source_unauthorized"
    assert camera.methods == ["OPTIONS", "DESCRIBE"]


def test_a_nonce_that_is_too_old_is_renewed() -> None:
    describe = in_turn(
        answer(401, DIGEST.format("n1")),
        answer(401, DIGEST.format("n2") + ", stale=true"),
        answer(200, body=H264),
    )
    with ScriptedCamera(DESCRIBE=describe) as camera:
        opened(camera, "admin:s3cret@").close()
    assert 'nonce="n2"' in camera.asked[3]["authorization"]


# ── while it plays ───────────────────────────────────────────────────────────────────────────


def watched(camera: ScriptedCamera, stream: OpenRtspCamera) -> Iterator[None]:
    """Lets the camera send and the client read, as long as somebody looks; ten seconds or more."""
    packets = packets_of(stream)
    for piece in pictures(1000):
        camera.send(piece)
        next(packets)
        time.sleep(0.01)  # the camera's pace
        yield
    raise AssertionError("it did not come")


def short_session(**scripts: Script) -> ScriptedCamera:
    setup = answer(200, "Session: 5;timeout=1", "Transport: RTP/AVP/TCP;interleaved=0-1")
    return ScriptedCamera(SETUP=setup, **scripts)


def test_a_session_is_kept_alive_in_time() -> None:
    with short_session() as camera:
        stream = opened(camera)
        for _ in watched(camera, stream):
            if camera.methods.count("GET_PARAMETER") == 2:
                break
        stream.close()


def test_a_camera_without_parameters_is_asked_for_its_options() -> None:
    with short_session(GET_PARAMETER=answer(501)) as camera:
        stream = opened(camera)
        for _ in watched(camera, stream):
            if camera.methods[-2:] == ["OPTIONS", "OPTIONS"]:
                break
        stream.close()
    kept_alive = camera.methods[camera.methods.index("PLAY") + 1 :]
    # It is asked again until its refusal has come, which may take longer than half a second.
    later = kept_alive[kept_alive.index("OPTIONS") :]
    assert "GET_PARAMETER" in kept_alive
    assert "GET_PARAMETER" not in later


def test_a_nonce_that_ends_while_it_plays_is_renewed() -> None:
    keep = in_turn(answer(401, DIGEST.format("n2")), answer(200))
    with short_session(DESCRIBE=guarded(answer(200, body=H264)), GET_PARAMETER=keep) as camera:
        stream = opened(camera, "admin:s3cret@")
        for _ in watched(camera, stream):
            kept_alive = [asked for asked in camera.asked if asked["method"] == "GET_PARAMETER"]
            if any('nonce="n2"' in asked["authorization"] for asked in kept_alive):
                break
        stream.close()


def test_the_camera_is_told_what_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "REPORT_SECONDS", 0.1)
    with ScriptedCamera() as camera:
        stream = opened(camera)
        for _ in watched(camera, stream):
            if len(camera.reports) == 2:
                break
        stream.close()
    assert all(report[1] == 201 and report[8:12] == b"ssrc" for report in camera.reports)


def test_what_a_camera_asks_is_answered() -> None:
    with ScriptedCamera() as camera:
        stream = opened(camera)
        camera.send(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" + SENT[0])
        assert len(take(stream, 1)) == 1
        stream.close()


def test_a_camera_that_falls_silent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "READ_SECONDS", 0.2)
    with ScriptedCamera() as camera:
        stream = opened(camera)
        camera.send(SENT[0])
        with pytest.raises(SourceError, match="stopped sending") as caught:
            take(stream, 2)
        stream.close()
    assert caught.value.code == "source_interrupted"


def test_reports_without_media_are_silence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "READ_SECONDS", 0.2)
    with ScriptedCamera() as camera:
        stream = opened(camera)
        stop = threading.Event()

        def report() -> None:
            while not stop.wait(0.02):
                camera.send(b"$\x01\x00\x04\x80\xc8\x00\x00")

        reporter = threading.Thread(target=report)
        reporter.start()
        try:
            with pytest.raises(SourceError, match="stopped sending"):
                take(stream, 1)
        finally:
            stop.set()
            reporter.join()
        stream.close()


@pytest.mark.parametrize("last", [b"", b"\x00" * 70_000, SENT[1][:300]])
def test_a_camera_that_hangs_up_is_told(last: bytes) -> None:
    with ScriptedCamera() as camera:
        stream = opened(camera)
        camera.send(SENT[0] + last)
        camera.hang_up()
        with pytest.raises(SourceError, match="stopped sending"):
            take(stream, 2)
        stream.close()


def test_reading_is_interrupted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "READ_SECONDS", 3600.0)
    with ScriptedCamera() as camera:
        stream = opened(camera)
        threading.Timer(0.1, stream.interrupt).start()
        assert list(stream.packets()) == []
        stream.close()
    assert camera.methods[-1] == "TEARDOWN"


# ── what is wrong ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (answer(403), "source_unauthorized"),
        (answer(404), "source_not_found"),
        (answer(453), "source_not_a_camera"),
        (answer(503), "source_unreachable"),
        (answer(302), "source_not_a_camera"),
        (answer(302, "Location: http://127.0.0.1/"), "source_not_a_camera"),
        (answer(200, body="v=0\r\nm=application 0 RTP/AVP 99\r\n"), "source_not_a_camera"),
        (answer(200, "Content-Length: 999999999"), "source_not_a_camera"),
        (raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "source_not_a_camera"),
        (raw(b"RTSP/1.0 200 OK\r\n" + b"a" * 20_000), "source_not_a_camera"),
    ],
)
def test_what_a_camera_answers_has_a_code(script: Script, code: str) -> None:
    with ScriptedCamera(DESCRIBE=script) as camera:
        assert fault(camera) == code


def test_what_speaks_no_rtsp_is_no_camera() -> None:
    with ScriptedCamera(OPTIONS=raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as camera:
        assert fault(camera) == "source_not_a_camera"


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_camera_that_says_nothing_is_given_up(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "READ_SECONDS", 0.2)
    with ScriptedCamera(**{method: raw(b"")}) as camera, pytest.raises(SourceError) as caught:
        opened(camera)
    assert "says nothing" in str(caught.value)


def test_a_redirection_is_followed_once() -> None:
    with ScriptedCamera() as there:
        with ScriptedCamera(DESCRIBE=answer(302, f"Location: {there.url}")) as here:
            opened(here).close()
        with ScriptedCamera(DESCRIBE=answer(302, "Location: /live")) as here:
            assert fault(here) == "source_not_a_camera"
    assert there.methods[:2] == ["OPTIONS", "DESCRIBE"]
    assert here.methods.count("DESCRIBE") == 2


# ── what FFmpeg reads ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "scripts",
    [
        {"DESCRIBE": answer(200, body=MJPEG)},
        {"SETUP": answer(461)},
        {"SETUP": answer(200, "Session: 1", "Transport: RTP/AVP;unicast;client_port=4-5")},
    ],
)
def test_what_is_not_for_us_is_left_to_ffmpeg(
    scripts: dict[str, Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = object()
    monkeypatch.setattr(rtsp, "open_with_ffmpeg", lambda *_: stand_in)
    with ScriptedCamera(**scripts) as camera:
        assert rtsp.RtspCamera(Address.parse(camera.url)).open() is stand_in


def test_a_camera_whose_tls_is_not_ours_is_left_to_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = object()
    monkeypatch.setattr(rtsp, "open_with_ffmpeg", lambda *_: stand_in)
    with http_port() as port:
        address = Address.parse(port.replace("rtsp:", "rtsps:"))
        assert rtsp.RtspCamera(address).open() is stand_in
