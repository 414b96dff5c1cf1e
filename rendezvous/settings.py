"""The settings of ``rendezvous``: each is declared once and explained where people look."""

import argparse
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from rendezvous.ice import IceServers
from rendezvous.ice import settings as ice
from rendezvous.ice.settings import RegionSettings
from rendezvous.program import settings
from rendezvous.program.errors import SettingsError
from rendezvous.program.settings import Secret, option, secret_of
from rendezvous.rooms.policy import AllowList, RoomPolicy
from rendezvous.stores.contract import ROOMS_PER_OWNER
from rendezvous.stores.redis import address
from rendezvous.stores.redis.address import RedisAddress
from rendezvous.wire.messages import IcePolicy

DEFAULT_PORT = 4545

_LISTEN = re.compile(r"(?:(?P<host>\[[^]]+\]|[^:\[\]]*):)?(?P<port>\d{1,5})")
_ORIGIN = re.compile(r"[A-Za-z0-9._-]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")
_PAGE_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65_535
_LEVELS = ("debug", "info", "warning", "error")

_EXAMPLES = """\
examples:
  rendezvous
      serves everybody who can reach this machine on port 4545
  rendezvous --listen 127.0.0.1:4545
      only this machine
  rendezvous --public-origin cam.example.org:4545 \\
      --tls-cert /etc/ssl/cam.pem --tls-key /etc/ssl/cam.key
      on the Internet, with TLS
  RENDEZVOUS_TURN_SECRET_FILE=/etc/porthole/turn rendezvous \\
      --stun stun:turn.example.org:3478 --turn 'turn:turn.example.org:3478?transport=udp'
      with a TURN server that shares a secret with us
  rendezvous --no-open-rooms --allowed-rooms /etc/porthole/rooms
      only the listed cameras, and no names that somebody else could have chosen first
  rendezvous --listen 127.0.0.1:4551 --trusted-proxy 127.0.0.1
      behind a proxy on this machine; deploy/haproxy.cfg is one

  rendezvous --redis redis://127.0.0.1:6379 --public-origin cam.example.org:4545
      one of several nodes that share rooms
  rendezvous doctor --config /etc/porthole/rendezvous.toml
      what is wrong with such settings and all that they name; rendezvous doctor --help

Every option is also an environment variable (RENDEZVOUS_PUBLIC_ORIGIN, several values separated
by spaces) and a key of the TOML file (public_origin = ["…"]). Flags win over the environment, the
environment wins over the file. More TURN servers, of other regions or providers, are [[region]]
tables of the file; deploy/rendezvous.toml has one.
"""


