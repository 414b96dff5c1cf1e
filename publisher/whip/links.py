"""ICE servers from ``Link`` headers (RFC 9725 §4.6, RFC 8288 §3)."""

import re
from collections.abc import Iterable, Iterator

from rendezvous.wire.messages import IceServer

_TEXT = 512  # characters of a URL, a name or a credential
_MOST = 8
_NAME = r"[\w!#$&+.^`|~*-]+"
_VALUE = rf'"(?:[^"\\]|\\.)*"|{_NAME}'
_LINK = re.compile(rf"<([^<>]*)>((?:\s*;\s*{_NAME}(?:\s*=\s*(?:{_VALUE}))?)*)")
_PARAMETER = re.compile(rf";\s*({_NAME})\s*=\s*({_VALUE})")
_SCHEMES = ("stun:", "stuns:", "turn:", "turns:")


def ice_servers(headers: Iterable[str]) -> tuple[IceServer, ...]:
    """The servers that these ``Link`` headers name; what is malformed is left out."""
    return tuple(server for header in headers for server in _servers(header))[:_MOST]


def _servers(header: str) -> Iterator[IceServer]:
    for url, parameters in _LINK.findall(header):
        said = {name.lower(): _unquoted(value) for name, value in _PARAMETER.findall(parameters)}
        texts = (url, said.get("username"), said.get("credential"))
        fits = all(len(text or "") <= _TEXT for text in texts)
        if "ice-server" in said.get("rel", "").lower().split() and _usable(url) and fits:
            yield IceServer(urls=(url,), username=texts[1], credential=texts[2])


def _usable(url: str) -> bool:
    return url.lower().startswith(_SCHEMES)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
