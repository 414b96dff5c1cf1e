"""From an address to a camera that plays: OPTIONS, DESCRIBE, SETUP, PLAY (RFC 2326 §10)."""

import logging
import ssl
import time
from typing import Final

from publisher.errors import SourceError
from publisher.sources import faults
from publisher.sources.container import OPEN_SECONDS, READ_SECONDS
from publisher.sources.rtsp import formats, messages, sdp
from publisher.sources.rtsp.clock import SessionClock
from publisher.sources.rtsp.connection import Connection
from publisher.sources.rtsp.conversation import UNAUTHORIZED, Conversation, RefusedError
from publisher.sources.rtsp.formats import Plan
from publisher.sources.rtsp.location import Location
from publisher.sources.rtsp.messages import ProtocolError, Response
from publisher.sources.rtsp.session import OpenRtspCamera
from publisher.sources.rtsp.track import Track

logger = logging.getLogger(__name__)

_REDIRECTS: Final = range(300, 400)
_UNSUPPORTED_TRANSPORT: Final = 461
_FAULTS: Final = (
    (range(UNAUTHORIZED, UNAUTHORIZED + 1), faults.UNAUTHORIZED),
    (range(403, 404), faults.UNAUTHORIZED),
    (range(404, 405), faults.NOT_FOUND),
    (range(500, 600), faults.BUSY),
)


class UnknownError(Exception):
    """The camera is well, but this client does not know its streams or their transport."""


def open_camera(location: Location, shown: str) -> OpenRtspCamera:
    """Connects and plays; raises SourceError, or UnknownError when FFmpeg is to try it."""
    try:
        return _open(location, shown, time.monotonic() + OPEN_SECONDS)
    except RefusedError as refused:
        raise faults.error(_fault(refused.response.status), shown) from None
    except ProtocolError as error:
        logger.debug("%s: %s", shown, error)
        raise faults.error(faults.NOT_A_CAMERA, shown) from None


def _fault(status: int) -> faults.Fault:
    known = (fault for statuses, fault in _FAULTS if status in statuses)
    return next(known, faults.NOT_A_CAMERA)


def _open(location: Location, shown: str, deadline: float) -> OpenRtspCamera:
    opening = _Opening(location, shown, deadline)
    try:
        try:
            opening.describe()
        except RefusedError as refused:
            target = refused.response.field("location")
            if refused.response.status not in _REDIRECTS or not target:
                raise
            opening.close()
            opening = _Opening(location.redirected(target), shown, deadline)
            opening.describe()
        return opening.play()
    except OSError as error:
        opening.close()
        silent = isinstance(error, TimeoutError)
        raise faults.error(faults.SILENT if silent else faults.UNREACHABLE, shown) from None
    except EOFError:
        opening.close()
        raise faults.error(faults.UNREACHABLE, shown) from None
    except BaseException:
        opening.close()
        raise


class _Opening:
    def __init__(self, location: Location, shown: str, deadline: float) -> None:
        """Raises SourceError when nobody answers, UnknownError when TLS fails."""
        self._shown = shown
        self._url = location.url
        try:
            self._connection = Connection(location, READ_SECONDS)
        except ssl.SSLError:
            raise UnknownError("its TLS is not ours") from None
        except OSError:
            raise faults.error(faults.UNREACHABLE, shown) from None
        self._conversation = Conversation(
            self._connection, location, deadline=deadline, patience=READ_SECONDS
        )
        self._plans: tuple[Plan, ...] = ()
        self._base = self._url
        self._aggregate = self._url
        self._timeout = messages.SESSION_SECONDS
        self._keep_alive = "OPTIONS"

    def close(self) -> None:
        self._connection.close()

    def describe(self) -> None:
        """Raises UnknownError after a description that is not for us."""
        self._ask_for_options()
        answer = self._conversation.ask("DESCRIBE", self._url, ("Accept", "application/sdp"))
        described = sdp.parse(answer.body.decode("utf-8", "replace"))
        if not any(media.kind in ("video", "audio") for media in described.media):
            raise SourceError(
                "source_not_a_camera", f"{self._shown} offers neither picture nor sound."
            )
        plans = formats.choose(described.media)
        if plans is None:
            raise UnknownError("its streams are others")
        self._plans = plans
        self._base = answer.field("content-base") or answer.field("content-location") or self._url
        self._aggregate = sdp.control_url(self._base, described.control)

    def _ask_for_options(self) -> None:
        """Servers are used to be asked first; not all can answer."""
        try:
            options = self._conversation.ask("OPTIONS", self._url)
        except RefusedError as refused:
            if refused.response.status == UNAUTHORIZED:
                raise
            return
        if "GET_PARAMETER" in options.field("public").upper():
            self._keep_alive = "GET_PARAMETER"

    def play(self) -> OpenRtspCamera:
        """Raises UnknownError when media does not come inside the connection."""
        channels = [self._set_up(plan, 2 * number) for number, plan in enumerate(self._plans)]
        answer = self._conversation.ask("PLAY", self._aggregate, ("Range", "npt=0.000-"))
        return OpenRtspCamera(
            self._connection,
            self._conversation,
            self._shown,
            self._aggregate,
            dict(zip(channels, self._tracks(answer), strict=True)),
            timeout=self._timeout,
            keep_alive=self._keep_alive,
        )

    def _set_up(self, plan: Plan, channel: int) -> tuple[int, int]:
        transport = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        try:
            answer = self._conversation.ask("SETUP", self._control(plan), ("Transport", transport))
        except RefusedError as refused:
            if refused.response.status == _UNSUPPORTED_TRANSPORT:
                raise UnknownError("it refuses media inside the connection") from None
            raise
        self._conversation.session, timeout = messages.session_of(answer.field("session"))
        self._timeout = min(self._timeout, timeout)  # not each answer repeats it
        channels = messages.interleaved_channels(answer.field("transport"))
        if channels is None:
            raise UnknownError("it wants to send media outside the connection")
        return channels

    def _control(self, plan: Plan) -> str:
        return sdp.control_url(self._base, plan.media.control)

    def _tracks(self, answer: Response) -> list[Track]:
        clock = SessionClock(time.monotonic_ns() // 1000)
        stated = messages.rtp_times(answer.field("rtp-info")).items()
        starts = {sdp.control_url(self._base, url): start for url, start in stated}
        tracks = []
        for plan in self._plans:
            start = starts.get(self._control(plan))
            tracks.append(Track(plan, clock.stream(plan.media.clock_rate, start)))
        return tracks