class Settings(RegionSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be chosen; read once."""

    listen: Annotated[
        tuple[str, ...],
        option(
            "address and port to listen on; may be repeated (0.0.0.0:4545)", metavar="HOST:PORT"
        ),
    ] = (f"0.0.0.0:{DEFAULT_PORT}",)
    public_origin: Annotated[
        tuple[str, ...],
        option("a name under which cameras dial this server; may be repeated", metavar="HOST:PORT"),
    ] = ()
    allow_origin: Annotated[
        tuple[str, ...],
        option(
            "a web site whose pages may use and frame this server; may be repeated",
            metavar="https://SITE",
        ),
    ] = ()
    tls_cert: Annotated[
        Path | None, option("certificate chain (PEM); the port then wants TLS", metavar="FILE")
    ] = None
    tls_key: Annotated[
        Path | None, option("its private key (PEM), if it is in a file of its own", metavar="FILE")
    ] = None
    allow_clear: Annotated[bool, option("with a certificate, serve traffic in clear as well")] = (
        False
    )
    state: Annotated[
        Path | None,
        option(
            "where names are remembered ($STATE_DIRECTORY/rendezvous.sqlite, or "
            "porthole/rendezvous.sqlite under $XDG_STATE_HOME or ~/.local/state)",
            metavar="FILE",
        ),
    ] = None
    redis: Annotated[
        Secret | None,
        option(
            "share rooms with other nodes: redis://HOST:PORT, rediss:// for TLS, or "
            "redis+sentinel://HOST:PORT,HOST:PORT/NAME; it needs maxmemory-policy noeviction, and "
            "appendonly yes to remember chosen names (none: rooms are this server's, in --state)",
            metavar="ADDRESS",
        ),
    ] = None
    redis_password: Annotated[Secret | None, option("Redis's password", on_command_line=False)] = (
        None
    )
    redis_password_file: Annotated[
        Path | None, option("a file with that password, in its first line", metavar="FILE")
    ] = None
    redis_ca: Annotated[
        Path | None,
        option("certificates to trust with rediss:// (PEM; the system's)", metavar="FILE"),
    ] = None
    redis_replicas: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=9)],
        option("replicas that must have a claim before it is granted (0)", metavar="N"),
    ] = 0
    region: tuple[RegionSettings, ...] = ()
    """More servers for sessions, with secrets of their own: [[region]] tables of the file."""
    turn_lifetime: Annotated[
        Annotated[int, msgspec.Meta(ge=10, le=60)],
        option("minutes for which a signed TURN credential opens a relay (30)", metavar="N"),
    ] = 30
    ice_policy: Annotated[
        IcePolicy,
        option(
            "'all', or 'relay': media only through TURN, in every room (all: cameras choose)",
            metavar="POLICY",
        ),
    ] = IcePolicy.ALL
    open_rooms: Annotated[
        bool, option("let cameras choose names; without, only rooms made from keys (yes)")
    ] = True
    allowed_rooms: Annotated[
        Path | None,
        option(
            "only the rooms and key:THUMBPRINTs in this file, one a line; read again on SIGHUP "
            "(all)",
            metavar="FILE",
        ),
    ] = None
    trusted_proxy: Annotated[
        tuple[str, ...],
        option(
            "proxies whose PROXY header or X-Forwarded-For tells who the client is; may be "
            "repeated (none)",
            metavar="NETWORK",
        ),
    ] = ()
    viewers_per_room: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=1000)],
        option("places for viewers in each room (10)", metavar="N"),
    ] = 10
    rooms_per_key: Annotated[
        Annotated[int, msgspec.Meta(ge=1)],
        option("rooms that one camera key may have (32)", metavar="N"),
    ] = ROOMS_PER_OWNER
    strangers_per_address: Annotated[
        Annotated[int, msgspec.Meta(ge=1)],
        option("connections of one address that are in no room yet (100)", metavar="N"),
    ] = 100
    strangers: Annotated[
        Annotated[int, msgspec.Meta(ge=1)],
        option("connections that are in no room yet, in all (2000)", metavar="N"),
    ] = 2_000
    log_level: Annotated[str, option("debug, info, warning or error (info)", metavar="LEVEL")] = (
        "info"
    )


def load(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """The settings of this run; raises UsageError or SettingsError."""
    parser = argparse.ArgumentParser(
        prog="rendezvous",
        description="Brings a camera and its viewers together, so that media can go from one to\n"
        "the other directly. Serves the player's page, too.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    loaded = settings.load(Settings, prefix="RENDEZVOUS", argv=argv, environ=environ, parser=parser)
    check(loaded)
    if loaded.state is None and loaded.redis is None:
        loaded = msgspec.structs.replace(loaded, state=_default_state(environ))
    return loaded


def check(chosen: Settings) -> None:
    """Refuses what cannot work; raises SettingsError."""
    for text in chosen.listen:
        split_address(text)
    for text in chosen.public_origin:
        _require(_ORIGIN, text, "public_origin", "It is host:port, as in cam.example.org:4545.")
    page_origins(chosen)
    for text in chosen.trusted_proxy:
        _check_network(text)
    if chosen.log_level.lower() not in _LEVELS:
        raise _invalid("log_level", chosen.log_level, f"It is one of {', '.join(_LEVELS)}.")
    _check_tls(chosen)
    _check_ice(chosen)
    _check_redis(chosen)


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        cure = "It is an address or a network, as in 10.0.0.0/8 or ::1."
        raise _invalid("trusted_proxy", text, cure) from None


def room_policy(chosen: Settings) -> RoomPolicy:
    """Which rooms may be claimed; raises SettingsError when the list cannot be read."""
    path = chosen.allowed_rooms
    if path is None:
        return RoomPolicy(chosen.open_rooms)
    try:
        allowed = AllowList.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            "allowed_rooms_unreadable",
            f"Cannot use the list of allowed rooms {path}: {error}.",
            "It has one room ID or key:THUMBPRINT a line; # begins a comment.",
        ) from None
    return RoomPolicy(chosen.open_rooms, allowed)


def _check_tls(chosen: Settings) -> None:
    if chosen.tls_cert is None and (chosen.tls_key is not None or chosen.allow_clear):
        raise SettingsError(
            "setting_contradicts",
            "tls_key and allow_clear mean nothing without tls_cert.",
            "Name the certificate with --tls-cert.",
        )


def _check_ice(chosen: Settings) -> None:
    regions = (chosen, *chosen.region)
    ice.check(regions)
    if chosen.ice_policy is IcePolicy.RELAY and not any(region.turn for region in regions):
        raise SettingsError(
            "setting_contradicts",
            "ice_policy 'relay' without a TURN server lets nobody connect.",
            "Name one with --turn.",
        )


def _check_redis(chosen: Settings) -> None:
    if chosen.redis is not None and chosen.state is not None:
        raise SettingsError(
            "setting_contradicts",
            "Rooms are either in Redis or in the file that 'state' names.",
            "Leave one of the two out.",
        )
    if chosen.redis is None and (
        chosen.redis_password
        or chosen.redis_password_file
        or chosen.redis_ca
        or chosen.redis_replicas
    ):
        raise SettingsError(
            "setting_contradicts",
            "Other settings of Redis mean nothing without its address.",
            "Name the server with --redis.",
        )
    if chosen.redis is not None:
        address.parse(chosen.redis)


def redis_address(chosen: Settings) -> RedisAddress | None:
    """Where Redis is, if it is wanted; raises SettingsError."""
    if chosen.redis is None:
        return None
    password = secret_of(chosen.redis_password, chosen.redis_password_file)
    return address.parse(chosen.redis, password=password, ca=chosen.redis_ca)


def _require(pattern: re.Pattern[str], text: str, name: str, cure: str) -> None:
    if not pattern.fullmatch(text):
        raise _invalid(name, text, cure)


def _invalid(name: str, value: str, cure: str) -> SettingsError:
    return SettingsError("setting_invalid", f"'{value}' cannot be {name}.", cure)


def split_address(text: str) -> tuple[str, int]:
    """``host:port``, ``[v6]:port``, ``:port`` or ``port``; raises SettingsError."""
    match = _LISTEN.fullmatch(text)
    if match is None or int(match["port"]) > _LAST_PORT:
        raise _invalid("listen", text, "It is host:port, as in 0.0.0.0:4545 or [::]:4545.")
    return (match["host"] or "0.0.0.0").strip("[]"), int(match["port"])  # noqa: S104


def page_origins(chosen: Settings) -> tuple[str, ...]:
    """``allow_origin`` as browsers write it (RFC 6454 §6.2); raises SettingsError."""
    return tuple(_page_origin(text) for text in chosen.allow_origin)


def _page_origin(text: str) -> str:
    match = _PAGE_ORIGIN.fullmatch(text.lower())
    if match is None or int(match["port"] or 0) > _LAST_PORT:
        raise _invalid("allow_origin", text, "It is an origin, as in https://example.org.")
    if match["port"] is None or int(match["port"]) == _DEFAULT_PORTS[match["scheme"]]:
        return f"{match['scheme']}://{match['host']}"
    return f"{match['scheme']}://{match['host']}:{int(match['port'])}"


def ice_servers(chosen: Settings) -> IceServers:
    """Of all regions; raises SettingsError when a file with a secret cannot be read."""
    return ice.ice_servers((chosen, *chosen.region), chosen.turn_lifetime * 60.0)


def _default_state(environ: Mapping[str, str]) -> Path:
    if folder := environ.get("STATE_DIRECTORY"):  # systemd's; may list several
        return Path(folder.split(":")[0]) / "rendezvous.sqlite"
    home = environ.get("XDG_STATE_HOME") or Path(os.path.expanduser("~")) / ".local" / "state"  # noqa: PTH111  # no RuntimeError without a home
    return Path(home) / "porthole" / "rendezvous.sqlite"
