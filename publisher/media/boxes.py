"""Fragmented MP4 as bytes: the initialization segment, and fragments of one sample each.

Sections are those of ISO/IEC 14496-12:2022. FFmpeg's muxer hands over a fragment only when the
next frame of its track has come, which is one frame of delay, so it is written here.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_ENABLED_IN_MOVIE = 3  # track_enabled and track_in_movie, §8.3.2.3
_UNDETERMINED = 0x55C4  # the language "und", §8.4.2.3
_SELF_CONTAINED = 1  # §8.7.2.2: the media is in this very file
_MOVIE_TIMESCALE = 1000  # of durations that a live movie does not have

# Sample flags, §8.8.3.1: what a sample depends on, and whether decoding can begin with it.
_SYNC = 0x02000000
_NON_SYNC = 0x01010000

_BASE_IS_MOOF = 0x020000  # tfhd, §8.8.7.1: data offsets count from the moof
# trun, §8.8.8.1: data offset; and of each sample duration, size, flags and composition offset.
_TRUN_FIELDS = 0x000001 | 0x000100 | 0x000200 | 0x000400 | 0x000800
_MDAT_HEADER = 8


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of §4.2."""
    payload = b"".join(parts)
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


@dataclass(frozen=True, slots=True)
class Track:
    """What an initialization segment says of one track."""

    number: int  # from 1
    kind: Literal["video", "audio"]
    timescale: int  # ticks a second
    sample_entry: bytes
    codec: str  # RFC 6381
    width: int = 0
    height: int = 0
    frame: int = 0  # samples of each frame of sound; 0: they differ


@dataclass(frozen=True, slots=True)
class Timing:
    """When a sample is decoded, how much later it is shown, how long it lasts; in ticks."""

    decode: int
    composition_offset: int
    duration: int


def init_segment(tracks: Sequence[Track]) -> bytes:
    """What a reader must have before the first fragment."""
    header = full_box(
        b"mvhd",
        0,
        0,
        struct.pack(">4I", 0, 0, _MOVIE_TIMESCALE, 0),
        struct.pack(">IH10x", 0x10000, 0x0100),  # rate and volume
        _UNITY_MATRIX,
        bytes(24),
        struct.pack(">I", len(tracks) + 1),  # next_track_ID
    )
    extends = (full_box(b"trex", 0, 0, struct.pack(">5I", t.number, 1, 0, 0, 0)) for t in tracks)
    movie = box(b"moov", header, *map(_track, tracks), box(b"mvex", *extends))
    return box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"iso5", b"mp41") + movie


def _track(track: Track) -> bytes:
    header = full_box(
        b"tkhd",
        0,
        _ENABLED_IN_MOVIE,
        struct.pack(">5I8x", 0, 0, track.number, 0, 0),
        struct.pack(">HHHxx", 0, 0, 0x0100 if track.kind == "audio" else 0),  # volume
        _UNITY_MATRIX,
        struct.pack(">2I", track.width << 16, track.height << 16),
    )
    times = struct.pack(">4I2H", 0, 0, track.timescale, 0, _UNDETERMINED, 0)
    media = box(b"mdia", full_box(b"mdhd", 0, 0, times), _handler(track), _information(track))
    return box(b"trak", header, media)


def _handler(track: Track) -> bytes:
    kind = b"vide" if track.kind == "video" else b"soun"
    return full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, kind), b"\0")


def _information(track: Track) -> bytes:
    if track.kind == "video":
        media = full_box(b"vmhd", 0, 1, bytes(8))
    else:
        media = full_box(b"smhd", 0, 0, bytes(4))
    entry = full_box(b"url ", 0, _SELF_CONTAINED)
    reference = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), entry))
    return box(b"minf", media, reference, _sample_table(track))


def _sample_table(track: Track) -> bytes:
    """No samples: they all come in fragments."""
    return box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), track.sample_entry),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )


def fragment(sequence: int, track: Track, timing: Timing, sample: bytes, *, sync: bool) -> bytes:
    """A moof and its mdat with one sample."""
    header = full_box(b"mfhd", 0, 0, struct.pack(">I", sequence & 0xFFFFFFFF))
    track_header = full_box(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", track.number))
    decode_time = full_box(b"tfdt", 1, 0, struct.pack(">Q", timing.decode))
    run = struct.Struct(">IiIIIi")
    fixed = 8 + len(header) + 8 + len(track_header) + len(decode_time) + 12 + run.size
    fields = run.pack(
        1,
        fixed + _MDAT_HEADER,  # where the sample begins
        timing.duration,
        len(sample),
        _SYNC if sync else _NON_SYNC,
        timing.composition_offset,
    )
    samples = full_box(b"trun", 1, _TRUN_FIELDS, fields)
    moof = box(b"moof", header, box(b"traf", track_header, decode_time, samples))
    return moof + struct.pack(">I4s", _MDAT_HEADER + len(sample), b"mdat") + sample
