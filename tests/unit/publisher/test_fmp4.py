"""What is muxed can be demuxed by others: the same bytes, at the same times."""

import io
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.media import bitstream, fmp4, h264
from publisher.media.bitstream import MalformedError
from publisher.media.boxes import Timing, Track, fragment, init_segment
from publisher.media.format import Format
from publisher.media.fragments import Fragments
from publisher.media.packets import SECOND
from publisher.media.tracks import AacConfig, tracks_of
from publisher.media.units import AccessUnit, AudioBlock
from publisher.sources.pattern import tone
from tests.support.films import FPS, START, Film, film

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"moof", b"traf"}


def muxed(played: Film) -> bytes:
    """The whole film as a viewer gets it."""
    fragments = Fragments()
    fragments.use(tracks_of(played.media))
    parts = []
    for unit in played.units:
        before = fragments.end
        fragments.add(unit)
        parts += [fragments[number] for number in range(before, fragments.end)]
    return parts[0].generation.init + b"".join(part.data for part in parts)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a demuxer finds; times in microseconds."""

    data: bytes
    key: bool
    pts: float
    dts: float
    duration: float


def demuxed(data: bytes) -> tuple[list[Sample], list[Sample]]:
    """Pictures and sounds."""
    found: dict[str, list[Sample]] = {"video": [], "audio": []}
    with av.open(io.BytesIO(data), "r") as file:
        for packet in file.demux():
            if packet.size:
                found[packet.stream.type].append(sample(packet))
    return found["video"], found["audio"]


def sample(packet: Any) -> Sample:
    times = (packet.pts, packet.dts, packet.duration)
    base = Fraction(packet.time_base) * SECOND
    return Sample(bytes(packet), packet.is_keyframe, *(float(time * base) for time in times))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"profile": "baseline"},
        {"bframes": 2},
        {"codec": "hevc"},
        {"codec": "hevc", "bframes": 2},
    ],
    ids=str,
)
def test_another_demuxer_finds_the_cameras_bytes_at_the_cameras_times(
    options: dict[str, Any],
) -> None:
    played = film(gop=10, **options)
    pictures, sounds = demuxed(muxed(played))
    assert len(pictures) == len(played.pictures)
    for picture, unit in zip(pictures, played.pictures, strict=True):
        nals = bitstream.split_length_prefixed(picture.data, 4)
        assert nals == bitstream.split_annex_b(unit.data)
        assert picture.key == unit.key
        assert abs(picture.pts - unit.pts) < 12  # a tick of 1/90000 s
        assert abs(picture.dts - unit.dts) < 12
    assert [sound.data for sound in sounds] == [frame.data for frame in played.sounds]
    for sound, frame in zip(sounds, played.sounds, strict=True):
        assert abs(sound.pts - frame.pts) < 21  # a tick of 1/48000 s


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_another_decoder_needs_nothing_but_the_file(codec: Any) -> None:
    """In which the parameter sets stand at the front as well."""
    played = film(codec=codec, seconds=0.5, size=(328, 184))
    with av.open(io.BytesIO(muxed(played)), "r") as file:
        (video,), (audio,) = file.streams.video, file.streams.audio
        assert (video.codec_context.name, audio.codec_context.name) == (codec, "aac")
        assert (audio.codec_context.sample_rate, audio.codec_context.channels) == (48_000, 1)
        assert video.codec_context.extradata
        pictures = list(file.decode(video))
    assert len(pictures) == len(played.pictures)
    assert {(picture.width, picture.height) for picture in pictures} == {(328, 184)}


def test_the_configuration_of_h264_is_the_one_that_ffmpeg_writes() -> None:
    """Byte for byte, also for profiles whose record says more."""
    played = film(seconds=0.2, profile="high", sound=False)
    entry = tracks_of(played.media)[0].sample_entry
    raw = io.BytesIO(b"".join(unit.data for unit in played.pictures))
    stored = io.BytesIO()
    with av.open(raw, "r", format="h264") as stream, av.open(stored, "w", format="mp4") as file:
        copy = file.add_stream_from_template(stream.streams.video[0])
        for number, packet in enumerate(stream.demux()):
            if packet.size:
                packet.pts = packet.dts = number
                packet.time_base = Fraction(1, FPS)
                packet.stream = copy
                file.mux(packet)
    assert h264.Sps.parse(played.media.parameter_sets[0]).profile_idc == 100
    assert find(entry, b"avcC") == find(stored.getvalue(), b"avcC")


def find(data: bytes, kind: bytes) -> bytes:
    at = data.index(kind)
    return data[at - 4 : at - 4 + int.from_bytes(data[at - 4 : at])]


def layout(data: bytes) -> list[Any]:
    """The boxes: their kinds, and what the containers hold."""
    found: list[Any] = []
    while data:
        size, kind = struct.unpack_from(">I4s", data)
        assert 8 <= size <= len(data)
        found.append(
            [kind.decode(), *layout(data[8:size])] if kind in CONTAINERS else kind.decode()
        )
        data = data[size:]
    return found


def test_the_boxes_are_those_of_the_byte_stream_format() -> None:
    video = Track(1, "video", 90_000, b"", "avc1.42c01f", 1280, 720)
    audio = Track(2, "audio", 48_000, b"", "mp4a.40.2", frame=1024)

    def track(media: str) -> list[Any]:
        table = ["stbl", "stsd", "stts", "stsc", "stsz", "stco"]
        return ["trak", "tkhd", ["mdia", "mdhd", "hdlr", ["minf", media, ["dinf", "dref"], table]]]

    extends = ["mvex", "trex", "trex"]
    assert layout(init_segment((video, audio))) == [
        "ftyp",
        ["moov", "mvhd", track("vmhd"), track("smhd"), extends],
    ]
    made = fragment(7, video, Timing(2**33, -5, 3000), b"sample", sync=False)
    assert layout(made) == [["moof", "mfhd", ["traf", "tfhd", "tfdt", "trun"]], "mdat"]
    assert made == bytes.fromhex(
        "00000068 6d6f6f66 00000010 6d666864 00000000 00000007 00000050 74726166 00000010 74666864 "
        "00020000 00000001 00000014 74666474 01000000 00000002 00000000 00000024 7472756e 01000f01 "
        "00000001 00000070 00000bb8 00000006 01010000 fffffffb 0000000e 6d646174 73616d70 6c65"
    )


@given(
    st.lists(st.binary(min_size=1, max_size=40).map(lambda b: b"\x41" + b.replace(b"\0", b"\1")))
)
def test_every_nal_unit_gets_its_length_and_keeps_its_bytes(nals: list[bytes]) -> None:
    track = Track(1, "video", 90_000, b"", "")
    unit = AccessUnit(bitstream.join_annex_b(nals), 0, 0, key=True)
    made = fmp4.picture(1, track, unit, Timing(0, 0, 1))
    sample = made[made.index(b"mdat") + 4 :]
    assert bitstream.split_length_prefixed(sample, 4) == nals


def opus_blocks() -> list[AudioBlock]:
    """100 ms as RTP carries it."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.time_base = Fraction(1, 48_000)
    packets = []
    for begin in range(0, 4800, 960):
        sound = av.AudioFrame(format="s16", layout="mono", samples=960)
        sound.sample_rate, sound.pts, sound.time_base = 48_000, begin, Fraction(1, 48_000)
        sound.planes[0].update(tone(begin, 960))
        packets += encoder.encode(sound)
    return [
        AudioBlock(bytes(packet), START + number * 20_000, 48_000)
        for number, packet in enumerate(packets)
    ]


