"""The road to a rendezvous up to where it speaks: name, TCP, TLS, clock."""

import datetime as dt
import ssl
from dataclasses import dataclass
from typing import Final

from rendezvous.probes import certificates
from rendezvous.probes.certificates import Certificate
from rendezvous.probes.channels import SilentError, connect
from rendezvous.probes.findings import Finding, Report, fault, note, warning, well
from rendezvous.probes.names import resolve, shown
from rendezvous.probes.stun import Address
from rendezvous.probes.web import time_there

CLOCK_SECONDS: Final = 60.0  # apart; less is no trouble to certificates and credentials
NOBODY = "Nobody can watch, and no camera gets in."


@dataclass(frozen=True, slots=True)
class Door:
    """A port of a rendezvous, as somebody dials it. ``tls`` None: in clear."""

    host: str
    port: int
    tls: ssl.SSLContext | None

    @property
    def origin(self) -> str:
        """host:port."""
        return shown(self.host, self.port)


async def reach(door: Door, report: Report) -> bool:
    """Whether one may speak there: all that can be wrong before that is reported."""
    addresses = await resolve(door.host, door.port)
    if not addresses:
        report.add(_unknown(door))
        return False
    if door.host not in (found := [address for address, _ in addresses]):
        report.add(well("name", f"{door.host} is {', '.join(found)}."))
    reached = await _first(addresses)
    report.add(_connected(door, reached))
    if isinstance(reached, SilentError):
        return False
    if door.tls is not None and not await _speaks_tls(door, reached, report):
        return False
    await _compare_clocks(door, reached, report)
    return True


def _unknown(door: Door) -> Finding:
    return fault(
        "name_unknown",
        f"The name {door.host} leads to no address.",
        NOBODY,
        "Check its spelling, its DNS record, and the DNS of this machine.",
    )


async def _first(addresses: list[Address]) -> Address | SilentError:
    """The first that accepts; otherwise the refusal that says most."""
    errors = []
    for address in addresses:
        try:
            _, writer = await connect(address)
        except SilentError as error:
            errors.append(error)
        else:
            writer.transport.abort()
            return address
    return next((error for error in errors if error.refused), errors[0])


def _connected(door: Door, reached: Address | SilentError) -> Finding:
    if not isinstance(reached, SilentError):
        return well("port_open", f"Port {door.port} is open.")
    if reached.refused:
        return fault(
            "port_closed",
            f"{door.host} is there, but nothing listens on port {door.port}.",
            NOBODY,
            "Start the rendezvous, or correct the port; it is 4545 unless said otherwise.",
        )
    return fault(
        "server_unreachable",
        f"Nothing answers at {door.origin}.",
        NOBODY,
        f"Check the address, and that firewalls and port forwarding let TCP {door.port} through.",
    )


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


async def _speaks_tls(door: Door, address: Address, report: Report) -> bool:
    try:
        der = await _certificate(address, door.tls, door.host)
    except ssl.SSLCertVerificationError:
        report.add(*await _explain(door, address))
        return False
    except (ssl.SSLError, SilentError):
        report.add(_without_tls(door))
        return False
    certificate = Certificate.parse(der)
    report.add(well("tls", f"TLS works, and the certificate is for {door.host}."))
    report.add(certificates.judge_time(certificate, _now()))
    return True


def _without_tls(door: Door) -> Finding:
    return fault(
        "server_without_tls",
        f"{door.origin} does not speak TLS.",
        NOBODY,
        "Leave out --tls (ersOverSsl), or give the server a certificate (--tls-cert).",
    )


async def _certificate(address: Address, context: ssl.SSLContext | None, name: str) -> bytes:
    """The server's, DER; raises SilentError or ssl.SSLError."""
    _, writer = await connect(address, context, name)
    try:
        return bytes(writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b"")
    finally:
        writer.transport.abort()


async def _explain(door: Door, address: Address) -> list[Finding]:
    """What is wrong with a certificate that was refused. Nothing is said to that server but GET."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        certificate = Certificate.parse(await _certificate(address, context, door.host))
        theirs = await time_there(address, context, door.host)
    except (ssl.SSLError, SilentError, ValueError):
        return [_without_tls(door)]
    return judge_refused(certificate, door.host, ours=_now(), theirs=theirs)


def judge_refused(
    certificate: Certificate, host: str, *, ours: dt.datetime, theirs: dt.datetime | None
) -> list[Finding]:
    """Why a certificate was refused: by our clock, unless the server's shows that it is wrong."""
    if not certificate.valid(ours) and theirs and certificate.valid(theirs):
        return [_clock(theirs - ours, serious=True)]
    names = certificates.judge_names(certificate, [host])
    when = certificates.judge_time(certificate, ours)
    wrong = [found for found in (*names, when) if found.verdict.value == "fault"]
    return wrong or [certificates.untrusted(certificate)]


# ── clocks ───────────────────────────────────────────────────────────────────────────────────


async def _compare_clocks(door: Door, address: Address, report: Report) -> None:
    try:
        theirs = await time_there(address, door.tls, door.host)
    except (ssl.SSLError, SilentError):
        theirs = None
    if theirs is None:
        report.add(note("clock_unknown", "The server does not tell the time: not compared."))
    else:
        report.add(judge_clock(theirs, _now()))


def judge_clock(theirs: dt.datetime, ours: dt.datetime) -> Finding:
    """Whether both machines agree about the time."""
    apart = theirs - ours
    if abs(apart.total_seconds()) <= CLOCK_SECONDS:
        return well("clock", "The clocks of both machines agree.")
    return _clock(apart, serious=False)


def _clock(apart: dt.timedelta, *, serious: bool) -> Finding:
    way = "behind" if apart.total_seconds() > 0 else "ahead of"
    kind = fault if serious else warning
    return kind(
        "clock_wrong",
        f"The clock of this machine is {_span(abs(apart))} {way} the server's.",
        "Certificates and TURN credentials seem to be expired, or not valid yet."
        if serious
        else "If one of them is far off, certificates and TURN credentials seem to be expired.",
        "Let both machines keep their time by NTP (timedatectl set-ntp true).",
    )


def _span(apart: dt.timedelta) -> str:
    for unit, seconds in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if apart.total_seconds() >= 2 * seconds:
            return f"{apart.total_seconds() / seconds:.0f} {unit}"
    return f"{apart.total_seconds():.0f} seconds"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
