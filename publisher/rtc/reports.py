"""Sender reports (RFC 3550 §6.4.1), in the camera's clock.

Stock senders report the moment of sending, so that a late picture is shown in step with a sound
that was not late. And they wake for each report: with many viewers that is always, and what wakes a
process costs ten times as much as what it then does. Here a report leaves behind its picture.
"""

import random
import struct
import time
from typing import Final

from aiortc.rtp import RtcpSdesPacket, RtcpSourceInfo

_NTP_EPOCH: Final = 2_208_988_800  # seconds from 1900 to 1970, RFC 868
# One offset for the life of the process: when the wall clock is set meanwhile, the sender reports
# of sound and picture must not disagree.
_WALL_OFFSET: Final = time.time() - time.monotonic()
# Receivers answer with the middle 32 bits of a report's time. Two of one picture must differ in it,
# for who waits for the answer; a millisecond at the most.
_ALIKE: Final = 64
_SENDER_REPORT: Final = struct.Struct("!BBHIQIII")
_HEAD: Final = (0x80, 200, 6)  # version, no blocks; SR; words that follow the first
_CNAME: Final = 1  # §6.5.1


def ntp_time(pts: int, index: int) -> int:
    """When the unit of this time, in microseconds, was made: NTP (§4), for report ``index``."""
    ntp = int((pts / 1_000_000 + _WALL_OFFSET + _NTP_EPOCH) * (1 << 32))
    return ntp + (index % _ALIKE << 16)


class Reports:
    """Those of one stream; times are in seconds of the monotonic clock."""

    def __init__(self, ssrc: int, cname: str, now: float) -> None:
        self._ssrc = ssrc
        source = RtcpSourceInfo(ssrc=ssrc, items=[(_CNAME, cname.encode())])
        self._description = bytes(RtcpSdesPacket(chunks=[source]))
        self._made = 0
        self.due = now + _pause()
        """From when on the next one is to be sent."""

    def make(self, pts: int, timestamp: int, packets: int, octets: int) -> tuple[int, bytes]:
        """The next one's NTP time, and the compound packet (§6.1), not encrypted.

        What it reports of: the unit that was sent last, and its timestamp; packets and octets of
        payload until now.
        """
        self._made += 1
        ntp = ntp_time(pts, self._made)
        counts = packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
        report = _SENDER_REPORT.pack(*_HEAD, self._ssrc, ntp, timestamp, *counts)
        return ntp, report + self._description

    def sent(self, now: float) -> None:
        """It has left."""
        self.due = now + _pause()


def _pause() -> float:
    """Seconds, as aiortc's."""
    return random.uniform(0.5, 1.5)  # noqa: S311
