"""The fMP4 leg: the camera's own picture and sound over a data channel, for MSE.

PROTOCOL.md §12 says what travels. The fragments are not ours: they wait in the camera's
``Fragments``, and a viewer whose channel is full just has its place there.
"""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from publisher.media.fanout import FanOut
from publisher.media.format import Format
from publisher.media.fragments import Fragment, Generation, Live, Reader, Skip, Step
from publisher.media.units import Unit
from publisher.rtc.channel import Channel, ChannelDoor
from publisher.rtc.peer import Peer
from rendezvous.wire.messages import IceCandidate, IcePolicy, IceServer

LABEL = "media"
PROTOCOL = "porthole.fmp4.v1"
REPLAY_SECONDS = 1.0  # between two replays that a viewer may ask for
_TEXT_LENGTH = 200  # characters; longer ones are none of ours


class Fmp4Leg:
    """From the camera's fan-out to one browser."""

    def __init__(
        self,
        fan_out: FanOut,
        ice_servers: Sequence[IceServer],
        policy: IcePolicy,
        on_state: Callable[[str], None],
        *,
        on_candidate: Callable[[IceCandidate | None], None] | None = None,
    ) -> None:
        self._fan_out = fan_out
        self._on_state = on_state
        self._reader = Reader(fan_out.fragments)
        self.channel: Channel | None = None
        self._generations = 0
        self._replayed = -REPLAY_SECONDS
        self.peer = Peer(ice_servers, policy, on_state, lambda: None, on_candidate)
        self.peer.open_to(ChannelDoor(LABEL, PROTOCOL, self._open))

    def suits(self, _media: Format) -> bool:
        """Always: a new format is another generation on the same channel."""
        return True

    @property
    def silence(self) -> float:
        """Seconds since the viewer's last sign of life on the media path."""
        return self.peer.silence

    @property
    def local_address(self) -> str | None:
        """The IP address that media leaves from; None: there is no way now."""
        return self.peer.local_address

    async def answer(self, offer: str) -> str:
        """The answer to the viewer's offer. Raises OfferRefusedError."""
        return await self.peer.answer(offer)

    async def add_candidate(self, candidate: IceCandidate | None) -> None:
        """A candidate of the viewer."""
        await self.peer.add_candidate(candidate)

    def put(self, _unit: Unit) -> None:
        """From the fan-out, whose fragments have the unit already."""
        self._send_on()

    put_video = put_audio = put_aac = put

    def fail(self) -> None:
        """From the fan-out."""
        self.peer.hang_up()

    @property
    def losses(self) -> str:
        """What did not reach the viewer, in words; empty when all did."""
        counts = {
            "pictures skipped": self._reader.skipped,
            **self.peer.losses,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

    async def close(self) -> None:
        """Stops sending; idempotent."""
        self.channel = None
        self._fan_out.unsubscribe(self)
        await self.peer.close()

    # ── the channel ──────────────────────────────────────────────────────────────────────────

    def _open(self, channel: Channel) -> None:
        self.channel = channel
        channel.watch(self._send_on, self._hear, self._channel_closed)
        self._fan_out.subscribe(self)
        self._send_on()

    def _channel_closed(self) -> None:
        self._fan_out.unsubscribe(self)
        self._on_state("closed")

    def _hear(self, text: str) -> None:
        if _type_of(text) != "replay" or time.monotonic() - self._replayed < REPLAY_SECONDS:
            return
        self._replayed = time.monotonic()
        self._reader.begin_anew()
        self._send_on()

    def _send_on(self) -> None:
        """As much as there is, and as there is room for."""
        while self.channel and self.channel.has_room and (step := self._reader.next()):
            for message in self._messages(step):
                self.channel.send(message)

    def _messages(self, step: Step) -> tuple[str | bytes, ...]:
        match step:
            case Fragment():
                return (step.data,)
            case Generation():
                self._generations += 1
                said = _text("stream", generation=self._generations, mime=step.mime)
                return (said, step.init)
            case Skip(pictures=pictures):
                return (_text("skipped", pictures=pictures),)
            case Live():
                return (_text("live"),)


def _text(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


def _type_of(text: str) -> str:
    """Of a viewer's message; empty when it is none that is known."""
    try:
        message = json.loads(text) if len(text) <= _TEXT_LENGTH else None
    except ValueError:
        return ""
    return str(message.get("type", "")) if isinstance(message, dict) else ""
