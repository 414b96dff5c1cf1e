"""TURN servers as their operator sees them: is the secret theirs, and whom do they let reach?"""

import ipaddress
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from rendezvous.ice import IceServers, Region
from rendezvous.ice.settings import RegionSettings
from rendezvous.probes import asking
from rendezvous.probes.asking import NO_RELAY, Outcome, lent
from rendezvous.probes.channels import SilentError
from rendezvous.probes.findings import Finding, fault, warning, well
from rendezvous.probes.names import resolve
from rendezvous.probes.servers import Server, servers
from rendezvous.probes.turn import FORBIDDEN, Allocation, RefusedError

_FAR: Final = 10 * 365 * 86_400  # seconds; no clock is so wrong
# Itself, and the host of many clouds; by the relayed address, which reaches its like alone.
_OWN: Final = {4: ("127.0.0.1", "169.254.169.254"), 6: ("::1", "::ffff:127.0.0.1")}
_PRIVATE: Final = {4: ("10.0.0.1", "172.16.0.1", "192.168.0.1"), 6: ("fd00::1",)}
_PORT: Final = 80  # of nobody in particular: a permission is for all of them


def of(ice: IceServers) -> list[Server]:
    """All servers, with credentials as a session gets them; raises ValueError."""
    return servers(ice.for_room("doctor"))


def exposed(regions: Iterable[RegionSettings]) -> list[Finding]:
    """Files of secrets that others can read."""
    files = (file for one in regions for file in (one.turn_secret_file, one.turn_credential_file))
    return [
        warning(
            "secret_exposed",
            f"Every user of this machine can read the TURN secret in {file}.",
            "Who has it can use the relay for anything.",
            f"chmod o= {file}",
        )
        for file in files
        if file and file.stat().st_mode & 0o007
    ]


class SecondLook:
    """What a server's operator can find out beyond what every user can."""

    def __init__(self, ice: IceServers, tls: ssl.SSLContext) -> None:
        self._ice = ice
        self._tls = tls
        self._looked: set[str] = set()

    async def __call__(self, outcome: Outcome) -> Outcome:
        """The findings in the place of the first ones."""
        if any(found.code == "turn_credentials" for found in outcome.findings):
            return replace(outcome, findings=(await self._credentials(outcome.server),))
        new = outcome.server.host not in self._looked
        if outcome.server.relays and outcome.answered and new:
            self._looked.add(outcome.server.host)
            denied = await _denied(outcome.server, self._tls)
            return replace(outcome, findings=(*outcome.findings, *denied))
        return outcome

    async def _credentials(self, server: Server) -> Finding:
        """A credential without an end is refused by a wrong secret, not by a wrong clock."""
        region = next(region for region in self._ice.regions if server.url in region.turn)
        if not region.secret:
            return _fixed()
        endless = _endless(region, server)
        answered = await asking.ask(endless, self._tls)
        return _clock() if answered.answered else _secret()


def _endless(region: Region, server: Server) -> Server:
    user = f"{int(time.time()) + _FAR}:doctor"
    return next(
        one for one in servers(region.servers(user)) if one.url == server.url and one.relays
    )


def _fixed() -> Finding:
    return fault(
        "turn_credentials",
        "It refuses the user name or the password of the settings.",
        NO_RELAY,
        "Correct both; the provider's page has them.",
    )


def _clock() -> Finding:
    return fault(
        "clock_wrong",
        "It takes our secret, but holds fresh credentials to be expired: its clock is ahead.",
        NO_RELAY,
        "Let both machines keep their time by NTP (timedatectl set-ntp true).",
    )


def _secret() -> Finding:
    return fault(
        "turn_secret",
        "It refuses what our secret has signed: its own secret is another.",
        NO_RELAY,
        "Put the first line of turn_secret_file (RENDEZVOUS_TURN_SECRET) into its "
        "static-auth-secret, and use-auth-secret before it; then restart it.",
    )


# ── whom users can reach through it ──────────────────────────────────────────────────────────


async def _denied(server: Server, tls: ssl.SSLContext) -> list[Finding]:
    try:
        own = await _permitted(server, tls, _OWN)
        private = await _permitted(server, tls, _PRIVATE)
    except (SilentError, RefusedError, ssl.SSLError):
        return [warning("turn_unsteady", "It answered at first, and then not any more.")]
    return judge_permitted(own, private)


async def _permitted(
    server: Server, tls: ssl.SSLContext, peers: Mapping[int, Sequence[str]]
) -> list[str]:
    """Those of the peers that it would relay to, itself aside."""
    (address, *_) = await resolve(server.host, server.port)
    async with lent(server, address, tls) as allocation:
        relayed = allocation.relayed[0]
        family = peers[ipaddress.ip_address(relayed).version]
        return [peer for peer in family if peer != relayed and await _permits(allocation, peer)]


async def _permits(allocation: Allocation, peer: str) -> bool:
    try:
        await allocation.permit((peer, _PORT))
    except RefusedError as refusal:
        if refusal.number != FORBIDDEN:
            raise
        return False
    return True


def judge_permitted(own: Sequence[str], private: Sequence[str]) -> list[Finding]:
    """What was allowed of what should not be. Pure."""
    cure = "Use deploy/coturn/turnserver.conf: it denies every special-purpose range."
    if own:
        return [
            fault(
                "turn_reaches_inside",
                f"It relays to {', '.join(own)}.",
                "Whoever may watch can reach services of the machine that the relay runs on.",
                cure,
            )
        ]
    if private:
        return [
            warning(
                "turn_reaches_private",
                f"It relays to private addresses ({', '.join(private)}).",
                "Whoever may watch can reach the network behind the relay.",
                cure,
            )
        ]
    return [well("turn_denies", "It refuses to relay to itself and to private addresses.")]
