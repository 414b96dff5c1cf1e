"""A request to the gateway, and whether it may do what it asks for."""

import asyncio
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from aiohttp import hdrs, web

from rendezvous.gateways.whep import headers, problems, sdp
from rendezvous.gateways.whep.problems import ProblemError
from rendezvous.gateways.whep.viewer import Viewer

NO_TOKEN = "This room wants a Bearer token: what follows the dot in its link."  # noqa: S105
WRONG_TOKEN = "There is no such room, or this token is wrong."  # noqa: S105


class Visit(Protocol):
    """What the gateway needs to know of the connection that a request came on."""

    @property
    def address(self) -> str:
        """The client's."""

    @property
    def origin_allowed(self) -> bool:
        """Whether no page asks, or one that may without a token."""

    @property
    def extend(self) -> Callable[[float], None]:
        """The connection may stay for so many seconds from now."""


@dataclass(eq=False)
class Session:
    """A player's session, from its 201 to its end."""

    viewer: Viewer
    room: str
    secret: str | None
    offer: sdp.Offer
    etag: str = field(default_factory=lambda: f'"{secrets.token_urlsafe(9)}"')
    trickling: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, taken apart."""

    request: web.BaseRequest
    visit: Visit
    room: str
    session: Session | None

    @property
    def token(self) -> headers.Token | None:
        """The credential that it carries, if it does."""
        return headers.token(self.request.headers.get(hdrs.AUTHORIZATION))


def require(session: Session | None, room: str) -> Session:
    """The session, if it is one of this room's; raises ProblemError."""
    if session is None or session.room != room:
        sentence = "There is no such session; it has ended, or never was."
        raise ProblemError(HTTPStatus.NOT_FOUND, "session_unknown", sentence)
    return session


def authorized(call: Call) -> Session:
    """The session, unless the request brings a token that is not the session's: ProblemError.

    Players in use send none here; the URL, which nobody can guess, is enough then.
    """
    session = require(call.session, call.room)
    token = call.token
    if token is not None:
        given, known = (secret or "" for secret in (token.secret, session.secret))
        if not hmac.compare_digest(given.encode(), known.encode()):
            raise problems.unauthorized(WRONG_TOKEN, token_given=True)
    return session


def check_credential(call: Call) -> None:
    """Refuses what no room could admit, before any is asked; raises ProblemError."""
    token = call.token
    if token is not None and token.secret is None:
        raise problems.unauthorized(NO_TOKEN, token_given=False)  # a credential is never ignored
    if token is None and not call.visit.origin_allowed:
        # A public room is public for those who can reach the server, and a page of another site
        # in the browser of one of them is not one of them.
        sentence = (
            "Pages of other sites need the room's token here, or the server's owner allows them "
            "with --allow-origin."
        )
        raise ProblemError(HTTPStatus.FORBIDDEN, "origin_refused", sentence)
