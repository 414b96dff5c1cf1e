"""Local candidates that are found when the description has been made (RFC 8838)."""

import asyncio
from collections.abc import Callable

from publisher.rtc import sdp
from publisher.rtc.ice.candidates import LocalCandidate, to_wire
from rendezvous.wire.messages import IceCandidate

OnCandidate = Callable[[IceCandidate | None], None]


class Trickle:
    """Calls ``on_candidate`` with each, and once with None in the end; never while describing.

    Without a listener the description waits, and nothing is told.
    """

    def __init__(self, on_candidate: OnCandidate | None) -> None:
        self._on_candidate = on_candidate
        self._mid = ""
        self._complete = False
        self.described = False

    @property
    def waits(self) -> bool:
        """Whether the description must have all candidates."""
        return self._on_candidate is None

    def end(self) -> None:
        """There are no more."""
        self._complete = True
        if self.described:
            self._tell(None)

    def describe(self, text: str) -> str:
        """The local description as it is sent. Candidates that come from now on are not in it."""
        self._mid = sdp.first_mid(text)
        if not self.described and self._complete:
            asyncio.get_running_loop().call_soon(self._tell, None)
        self.described = True
        return text if self._complete or self.waits else sdp.incomplete(text)

    def add(self, candidate: LocalCandidate, ufrag: str) -> None:
        """Tells of a candidate, unless the description will."""
        if self.described:
            self._tell(to_wire(candidate, self._mid, ufrag))

    def _tell(self, candidate: IceCandidate | None) -> None:
        if self._on_candidate:
            self._on_candidate(candidate)