def with_sound(played: Film, codec: str) -> Format:
    return replace(played.media, audio_codec=codec)


def test_opus_is_what_mp4_carries_of_a_camera_without_aac() -> None:
    played = film(seconds=0.2, sound=False)
    blocks = opus_blocks()
    fragments = Fragments()
    fragments.use(tracks_of(with_sound(played, "opus")))
    for unit in (*played.units[:1], *blocks):
        fragments.add(unit)
    generation = fragments[0].generation
    assert generation.mime.endswith(',opus"')
    data = generation.init + b"".join(fragments[n].data for n in range(fragments.end))
    sounds = demuxed(data)[1]
    assert [sound.data for sound in sounds] == [block.data for block in blocks]
    assert {sound.duration for sound in sounds} == {20_000}
    with av.open(io.BytesIO(data), "r") as file:
        assert sum(f.samples for f in file.decode(file.streams.audio[0])) == 960 * len(blocks)


def test_g711_has_no_place_in_mp4_and_leaves_the_picture_alone() -> None:
    video, audio = tracks_of(with_sound(film(seconds=0.1, sound=False), "PCMA"))
    assert video.kind == "video"
    assert audio is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("1190", AacConfig(48_000, 2, 1024)),
        ("1208", AacConfig(44_100, 1, 1024)),
        ("158c", AacConfig(8_000, 1, 960)),
        ("178001f408", AacConfig(1000, 1, 1024)),
        ("2b8a0800", AacConfig(22_050, 1, 1024)),  # HE-AAC: 44.1 kHz leave the decoder
    ],
)
def test_an_audio_specific_config_says_how_long_a_frame_lasts(
    config: str, expected: AacConfig
) -> None:
    assert AacConfig.parse(bytes.fromhex(config)) == expected


@pytest.mark.parametrize("config", ["", "11", "16e8"])
def test_a_broken_audio_specific_config_is_told(config: str) -> None:
    with pytest.raises(MalformedError):
        AacConfig.parse(bytes.fromhex(config))


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_stream_without_all_its_parameter_sets_is_none(codec: Any) -> None:
    media = film(seconds=0.1, codec=codec, sound=False).media
    with pytest.raises(MalformedError):
        tracks_of(replace(media, parameter_sets=media.parameter_sets[:1]))


@pytest.mark.parametrize(
    ("packet", "samples"),
    [("08", 960), ("1f05", 14_400), ("f0", 480), ("f1", 960), ("e0", 120), ("1b00", 0), ("ff", 0)],
)
def test_an_opus_packet_says_how_long_it_lasts(packet: str, samples: int) -> None:
    assert fmp4.opus_samples(bytes.fromhex(packet)) == samples
