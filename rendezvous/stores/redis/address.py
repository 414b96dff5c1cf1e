"""Where Redis is: an address as people write it. Needs no Redis client.

``redis://[user[:password]@]host[:port][/database]``, ``rediss://…`` with TLS, and
``redis+sentinel://…host:port,host:port/name[/database]`` (``rediss+sentinel://``) for the primary
that Sentinels know under this name. User and password are the primary's; the Sentinels have none.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from rendezvous.program.errors import SettingsError

_PORT, _SENTINEL_PORT = 6379, 26379
_LAST_PORT = 65_535
_ADDRESS = re.compile(
    r"(?P<scheme>rediss?)(?P<sentinel>\+sentinel)?://"
    r"(?:(?P<user>[^:@/]*)(?::(?P<password>[^@/]*))?@)?"
    r"(?P<hosts>[^@/?#]+)(?P<path>/[^?#]*)?"
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_PATH = re.compile(r"/?(?P<database>\d{0,5})")
_SENTINEL_PATH = re.compile(r"/(?P<name>[^/]+)(?:/(?P<database>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One server, or the Sentinels that know the primary ``name``; ``str`` tells no secret."""

    hosts: tuple[tuple[str, int], ...]
    name: str | None = None
    database: int = 0
    tls: bool = False
    ca: Path | None = None
    """Certificates to trust (PEM); None: the system's."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        scheme = ("rediss" if self.tls else "redis") + ("+sentinel" if self.name else "")
        hosts = ",".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in self.hosts)
        return f"{scheme}://{hosts}" + (f"/{self.name}" if self.name else "")


def parse(text: str, *, password: str | None = None, ca: Path | None = None) -> RedisAddress:
    """The address; ``password`` wins over one inside it. Raises SettingsError, without secrets."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise _invalid(text)
    sentinel = found["sentinel"] is not None
    path = (_SENTINEL_PATH if sentinel else _PATH).fullmatch(found["path"] or "")
    if path is None:
        raise _invalid(text)
    hosts = found["hosts"].split(",")
    if not sentinel and len(hosts) > 1:
        raise _invalid(text)
    return RedisAddress(
        hosts=tuple(_host(host, _SENTINEL_PORT if sentinel else _PORT, text) for host in hosts),
        name=unquote(path["name"]) if sentinel else None,
        database=int(path["database"] or 0),
        tls=found["scheme"] == "rediss",
        ca=ca,
        user=unquote(found["user"] or "") or None,
        password=password or unquote(found["password"] or "") or None,
    )


def _host(text: str, default: int, whole: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        raise _invalid(whole)
    return found["host"].strip("[]"), int(found["port"] or default)


def _invalid(text: str) -> SettingsError:
    shown = re.sub(r"://\S*@", "://…@", text)
    return SettingsError(
        "setting_invalid",
        f"'{shown}' cannot be redis.",
        "It is redis://host:port, rediss://host:port, or "
        "redis+sentinel://host:port,host:port/name.",
    )
