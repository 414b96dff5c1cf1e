"""A WHIP endpoint: takes our offer, gives a session that can be deleted.

Neither the token nor any URL's path or query is ever shown: both may be what lets one publish.
"""

import logging
import ssl
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from publisher.errors import WhipError
from publisher.whip import http
from publisher.whip.http import Request, Response
from publisher.whip.links import ice_servers
from publisher.whip.refusals import refusal
from rendezvous.wire.messages import IceServer

logger = logging.getLogger(__name__)

MOST_REDIRECTIONS = 5
_CREATED = 201
_REDIRECTIONS = (307, 308)  # those that keep the POST a POST; RFC 9725 §4.5


@dataclass(frozen=True, slots=True)
class Published:
    """A session at the server; ``url`` is empty when the server did not name it."""

    answer: str
    url: str = field(repr=False)
    ice_servers: tuple[IceServer, ...]


class Endpoint:
    """Where one camera's stream is sent."""

    def __init__(self, url: str, token: str, tls: ssl.SSLContext) -> None:
        self._url = url
        self._token = token
        self._tls = tls
        self.name = http.origin(url)

    async def ice_servers(self) -> tuple[IceServer, ...]:
        """What the server says to OPTIONS, and nothing when it says nothing (RFC 9725 §4.6).

        aiortc gathers before the offer leaves, so the 201 would be too late. Raises WhipError
        when nobody answers.
        """
        response = await self._ask("OPTIONS", self._url)
        return ice_servers(response.headers.get_all("Link", []))

    async def publish(self, offer: str) -> Published:
        """Posts the offer, wherever that is redirected to. Raises WhipError."""
        url = self._url
        for _ in range(MOST_REDIRECTIONS + 1):
            response = await self._ask("POST", url, offer.encode())
            if response.status == _CREATED:
                return await self._published(url, response)
            if response.status not in _REDIRECTIONS:
                raise refusal(self.name, response)
            url = self._redirected(url, response)
        raise WhipError(
            "whip_redirections", f"{self.name} sends us from one place to another.", "Check --whip."
        )

    async def delete(self, session: Published) -> None:
        """Ends a session; whoever is not there any more need not hear it."""
        if not session.url:
            return
        try:
            response = await self._ask("DELETE", session.url)
        except WhipError as error:
            logger.debug("DELETE: [%s] %s", error.code, error)
        else:
            logger.debug("DELETE: HTTP %d", response.status)

    async def _ask(self, method: str, url: str, body: bytes = b"") -> Response:
        headers = {"Content-Type": "application/sdp", "Accept": "application/sdp"} if body else {}
        if self._token and not self._weaker(url):
            headers["Authorization"] = f"Bearer {self._token}"
        return await http.exchange(Request(method, url, headers, body), self._tls)

    async def _published(self, url: str, response: Response) -> Published:
        kind = response.headers.get_content_type()
        answer = response.body.decode(errors="replace")
        links = ice_servers(response.headers.get_all("Link", []))
        session = Published(answer, self._session_url(url, response), links)
        if kind != "application/sdp" or not answer.startswith("v=0"):
            await self.delete(session)
            raise WhipError(
                "whip_answer_malformed",
                f"{self.name} accepts the stream, but its answer is no session description.",
                mendable=False,
            )
        return session

    def _session_url(self, url: str, response: Response) -> str:
        session = _absolute(url, response.headers.get("Location", ""))
        if not session:
            # Against RFC 9725 §4.2, but the media would flow: the session ends with its DTLS.
            logger.warning("%s names no session that could be deleted.", self.name)
        return session

    def _redirected(self, url: str, response: Response) -> str:
        """The next place. The token goes there as well: the server that sends us has it anyway."""
        target = _absolute(url, response.headers.get("Location", ""))
        if not target or self._weaker(target):
            raise WhipError(
                "whip_redirected_nowhere",
                f"{self.name} redirects to no place that may have the token.",
                "Use the URL that it redirects to, or mend the server.",
                mendable=False,
            )
        return target

    def _weaker(self, url: str) -> bool:
        """Whether it is in clear although the user chose TLS."""
        return self._url.startswith("https:") and not url.startswith("https:")


def _absolute(base: str, location: str) -> str:
    """The URL that a Location means, empty when it means none that HTTP can reach."""
    try:
        parts = urlsplit(urljoin(base, location)) if location else urlsplit("")
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return ""
    return parts.geturl() if valid else ""
