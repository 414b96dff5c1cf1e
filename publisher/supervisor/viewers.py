"""All sessions of one camera."""

import asyncio
import logging
from collections.abc import Callable, Iterator

from publisher.errors import PublisherError
from publisher.legs.fmp4 import Fmp4Leg
from publisher.legs.rtp import RtpLeg
from publisher.media.bitstream import MalformedError
from publisher.media.encoding import Outlet
from publisher.media.format import Format
from publisher.media.tracks import Tracks, tracks_of
from publisher.rtc import sdp
from publisher.rtc.peer import OfferRefusedError
from publisher.supervisor.viewer import Leg, Viewer
from rendezvous.wire.messages import Candidate, End, EndReason, Message, Offer, Resume, Session

logger = logging.getLogger(__name__)

CLOSING_SECONDS = 3.0


class Viewers:
    """Opens a session for each viewer and forgets it when it ends."""

    def __init__(
        self, rtp: Outlet, fmp4: Outlet, send: Callable[[Message], None], most: int
    ) -> None:
        self._rtp = rtp
        self._fmp4 = fmp4
        self._send = send
        self._most = most
        self._viewers: dict[str, Viewer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._viewers)

    def open(self, opening: Session) -> None:
        """A viewer's first offer."""
        if opening.session in self._viewers:
            return
        if len(self._viewers) >= self._most:
            message = f"This camera serves {self._most} viewers at the most."
            end = End(session=opening.session, reason=EndReason.CAMERA_FULL, message=message)
            self._send(end)
            return
        try:
            viewer = Viewer(opening, self._make_leg, self._send)
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

    def resumptions(self, room: str) -> Iterator[Resume]:
        """What to say to a server that may have forgotten the running sessions."""
        for viewer in self._viewers.values():
            yield Resume(session=viewer.session, secret=viewer.secret, room=room)

    async def close(self) -> None:
        """Ends all sessions because the publisher stops."""
        for viewer in self._viewers.values():
            viewer.end(EndReason.CAMERA_STOPPED)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_SECONDS)

    def _make_leg(self, opening: Session, on_state: Callable[[str], None]) -> Leg:
        ice = (opening.ice_servers, opening.ice_policy, on_state)
        if sdp.asks_for_channel(opening.sdp):
            return Fmp4Leg(self._fmp4, *ice)
        if self._rtp.media and (obstacle := self._rtp.media.obstacle):
            raise OfferRefusedError("offer_refused", obstacle.sentence, obstacle.cure)
        return RtpLeg(self._rtp, self._rtp.media, *ice)

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
