"""Basic (RFC 7617) and Digest (RFC 7616, RFC 2069 without qop) answers to a server's challenge."""

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

_HASHES: Final[dict[str, Callable[[bytes], "hashlib._Hash"]]] = {
    "SHA-256": hashlib.sha256,
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False),
}
_PREFERENCE: Final = tuple(_HASHES)
# A scheme, or a parameter with its value: challenges follow each other with commas as well.
_PARTS: Final = re.compile(r'([\w!#$%&\'*+.^`|~-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,]+))?')


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user's name and password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in which a server lets itself be convinced; parameters in lower case."""

    scheme: str
    parameters: dict[str, str]

    @property
    def stale(self) -> bool:
        """Whether only the nonce was too old."""
        return self.parameters.get("stale", "").lower() == "true"

    @property
    def algorithm(self) -> str:
        """The hash's name, without "-sess"."""
        return self.parameters.get("algorithm", "MD5").upper().removesuffix("-SESS")

    @property
    def rank(self) -> int | None:
        """The lower the better; None when it cannot be answered."""
        if self.scheme == "basic":
            return len(_PREFERENCE)
        qop = self.parameters.get("qop")
        known = qop is None or "auth" in _list(qop)
        if self.scheme != "digest" or "nonce" not in self.parameters or not known:
            return None
        return _PREFERENCE.index(self.algorithm) if self.algorithm in _HASHES else None


def challenges(fields: Iterable[str]) -> list[Challenge]:
    """What the WWW-Authenticate fields say."""
    found: list[Challenge] = []
    for value in fields:
        for name, parameter in _PARTS.findall(value):
            if not parameter:
                found.append(Challenge(name.lower(), {}))
            elif found:
                found[-1].parameters[name.lower()] = _unquoted(parameter)
    return found


def best(offered: Iterable[Challenge]) -> Challenge | None:
    """The strongest that can be answered."""
    ranked = [(one.rank, one) for one in offered]
    known = [(rank, one) for rank, one in ranked if rank is not None]
    return min(known, key=lambda pair: pair[0])[1] if known else None


class Authenticator:
    """Answers one challenge, for any number of requests."""

    def __init__(
        self,
        credentials: Credentials,
        challenge: Challenge,
        new_nonce: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._credentials = credentials
        self._challenge = challenge
        self._new_nonce = new_nonce
        self._count = 0

    def authorization(self, method: str, url: str) -> str:
        """The Authorization field of a request."""
        user, password = self._credentials.user, self._credentials.password
        if self._challenge.scheme == "basic":
            return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        return self._digest(method, url)

    def _digest(self, method: str, url: str) -> str:
        given = self._challenge.parameters
        shown = {key: given.get(key, "") for key in ("realm", "nonce")}
        fields = {"username": self._credentials.user, **shown, "uri": url}
        bare = {"algorithm": given["algorithm"]} if "algorithm" in given else {}
        extra: tuple[str, ...] = ()
        session = given.get("algorithm", "").upper().endswith("-SESS")
        if "qop" in given or session:
            fields["cnonce"] = self._new_nonce()
        if "qop" in given:
            self._count += 1
            bare |= {"qop": "auth", "nc": f"{self._count:08x}"}
            extra = (bare["nc"], fields["cnonce"], "auth")
        secret = self._secret(shown, fields["cnonce"] if session else "")
        demand = self._hash(f"{method}:{url}")
        fields["response"] = self._hash(":".join((secret, shown["nonce"], *extra, demand)))
        if "opaque" in given:
            fields["opaque"] = given["opaque"]
        quoted = [f'{key}="{_escaped(value)}"' for key, value in fields.items()]
        return "Digest " + ", ".join(quoted + [f"{key}={value}" for key, value in bare.items()])

    def _secret(self, shown: dict[str, str], session: str) -> str:
        user, password = self._credentials.user, self._credentials.password
        secret = self._hash(f"{user}:{shown['realm']}:{password}")
        return self._hash(f"{secret}:{shown['nonce']}:{session}") if session else secret

    def _hash(self, text: str) -> str:
        return _HASHES[self._challenge.algorithm](text.encode()).hexdigest()


def _list(value: str) -> list[str]:
    return [part.strip().lower() for part in value.split(",")]


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"")
