"""Sender and receiver reports (RFC 3550 §6.4), as many as a viewer of a camera needs."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

SENDER_REPORT: Final = 200
_RECEIVER_REPORT: Final = 201
_SOURCE_DESCRIPTION: Final = 202
_CNAME: Final = 1
_SENDER_INFO: Final = 28  # bytes up to the first report block
_NTP_MIDDLE: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class SenderReport:
    """At ``ntp`` of the camera's clock (1/2³² s) its stream was at ``timestamp``."""

    ssrc: int
    ntp: int
    timestamp: int

    @property
    def microseconds(self) -> int:
        """The camera's clock."""
        return self.ntp * 1_000_000 >> 32


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What we have of one source."""

    ssrc: int
    lost: int
    highest: int
    last_report: SenderReport | None = None
    since: float = 0.0  # seconds since that came


def sender_reports(data: memoryview) -> Iterator[SenderReport]:
    """Those of a compound packet, as far as it can be read."""
    while len(data) >= 4:  # noqa: PLR2004
        length = 4 + 4 * int.from_bytes(data[2:4])
        if data[1] == SENDER_REPORT and min(length, len(data)) >= _SENDER_INFO:
            yield SenderReport(*struct.unpack_from(">IQI", data, 4))
        data = data[length:]


def receiver_report(ssrc: int, name: str, blocks: Iterable[ReportBlock]) -> bytes:
    """A compound packet, the source description included (§6.1)."""
    reports = b"".join(map(_block, blocks))
    count = len(reports) // 24
    head = struct.pack(">BBHI", 0x80 | count, _RECEIVER_REPORT, 1 + len(reports) // 4, ssrc)
    item = struct.pack(">BB", _CNAME, len(name)) + name.encode()
    item += bytes(4 - len(item) % 4)  # at least one zero ends the list
    length = 1 + len(item) // 4
    return head + reports + struct.pack(">BBHI", 0x81, _SOURCE_DESCRIPTION, length, ssrc) + item


def _block(block: ReportBlock) -> bytes:
    last = block.last_report.ntp >> 16 & _NTP_MIDDLE if block.last_report else 0
    delay = round(block.since * 65536) if last else 0
    lost = min(block.lost, 0x7FFFFF)
    highest = block.highest & 0xFFFFFFFF
    return struct.pack(">IIIIII", block.ssrc, lost, highest, 0, last, delay & 0xFFFFFFFF)
