"""Requests to a camera and its answers, with user and password where it asks for them."""

import time
from collections import deque
from typing import Final

from publisher.sources.rtsp import authentication, messages
from publisher.sources.rtsp.connection import Connection
from publisher.sources.rtsp.framing import Event, Interleaved
from publisher.sources.rtsp.location import Location
from publisher.sources.rtsp.messages import Request, Response

UNAUTHORIZED: Final = 401
_AGENT: Final = "Porthole"
_MAX_EARLY: Final = 1000  # packets before PLAY's answer; what goes is noticed as a gap
_RENEWALS: Final = 2  # of a nonce, for one request


class RefusedError(Exception):
    """The camera answers with an error."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Conversation:
    """One connection's; for the thread that reads it. Raises what a Connection raises."""

    def __init__(
        self, connection: Connection, location: Location, *, deadline: float, patience: float
    ) -> None:
        """``patience`` is for one answer; all must have come at ``deadline``, monotonic."""
        self._connection = connection
        self._credentials = location.credentials
        self._deadline = deadline
        self._patience = patience  # seconds
        self._authenticator: authentication.Authenticator | None = None
        self._sequence = 0
        self._trusted = False  # it has let us in; what it refuses then is a nonce
        self._pending: dict[str, tuple[str, str]] = {}  # by sequence number; nobody waits for it
        self.session = ""
        self.early: deque[Interleaved] = deque(maxlen=_MAX_EARLY)
        """Packets that came while an answer was awaited."""

    def ask(self, method: str, url: str, *fields: tuple[str, str]) -> Response:
        """The answer; raises RefusedError when it is an error."""
        for attempt in range(_RENEWALS + 1):
            response = self._answer(self._send(method, url, fields))
            if response.status != UNAUTHORIZED or attempt == _RENEWALS:
                break
            if not self._convince(response):
                break
        if not 200 <= response.status < 300:  # noqa: PLR2004
            raise RefusedError(response)
        self._trusted = True
        return response

    def say(self, method: str, url: str) -> None:
        """Sends a request whose answer ``hear`` is given when it comes."""
        self._pending = {self._send(method, url, ()): (method, url)}

    def hear(self, message: Response | Request) -> tuple[str, int]:
        """What came unawaited: the method that it answers, and its status; or nothing."""
        if isinstance(message, Request):
            self._connection.send(messages.format_refusal(message))
            return "", 0
        method, url = self._pending.pop(message.sequence, ("", ""))
        if message.status != UNAUTHORIZED:
            self._trusted = True
        elif method and self._trusted and self._convince(message):
            self.say(method, url)
        return method, message.status

    def _send(self, method: str, url: str, fields: tuple[tuple[str, str], ...]) -> str:
        self._sequence += 1
        own = [("CSeq", str(self._sequence)), ("User-Agent", _AGENT)]
        if self.session:
            own.append(("Session", self.session))
        if self._authenticator:
            own.append(("Authorization", self._authenticator.authorization(method, url)))
        self._connection.send(messages.format_request(method, url, [*own, *fields]))
        return str(self._sequence)

    def _answer(self, sequence: str) -> Response:
        found: Response | None = None
        while found is None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.wait_at_most(min(left, self._patience))
            for event in self._connection.receive():
                if isinstance(event, Response) and event.sequence in (sequence, ""):
                    found = event
                else:
                    self._set_aside(event)
        return found

    def _set_aside(self, event: Event) -> None:
        if isinstance(event, Interleaved):
            self.early.append(event)
        else:
            self.hear(event)

    def _convince(self, response: Response) -> bool:
        """Whether it is worth trying again."""
        offered = authentication.best(authentication.challenges(response.all("www-authenticate")))
        if offered is None or self._credentials is None:
            return False
        if self._authenticator and not (offered.stale or self._trusted):
            return False
        self._trusted = False
        self._authenticator = authentication.Authenticator(self._credentials, offered)
        return True
