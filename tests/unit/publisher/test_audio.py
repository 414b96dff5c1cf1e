"""Sound leaves as Opus or as the camera's own G.711, in step with its times."""

from fractions import Fraction
from itertools import pairwise

import av
import pytest
from av.audio.resampler import AudioResampler

from publisher.media.audio import (
    OPUS_RATE,
    ToOpus,
    UntouchedG711,
    UntouchedOpus,
    audio_pipeline,
)
from publisher.media.packets import SECOND, Packet, Stream
from publisher.sources.pattern import tone

RATE = 48_000


def aac_packets(seconds: int) -> tuple[bytes, list[Packet]]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "fltp"
    encoder.time_base = Fraction(1, RATE)
    encoder.open()
    resampler = AudioResampler("fltp", "mono", RATE)
    packets = []
    for start in range(0, seconds * RATE, 1024):
        for sound in resampler.resample(_sound(start, 1024)):
            for coded in encoder.encode(sound):
                time = (coded.pts or 0) * SECOND // RATE
                packets.append(Packet("audio", bytes(coded), time, time, key=True))
    return encoder.extradata or b"", packets


def _sound(start: int, samples: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
    frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
    frame.planes[0].update(tone(start, samples))
    return frame


def test_aac_becomes_opus_of_20_ms_without_gap_or_drift() -> None:
    extradata, packets = aac_packets(2)
    stream = Stream("audio", "aac", extradata, sample_rate=RATE, channels=1)
    pipeline = audio_pipeline(stream)
    assert isinstance(pipeline, ToOpus)
    now = 5 * SECOND
    blocks = [b for p in packets for b in pipeline.feed(p, now + (p.pts or 0))]
    times = [block.pts for block in blocks]
    assert {later - earlier for earlier, later in pairwise(times)} == {20_000}
    assert blocks[0].clock_rate == OPUS_RATE
    # The first block carries the sound of the first packet: encoder delays stay below 50 ms.
    assert abs(blocks[0].pts - now) < 50_000


def test_broken_aac_is_counted_and_the_sound_goes_on() -> None:
    extradata, packets = aac_packets(1)
    stream = Stream("audio", "aac", extradata, sample_rate=RATE, channels=1)
    pipeline = ToOpus(stream)
    before = sum(len(list(pipeline.feed(p, p.pts or 0))) for p in packets[:20])
    list(pipeline.feed(Packet("audio", b"\xff" * 40, SECOND // 2, SECOND // 2, key=True), 0))
    after = sum(len(list(pipeline.feed(p, p.pts or 0))) for p in packets[20:])
    assert before
    assert after
    assert pipeline.lost == 1


@pytest.mark.parametrize(
    ("codec", "rate", "name"),
    [("pcm_alaw", 8000, "PCMA"), ("pcm_mulaw", 8000, "PCMU"), ("opus", 48000, "opus")],
)
def test_what_browsers_know_passes_untouched(codec: str, rate: int, name: str) -> None:
    pipeline = audio_pipeline(Stream("audio", codec, sample_rate=rate, channels=1))
    assert isinstance(pipeline, UntouchedG711 | UntouchedOpus)
    assert pipeline.codec == name
    (block,) = pipeline.feed(Packet("audio", b"sound", 0, 0, key=True), SECOND)
    assert block.data == b"sound"
    assert (block.pts, block.clock_rate) == (SECOND, rate)


def test_a_long_packet_of_g711_is_cut_to_fit_into_datagrams() -> None:
    pipeline = audio_pipeline(Stream("audio", "pcm_alaw", sample_rate=8000, channels=1))
    assert pipeline
    sound = bytes(number % 251 for number in range(2000))
    blocks = list(pipeline.feed(Packet("audio", sound, 0, 0, key=True), SECOND))
    assert b"".join(block.data for block in blocks) == sound
    assert [block.pts - SECOND for block in blocks] == [0, 120_000, 240_000]


def test_opus_that_fits_into_no_datagram_is_left_out_and_counted() -> None:
    pipeline = audio_pipeline(Stream("audio", "opus", sample_rate=48_000, channels=2))
    assert pipeline
    assert list(pipeline.feed(Packet("audio", bytes(1500), 0, 0, key=True), SECOND)) == []
    assert pipeline.lost == 1


def test_opus_with_more_than_two_channels_is_mixed_down() -> None:
    surround = Stream("audio", "opus", sample_rate=48_000, channels=6)
    assert not isinstance(audio_pipeline(surround), UntouchedOpus)


def test_sound_whose_rate_changes_goes_on() -> None:
    pipeline = ToOpus(Stream("audio", "aac", sample_rate=44_100, channels=2))
    frames = [_sound(0, 1024), _sound(0, 1024)]
    frames[0].sample_rate = 44_100
    for frame in frames:
        assert isinstance(pipeline._resample(frame), list)


def test_g711_at_another_rate_is_made_opus() -> None:
    stream = Stream("audio", "pcm_alaw", sample_rate=16_000, channels=1)
    assert isinstance(audio_pipeline(stream), ToOpus)


def test_a_codec_that_nothing_decodes_leaves_the_picture_alone() -> None:
    assert audio_pipeline(Stream("audio", "no_such_codec")) is None
