"""What a camera does with its pictures: NAL units, taken apart into RTP packets."""

from collections.abc import Iterator

from publisher.sources.rtsp.rtp import RtpPacket


def nal(codec: str, kind: int, size: int, *, first: bool = True) -> bytes:
    head = bytes([0x60 | kind]) if codec == "h264" else bytes([kind << 1, 1])
    return head + (b"\x88" if first else b"\x08") + b"\x55" * size


def sps(codec: str) -> bytes:
    return nal(codec, 7 if codec == "h264" else 33, 10)


def slice_(codec: str, size: int = 100, *, first: bool = True) -> bytes:
    return nal(codec, 1, size, first=first)


def key(codec: str, size: int = 100) -> bytes:
    return nal(codec, 5 if codec == "h264" else 19, size)


def payloads(codec: str, nals: list[bytes], limit: int) -> Iterator[bytes]:
    """A packetiser: small neighbours share a packet, large ones are cut."""
    small: list[bytes] = []
    for one in [*nals, None]:
        if one is not None and len(one) + 2 + sum(len(s) + 2 for s in small) < limit:
            small.append(one)
            continue
        if len(small) > 1:
            head = b"\x78" if codec == "h264" else bytes([48 << 1, 1])
            yield head + b"".join(len(s).to_bytes(2) + s for s in small)
        else:
            yield from small
        small = []
        if one is not None:
            yield from fragments(codec, one, limit)


def fragments(codec: str, one: bytes, limit: int) -> Iterator[bytes]:
    size = 1 if codec == "h264" else 2
    if len(one) <= limit:
        yield one
        return
    body = one[size:]
    step = limit - size - 1
    for begin in range(0, len(body), step):
        edge = (begin == 0) << 7 | (begin + step >= len(body)) << 6
        if codec == "h264":
            head = bytes([one[0] & 0xE0 | 28, edge | one[0] & 31])
        else:
            head = bytes([one[0] & 0x81 | 49 << 1, one[1], edge | one[0] >> 1 & 63])
        yield head + body[begin : begin + step]


def packets(
    codec: str, pictures: list[list[bytes]], limit: int = 1000, *, marker: bool = True
) -> list[RtpPacket]:
    found: list[RtpPacket] = []
    for number, nals in enumerate(pictures):
        parts = list(payloads(codec, nals, limit))
        for index, part in enumerate(parts):
            last = marker and index == len(parts) - 1
            found.append(RtpPacket(96, last, len(found), number * 3000, 1, memoryview(part)))
    return found
