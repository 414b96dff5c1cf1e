"""All sessions of one camera."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from publisher.errors import PublisherError
from publisher.legs.fmp4 import Fmp4Leg
from publisher.legs.rtp import RtpLeg
from publisher.media.bitstream import MalformedError
from publisher.media.encoding import Outlet
from publisher.media.format import Format
from publisher.media.tracks import Tracks, tracks_of
from publisher.rtc import sdp
from publisher.rtc.refusals import OfferRefusedError
from publisher.supervisor.viewer import TICK_SECONDS, Leg, OnCandidate, Viewer
from rendezvous.wire.messages import (
    Candidate,
    End,
    EndReason,
    IcePolicy,
    Message,
    Offer,
    Resume,
    Session,
)

logger = logging.getLogger(__name__)

CLOSING_SECONDS = 3.0
# Times the places: sessions that were replaced, or are being closed, beside those that hold one.
ROOMY, CROWDED = 2, 3
MOST_UNSAID = 64  # ends of sessions, that a server has to be told when it is back


class Viewers:
    """Opens a session for each viewer and forgets it when it ends."""

    def __init__(
        self,
        rtp: Outlet,
        fmp4: Outlet,
        send: Callable[[Message], bool | None],
        most: int,
        on_silence: Callable[[], None] = lambda: None,
        *,
        policy: IcePolicy = IcePolicy.ALL,
    ) -> None:
        """``send`` returns False without a server; ``on_silence``: the network may be gone.

        ``policy`` is the camera's own: a server can be stricter, not less strict.
        """
        self._rtp = rtp
        self._fmp4 = fmp4
        self._send = send
        self._most = most
        self._on_silence = on_silence
        self._policy = policy
        self._viewers: dict[str, Viewer] = {}
        self._unsaid: deque[tuple[Session, End]] = deque(maxlen=MOST_UNSAID)
        self._tasks: set[asyncio.Task[None]] = set()
        self._clock: asyncio.TimerHandle | None = None  # ticks while there are sessions

    def __len__(self) -> int:
        return len(self._viewers)

    def open(self, opening: Session) -> None:
        """A viewer's first offer."""
        if opening.session in self._viewers:
            return
        self._make_room()
        if self._full:
            message = f"This camera serves {self._most} viewers at the most."
            end = End(session=opening.session, reason=EndReason.CAMERA_FULL, message=message)
            self._send(end)
            return
        try:
            say = partial(self._say, opening)
            viewer = Viewer(opening, self._make_leg, say, self._on_silence)
        except PublisherError as error:
            self._refuse(opening, str(error))
            return
        except Exception:
            logger.exception("A session could not be opened; the others go on.")
            self._refuse(opening)
            return
        self._viewers[viewer.session] = viewer
        task = asyncio.create_task(self._run(viewer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._wind()

    def _wind(self) -> None:
        if self._viewers and self._clock is None:
            self._clock = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._clock = None
        self._wind()
        for viewer in self._viewers.values():
            viewer.check()

    @property
    def _full(self) -> bool:
        # A viewer that comes back does so before its former session has been cleared away.
        places = sum(viewer.holds_place for viewer in self._viewers.values())
        return places >= self._most or len(self._viewers) >= CROWDED * self._most

    def _make_room(self) -> None:
        if len(self._viewers) < ROOMY * self._most:
            return
        for viewer in self._viewers.values():
            if not viewer.holds_place:
                viewer.end(EndReason.REPLACED)

    def _refuse(self, opening: Session, message: str = "") -> None:
        self._send(End(session=opening.session, reason=EndReason.OFFER_REFUSED, message=message))

    def put(self, message: Offer | Candidate | End) -> None:
        """A message of a running session; late ones of an ended session are of no interest."""
        viewer = self._viewers.get(message.session)
        if viewer:
            viewer.put(message)

    def use_formats(self) -> None:
        """Of both outlets; sessions that cannot carry them end, and their viewers join anew."""
        self._fmp4.fragments.use(_tracks(self._fmp4.media))
        for viewer in self._viewers.values():
            if self._rtp.media and not viewer.suits(self._rtp.media):
                viewer.end(EndReason.FORMAT_CHANGED)

    def network_changed(self) -> None:
        """Sessions whose way began at an address that is gone are over."""
        for viewer in self._viewers.values():
            viewer.network_changed()

    def resumptions(self, room: str) -> Iterator[Resume | End]:
        """What to say to a server that may have forgotten the sessions: they run, or are over."""
        for viewer in self._viewers.values():
            if viewer.holds_place:
                yield Resume(session=viewer.session, secret=viewer.secret, room=room)
        while self._unsaid:
            opening, end = self._unsaid.popleft()
            yield Resume(session=opening.session, secret=opening.secret, room=room)
            yield end

    def _say(self, opening: Session, message: Message) -> None:
        # Nothing else that a server misses is of use to it when it is back.
        if self._send(message) is False and isinstance(message, End):
            self._unsaid.append((opening, message))

    async def close(self) -> None:
        """Ends all sessions because the publisher stops."""
        for viewer in self._viewers.values():
            viewer.end(EndReason.CAMERA_STOPPED)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_SECONDS)

    def _make_leg(
        self, opening: Session, on_state: Callable[[str], None], on_candidate: OnCandidate | None
    ) -> Leg:
        policy = opening.ice_policy.stricter(self._policy)
        ice = (opening.ice_servers, policy, on_state)
        if sdp.asks_for_channel(opening.sdp):
            return Fmp4Leg(self._fmp4, *ice, on_candidate=on_candidate)
        if self._rtp.media and (obstacle := self._rtp.media.obstacle):
            raise OfferRefusedError("offer_refused", obstacle.sentence, obstacle.cure)
        return RtpLeg(self._rtp, self._rtp.media, *ice, on_candidate=on_candidate)

    async def _run(self, viewer: Viewer) -> None:
        logger.info("A viewer joins (%d now).", len(self._viewers))
        reason = "failed"
        try:
            reason = await viewer.run()
        except Exception:
            logger.exception("A session failed; the others go on.")
            self._send(End(session=viewer.session, reason=EndReason.MEDIA_LOST))
        finally:
            del self._viewers[viewer.session]
        logger.info("A viewer is gone (%s; %d left).", reason, len(self._viewers))
        if viewer.losses:
            logger.info("That viewer had %s.", viewer.losses)


def _tracks(media: Format | None) -> Tracks | None:
    """For the viewers whose leg is a file; None when a parameter set is missing or broken."""
    if media is None or not media.parameter_sets:
        return None  # an encoder tells them with its first picture
    try:
        return tracks_of(media)
    except MalformedError as error:
        logger.warning("The stream cannot go over the fMP4 leg: %s.", error)
        return None
