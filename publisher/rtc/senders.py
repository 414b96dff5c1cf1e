"""All that one peer is sent: a sender for each track, over one path, and what they count."""

from collections.abc import Callable, Iterator, Sequence

from aioice.ice import Connection
from aiortc import MediaStreamTrack, RTCPeerConnection

from publisher.rtc import private, sdp
from publisher.rtc.configuration import preferences
from publisher.rtc.path import Path
from publisher.rtc.sender import CameraSender, DirectSender
from publisher.rtc.stream import RtpStream


class Senders:
    """``send`` what there is, then ``add`` it when it is known what is wanted."""

    def __init__(self, on_heard: Callable[[], None], on_picture_lost: Callable[[], None]) -> None:
        self._on_heard = on_heard
        self._on_picture_lost = on_picture_lost
        self._wanted: list[tuple[MediaStreamTrack, Sequence[str]]] = []
        self._path: Path | None = None
        self.all: list[CameraSender] = []

    def send(self, track: MediaStreamTrack, codecs: Sequence[str]) -> None:
        """The track, as one of these codecs in this order (see ``preferences``)."""
        self._wanted.append((track, codecs))

    def add(self, connection: RTCPeerConnection, offer: str | None = None) -> None:
        """Transceivers; to answer an offer only those that it asks for.

        With one too many aiortc answers nothing at all.
        """
        for track, codecs in self._wanted:
            if offer is None or sdp.has_section(offer, track.kind):
                self._add(connection, track, codecs)
        self._wanted.clear()

    def _add(
        self, connection: RTCPeerConnection, track: MediaStreamTrack, codecs: Sequence[str]
    ) -> None:
        transceiver = connection.addTransceiver(track, direction="sendonly")
        # Before the negotiation: later they have no effect, and it would be VP8.
        transceiver.setCodecPreferences(preferences(track.kind, codecs))
        road = private.sender_type()
        sender = road.adopt(transceiver.sender, self._on_heard, self._on_picture_lost)
        if isinstance(sender, DirectSender):
            sender.path_over = self._path_over
        self.all.append(sender)

    def _path_over(self, ice: Connection) -> Path:
        """The one path of all streams: they are bundled."""
        if self._path is None:
            self._path = Path(ice)
        return self._path

    def close(self) -> None:
        """Lets go of the path; idempotent."""
        if self._path:
            self._path.close()

    # ── figures ──────────────────────────────────────────────────────────────────────────────

    @property
    def kinds(self) -> list[str]:
        """Of the tracks that are sent."""
        return [sender.kind for sender in self.all]

    @property
    def estimate(self) -> int | None:
        """What the viewer thinks that the path carries, in bit/s; None: it has not said."""
        return next((s.estimate for s in self.all if s.estimate is not None), None)

    @property
    def losses(self) -> dict[str, int]:
        """What did not arrive, in words, and how often; of stock senders not all is known."""
        streams = list(self._streams())
        return {
            # Those that NACKs named (RFC 4585 §6.2.1).
            "packets asked for again": sum(sender.nacks for sender in self.all),
            "packets sent again": sum(stream.repaired for stream in streams),
            # Too old, or too many.
            "packets not sent again": sum(stream.unrepaired for stream in streams),
            "bursts not encrypted": sum(stream.unencrypted for stream in streams),
            # By PLI and FIR (RFC 4585 §6.3.1, RFC 5104 §4.3.1).
            "key frames asked for": sum(sender.plis for sender in self.all),
        }

    def _streams(self) -> Iterator[RtpStream]:
        for sender in self.all:
            if isinstance(sender, DirectSender) and sender.stream:
                yield sender.stream
