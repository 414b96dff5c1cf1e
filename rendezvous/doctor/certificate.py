"""The certificate and its key, as the server would load them."""

import datetime as dt
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rendezvous.probes import certificates
from rendezvous.probes.certificates import BROWSERS, Certificate
from rendezvous.probes.findings import Finding, fault, warning


def examine(cert: Path, key: Path | None, hosts: Sequence[str]) -> list[Finding]:
    """``hosts``: the names under which cameras and viewers dial."""
    unusable = _unusable(cert, key)
    if unusable:
        return [unusable]
    chain = x509.load_pem_x509_certificates(cert.read_bytes())
    leaf = Certificate.parse(chain[0].public_bytes(Encoding.DER))
    return [
        *certificates.judge_names(leaf, hosts),
        certificates.judge_time(leaf, dt.datetime.now(dt.UTC)),
        *_chain(leaf, len(chain)),
        *_exposed(key or cert),
    ]


def _unusable(cert: Path, key: Path | None) -> Finding | None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        return fault(
            "tls_unusable",
            f"The certificate {cert} cannot be used: {error}.",
            "The server does not start.",
            "It is a PEM chain; --tls-key names its key if that is in another file. Both must be "
            "readable for the server's user.",
        )
    return None


def _chain(leaf: Certificate, length: int) -> list[Finding]:
    """Browsers know root authorities only, not those in between (RFC 8446 §4.4.2)."""
    if leaf.self_signed:
        why, cure = "is signed by itself", "Get one from a public authority; certbot does."
    elif length == 1:
        why, cure = "comes without its issuer's", "Name the whole chain: fullchain.pem."
    else:
        return []
    return [warning("certificate_untrusted", f"The certificate {why}.", BROWSERS, cure)]


def _exposed(key: Path) -> list[Finding]:
    if not key.stat().st_mode & 0o007:
        return []
    return [
        warning(
            "key_exposed",
            f"Every user of this machine can read the private key {key}.",
            "Who has it can pretend to be this server.",
            f"chmod o= {key}",
        )
    ]
