"""The header fields of WHEP: cross-origin rules, ICE servers, credentials."""

from collections.abc import Iterable
from typing import NamedTuple

from aiohttp import hdrs

from rendezvous.wire.messages import IceServer

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"

ACCEPT_PATCH = "Accept-Patch"  # RFC 5789 §3.1
ACCEPT_POST = "Accept-Post"  # W3C Linked Data Platform §7.1

ALWAYS = {
    # No cookies and no ambient rights here: what permits a request is the token or the session's
    # URL, and a page that holds one may use it wherever it is from.
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: (
        "Accept-Patch, Accept-Post, Allow, ETag, Link, Location, Retry-After, WWW-Authenticate"
    ),
    hdrs.CACHE_CONTROL: "no-store",
    "X-Content-Type-Options": "nosniff",
}
_PREFLIGHT_SECONDS = 3600

Header = tuple[str, str]


class Token(NamedTuple):
    """What an Authorization field holds: ``secret`` is None when it is no Bearer token."""

    secret: str | None


def token(authorization: str | None) -> Token | None:
    """The credential of a request (RFC 6750 §2.1); None when there is none."""
    if authorization is None:
        return None
    scheme, _, secret = authorization.strip().partition(" ")
    secret = secret.strip()
    usable = scheme.lower() == "bearer" and secret and secret.isascii()
    return Token(secret if usable else None)


def preflight(methods: Iterable[str]) -> dict[str, str]:
    """What a page may send here (Fetch standard, CORS protocol)."""
    return {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(methods),
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, If-Match",
        hdrs.ACCESS_CONTROL_MAX_AGE: str(_PREFLIGHT_SECONDS),
    }


def links(servers: Iterable[IceServer]) -> list[Header]:
    """One Link for each URL of each server (RFC 9725 §4.6)."""
    return [(hdrs.LINK, _link(url, server)) for server in servers for url in server.urls]


def _link(url: str, server: IceServer) -> str:
    parts = [f"<{url}>", 'rel="ice-server"']
    if server.username is not None and server.credential is not None:
        parts += [
            f"username={_quoted(server.username)}",
            f"credential={_quoted(server.credential)}",
            'credential-type="password"',
        ]
    return "; ".join(parts)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def matches(if_match: str | None, etag: str) -> bool:
    """Whether the condition lets the request pass (RFC 9110 §13.1.1).

    An absent one does: players in use send none, and one ICE session is all there ever is. Tags
    without their quotes are taken, too.
    """
    if if_match is None:
        return True
    tags = [tag.strip() for tag in if_match.split(",")]
    return any(tag in {"*", etag, etag.strip('"')} for tag in tags)
