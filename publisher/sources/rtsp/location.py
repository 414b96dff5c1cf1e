"""Where a camera's stream is, taken apart for a client: the password goes nowhere else."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from publisher.sources.rtsp.authentication import Credentials
from publisher.sources.rtsp.messages import ProtocolError

_PORTS: Final = {"rtsp": 554, "rtsps": 322}
_KEPT: Final = "%/:=&?~+!$,;'@()*[]"  # what an address may hold as it is, beside letters and digits


@dataclass(frozen=True, slots=True)
class Location:
    """``url`` is what requests name: without user and password."""

    host: str
    port: int
    secure: bool
    url: str
    credentials: Credentials | None = None

    @classmethod
    def parse(cls, url: str) -> "Location":
        """From an address with or without user and password. Raises ProtocolError."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            raise ProtocolError("an address cannot be understood") from None
        credentials = None
        if parts.username or parts.password:
            credentials = Credentials(unquote(parts.username or ""), unquote(parts.password or ""))
        secure = parts.scheme == "rtsps"
        return cls(parts.hostname or "", port, secure, _bare(parts), credentials)

    def redirected(self, target: str) -> "Location":
        """Where a camera sends us; it is told the password only if it is the same host."""
        there = Location.parse(urljoin(self.url, target))
        if there.host == self.host and there.credentials is None:
            return Location(there.host, there.port, there.secure, there.url, self.credentials)
        return there


def _bare(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    query = quote(parts.query, safe=_KEPT)
    return SplitResult(parts.scheme, host, quote(parts.path, safe=_KEPT), query, "").geturl()
