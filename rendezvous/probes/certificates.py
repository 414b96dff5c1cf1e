"""Whether a server's certificate can be believed, and if not, which of its parts is wrong. Pure."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from rendezvous.probes.findings import Finding, fault, warning, well

SOON: Final = dt.timedelta(days=14)  # those of public authorities are renewed a month before
BROWSERS = "Browsers warn before the page, and cameras do not connect."


@dataclass(frozen=True, slots=True)
class Certificate:
    """What of a certificate (RFC 5280) matters to who connects."""

    names: tuple[str, ...]
    begins: dt.datetime
    ends: dt.datetime
    self_signed: bool

    @classmethod
    def parse(cls, der: bytes) -> "Certificate":
        """Raises ValueError."""
        read = x509.load_der_x509_certificate(der)
        return cls(
            _names(read),
            read.not_valid_before_utc,
            read.not_valid_after_utc,
            read.issuer == read.subject,
        )

    def covers(self, host: str) -> bool:
        """Whether it is for this host; a wildcard stands for one label (RFC 9525 §6.3)."""
        host = host.lower().rstrip(".")
        wild = f"*.{host.partition('.')[2]}"
        return any(name.lower() in (host, wild) for name in self.names)

    def valid(self, at: dt.datetime) -> bool:
        """Whether its time has come and is not over."""
        return self.begins <= at <= self.ends


def _names(read: x509.Certificate) -> tuple[str, ...]:
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()  # a common name does not count (RFC 9110 §4.3.4)
    addresses = (str(ip) for ip in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def judge_names(certificate: Certificate, hosts: Sequence[str]) -> list[Finding]:
    """One finding for each host that it is not for; one that all is well otherwise."""
    strange = [host for host in hosts if not certificate.covers(_plain(host))]
    listed = ", ".join(certificate.names) or "no host at all"
    if not strange:
        return [well("certificate_name", f"The certificate is for {listed}.")]
    return [
        fault(
            "certificate_name",
            f"The certificate is for {listed}, not for {host}.",
            BROWSERS,
            "Use the name in the certificate everywhere, or get one for this name.",
        )
        for host in strange
    ]


def judge_time(certificate: Certificate, now: dt.datetime) -> Finding:
    """Whether it is too early or too late for it."""
    ends = f"{certificate.ends:%Y-%m-%d}"
    renew = "Renew it; certbot and its like do so by themselves."
    if now > certificate.ends:
        return fault(
            "certificate_expired", f"The certificate has expired on {ends}.", BROWSERS, renew
        )
    if now < certificate.begins:
        return fault(
            "certificate_early",
            f"The certificate is not valid before {certificate.begins:%Y-%m-%d %H:%M} UTC.",
            BROWSERS,
            "Check the clocks of this machine and of the one that made it.",
        )
    if certificate.ends - now < SOON:
        return warning(
            "certificate_expires",
            f"The certificate expires on {ends}.",
            f"From then on: {BROWSERS[0].lower()}{BROWSERS[1:]}",
            renew,
        )
    return well("certificate_time", f"It is valid until {ends}.")


def untrusted(certificate: Certificate) -> Finding:
    """Name and time are right, and still nobody vouches for it."""
    what = "signed by itself" if certificate.self_signed else "signed by nobody who is known here"
    return fault(
        "certificate_untrusted",
        f"The certificate is {what}, or its chain is not complete.",
        BROWSERS,
        "Send the whole chain (fullchain.pem), or give the issuer with --server-ca; browsers want "
        "a public authority.",
    )


def _plain(host: str) -> str:
    """An IP address in the one form that certificates have."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return host
