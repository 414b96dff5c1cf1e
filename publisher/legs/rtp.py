"""The RTP leg: the camera's H.264, with Opus or G.711, over one peer connection."""

import time
from collections.abc import Callable, Sequence

from publisher.legs.replays import Replays
from publisher.media.fanout import FanOut
from publisher.media.feed import AudioFeed, VideoFeed
from publisher.media.format import Format
from publisher.media.units import AacFrame, AccessUnit, AudioBlock
from publisher.rtc.peer import Peer
from publisher.rtc.tracks import AudioTrack, VideoTrack
from rendezvous.wire.messages import IceCandidate, IcePolicy, IceServer

# What browsers offer, by the profile_idc of the camera's SPS; the constrained baseline stands
# last in every row because all of them decode more than they announce.
_BASELINE = ("H264/42e01f", "H264/42001f")
_PROFILES = {
    "4d": ("H264/4d001f", *_BASELINE),
    "64": ("H264/64001f", "H264/640c1f", "H264/4d001f", *_BASELINE),
}


def _profiles(media: Format | None) -> tuple[str, ...]:
    """A camera that has not shown itself yet is taken for a Baseline one."""
    return _PROFILES.get(media.profile_level_id[:2].lower(), _BASELINE) if media else _BASELINE


def _profiles_for_sfu(media: Format | None) -> tuple[str, ...]:
    """The baseline first: an SFU announces the profile that it takes to its whole audience.

    Firefox, and Chromium without a hardware decoder, list no High and refuse a stream announced as
    that, although they decode it. An SFU that is set up for the true profile still finds it.
    """
    true = (name for name in _profiles(media) if name not in _BASELINE)
    return (*_BASELINE, *true)


class RtpLeg:
    """From the camera's fan-out to one browser, or to one SFU that serves many."""

    def __init__(
        self,
        fan_out: FanOut,
        media: Format | None,
        ice_servers: Sequence[IceServer],
        policy: IcePolicy,
        on_state: Callable[[str], None],
        *,
        on_candidate: Callable[[IceCandidate | None], None] | None = None,
        for_sfu: bool = False,
    ) -> None:
        self._fan_out = fan_out
        self._on_state = on_state
        self._video = VideoFeed()
        self._audio = AudioFeed()
        self._replays = Replays()
        self.peer = Peer(ice_servers, policy, self._state_changed, self._picture_lost, on_candidate)
        self._closed = False
        self._rank = _profiles_for_sfu if for_sfu else _profiles
        self._profiles = self._rank(media)
        self._audio_codec = media.audio_codec if media else "opus"
        self.peer.send(VideoTrack(self._video, fan_out.packetiser), self._profiles)
        if self._audio_codec:
            self.peer.send(AudioTrack(self._audio, fan_out.packetiser), [self._audio_codec])

    def suits(self, media: Format) -> bool:
        """Whether what was negotiated can carry the format; no sound fits any negotiation."""
        same_sound = media.audio_codec in (None, self._audio_codec)
        return not media.obstacle and same_sound and self._rank(media) == self._profiles

    @property
    def silence(self) -> float:
        """Seconds since the viewer's last sign of life on the media path."""
        return self.peer.silence

    @property
    def local_address(self) -> str | None:
        """The IP address that media leaves from; None: there is no way now."""
        return self.peer.local_address

    @property
    def estimate(self) -> int | None:
        """What the viewer's path carries, in bit/s; None: not known."""
        return self.peer.estimate

    async def answer(self, offer: str) -> str:
        """The answer to the viewer's offer. Raises OfferRefusedError."""
        return await self.peer.answer(offer)

    async def offer(self) -> str:
        """Our offer to a receiver that answers."""
        return await self.peer.offer()

    async def accept(self, answer: str) -> None:
        """The receiver's answer. Raises AnswerRefusedError."""
        await self.peer.accept(answer)

    async def add_candidate(self, candidate: IceCandidate | None) -> None:
        """A candidate of the viewer."""
        await self.peer.add_candidate(candidate)

    def put_video(self, unit: AccessUnit) -> None:
        """From the fan-out."""
        self._video.put(unit)
        self._replays.earn(len(unit.data))
        if self._video.gated and self._replays.due(time.monotonic()):
            self._replay()

    def put_audio(self, block: AudioBlock) -> None:
        """From the fan-out."""
        self._audio.put(block)

    def put_aac(self, frame: AacFrame) -> None:
        """From the fan-out; RTP has no payload for it that browsers know."""

    def fail(self) -> None:
        """From the fan-out."""
        self.peer.hang_up()

    @property
    def losses(self) -> str:
        """What did not reach the viewer, in words; empty when all did."""
        counts = {
            "pictures dropped": self._video.dropped,
            "pictures left out for a thin path": self._video.left_out,
            "sounds dropped": self._audio.dropped,
            "replays refused": self._replays.refused,
            **self.peer.losses,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

    async def close(self) -> None:
        """Stops sending; idempotent."""
        self._closed = True
        self._fan_out.unsubscribe(self)
        await self.peer.close()

    def _state_changed(self, state: str) -> None:
        # Subscribing only now makes the cached GOP the newest there is.
        if state == "connected" and not self._closed:
            self._fan_out.subscribe(self)
        self._on_state(state)

    def _picture_lost(self) -> None:
        # While a GOP is on its way the viewer just does not have it yet.
        if len(self._video) or not self._replays.due(time.monotonic()):
            return
        if not self._fan_out.request_key_frame():
            self._replay()

    def _replay(self) -> None:
        """Sends the current GOP once more: the viewer needs it to go on with the next picture."""
        self._video.skip()
        units = self._fan_out.gop.units()
        self._replays.spend(sum(len(unit.data) for unit in units))
        for unit in units:
            self._video.put(unit)
            if self._video.gated:
                break  # the path still takes nothing
