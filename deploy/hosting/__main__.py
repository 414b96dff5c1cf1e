"""Sets up a rendezvous and a TURN server (coturn) on a Debian machine, both on port 443.

docs/hosting.md tells the whole way. The answers are kept in /etc/porthole/host.json, secrets in
/etc/porthole/turn-secret; every file is written anew from these, so that any step may be repeated.
"""

import argparse
import json
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from deploy.hosting.choices import Choices, Unusable
from deploy.hosting.files import (
    COTURN_UNIT,
    DEPLOY,
    MORE,
    RENDEZVOUS_UNIT,
    SECRETS,
    TLS,
    WRITTEN,
    haproxy_cfg,
    rendezvous_toml,
    turnserver_conf,
)
from deploy.hosting.machine import PRIVATE, PUBLIC, TURN_ONLY, Machine

CHOICES = "etc/porthole/host.json"
READS = {
    "coturn": ("etc/turnserver.conf", "etc/systemd/system/coturn"),
    "rendezvous": ("etc/porthole/rendezvous.toml", SECRETS, "etc/systemd/system/rendezvous"),
    "haproxy": ("etc/haproxy/",),
}
OLDER = 1  # secrets beside the one that signs, whose credentials may still be in use

EXAMPLES = """\
examples:
  deploy/host set-up --name watch.example.org --turn-name turn.example.org --address 203.0.113.7
      one address: HAProxy tells the two services apart by the name that a client asks for
  deploy/host set-up … --address 203.0.113.7 --turn-address 203.0.113.8
      an address for each, and no HAProxy
  deploy/host certificate --cert fullchain.pem --key privkey.pem
      installs a certificate for both names; also as certbot's --deploy-hook, without flags
  deploy/host check
      asks rendezvous doctor
  deploy/host rotate
      a new secret between the two; credentials of the former one stay good
"""


def configure(on: Machine, of: Choices, signing: Sequence[str]) -> None:
    """All files that follow from the choices and the secrets, but not the rendezvous's secret."""
    own = on.read(MORE) or ""
    settings = rendezvous_toml(of, own)
    if own:
        on.write(MORE, own, PRIVATE)  # it may hold secrets, whoever made it
    on.write(CHOICES, json.dumps(asdict(of), indent=2) + "\n", PUBLIC)
    on.write("etc/turnserver.conf", turnserver_conf(of, signing), TURN_ONLY)
    on.write("etc/porthole/rendezvous.toml", settings, PRIVATE)
    if of.shared:
        on.write("etc/haproxy/haproxy.cfg", haproxy_cfg(of), PUBLIC)
    unit = (DEPLOY / "systemd/rendezvous.service").read_text(encoding="utf-8")
    on.write("etc/systemd/system/rendezvous.service", WRITTEN + unit, PUBLIC)
    for name, text in (("rendezvous", RENDEZVOUS_UNIT), ("coturn", COTURN_UNIT)):
        on.write(f"etc/systemd/system/{name}.service.d/porthole.conf", WRITTEN + text, PUBLIC)
    on.service("daemon-reload")


def signing_secrets(on: Machine) -> list[str]:
    """Those that are known here, the newest first."""
    return (on.read(SECRETS) or "").split()


def choices(on: Machine) -> Choices:
    """Those of the last set-up; raises Unusable without one."""
    text = on.read(CHOICES)
    if text is None:
        raise Unusable("Nothing is set up here yet: begin with deploy/host set-up.")
    said = json.loads(text)
    return Choices(
        name=said["name"],
        turn_name=said["turn_name"],
        address=tuple(said["address"]),
        turn_address=tuple(said["turn_address"]),
        external=said["external"],
    )


# ── the commands ─────────────────────────────────────────────────────────────────────────────


def set_up(on: Machine, said: argparse.Namespace) -> None:
    """Everything but the certificate, if there is none yet."""
    of = _chosen(on, said)
    of.check()
    signing = signing_secrets(on) or [secrets.token_urlsafe(32)]
    configure(on, of, signing)
    on.write(SECRETS, "\n".join(signing) + "\n", PRIVATE)
    if on.read(f"{TLS}/key.pem") is None:
        for name in _services(of):  # some run since they were installed, as their packages like
            on.service("stop", name)
        print("Next: deploy/host certificate, for both names. Nothing runs before.")
        return
    _run(on, of, {})


def _chosen(on: Machine, said: argparse.Namespace) -> Choices:
    answers = (said.name, said.turn_name, said.address, said.turn_address, said.external)
    if on.read(CHOICES) and not any(answers):
        return choices(on)
    return Choices(
        said.name or _ask("Name of the rendezvous, as in watch.example.org"),
        said.turn_name or _ask("Name of the TURN server, as in turn.example.org"),
        tuple(said.address or _ask("Public address of this machine").split()),
        tuple(said.turn_address),
        said.external,
    )


def certificate(on: Machine, said: argparse.Namespace) -> None:
    """Copies a certificate to where both services may read it, and has them take it up."""
    of = choices(on)
    lineage = os.environ.get("RENEWED_LINEAGE")  # certbot's, when it calls its hook
    cert = said.cert or (lineage and Path(lineage) / "fullchain.pem")
    key = said.key or (lineage and Path(lineage) / "privkey.pem")
    if not (cert and key):
        raise Unusable("Name the files with --cert and --key.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
        chain, secret = (Path(file).read_text(encoding="ascii") for file in (cert, key))
    except (OSError, UnicodeDecodeError) as error:  # SSLError, too: it is none, or another's key
        raise Unusable(f"Cannot use the certificate: {error}.") from None
    on.write(f"{TLS}/cert.pem", chain, TURN_ONLY)  # some keep chain and key in one file
    on.write(f"{TLS}/key.pem", secret, TURN_ONLY)
    # coturn takes it up without ending a relay, and what the rendezvous ends is signalling only.
    _run(on, of, {"coturn": "reload-or-restart", "rendezvous": "restart"})


def rotate(on: Machine, said: argparse.Namespace) -> None:
    """A new secret: coturn knows it before the first credential is signed with it."""
    of, known = choices(on), signing_secrets(on)
    kept = [] if said.leaked else known[:OLDER]
    signing = [secrets.token_urlsafe(32), *kept]
    configure(on, of, signing)
    on.service("restart", "coturn")
    on.write(SECRETS, "\n".join(signing) + "\n", PRIVATE)
    on.service("restart", "rendezvous")


def check(on: Machine, said: argparse.Namespace) -> None:  # noqa: ARG001  # as the others
    """Asks the doctor, with what systemd hands to the service. Raises Unusable."""
    choices(on)
    files = {
        "TURN_SECRET_FILE": SECRETS,
        "TLS_CERT": f"{TLS}/cert.pem",
        "TLS_KEY": f"{TLS}/key.pem",
    }
    variables = {f"RENDEZVOUS_{name}": f"/{file}" for name, file in files.items()}
    variables["STATE_DIRECTORY"] = "/var/lib/porthole-rendezvous"
    command = (
        "/opt/porthole/bin/rendezvous",
        "doctor",
        "--config",
        "/etc/porthole/rendezvous.toml",
    )
    if subprocess.run(command, env={**os.environ, **variables}, check=False).returncode:
        raise Unusable("Not all is well; see above.")


def _run(on: Machine, of: Choices, verbs: Mapping[str, str]) -> None:
    """What runs goes on as it is, unless what it has read was changed or a verb is said."""
    for name in _services(of):
        changed = any(path.startswith(READS[name]) for path in on.changed)
        on.service("unmask", name)  # `make test` masks what it runs itself
        on.service("enable", name)
        on.service(verbs.get(name) or ("restart" if changed else "start"), name)
    for line in _checks(of):
        print(line)


def _services(of: Choices) -> tuple[str, ...]:
    return ("coturn", "rendezvous", *(("haproxy",) if of.shared else ()))


def _checks(of: Choices) -> Iterator[str]:
    yield f"Open in a firewall: TCP 443, 4545 ({', '.join(of.address)});"
    yield f"  TCP 443, 3478, UDP 3478, 49152-65535 ({', '.join(of.relays)})."
    yield "Check: deploy/host check"


def _ask(question: str) -> str:
    if not sys.stdin.isatty():
        raise Unusable("Say --name, --turn-name and --address.")
    return input(f"{question}: ").strip()


# ── the command line ─────────────────────────────────────────────────────────────────────────


def parser() -> argparse.ArgumentParser:
    """Four commands."""
    top = argparse.ArgumentParser(
        prog="deploy/host",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--root", type=Path, default=Path("/"), help="write there, start nothing")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    command = commands.add_parser("set-up", help="write all files; asks for what was never said")
    command.set_defaults(run=set_up)
    command.add_argument("--name", default="", help="of the rendezvous: watch.example.org")
    command.add_argument("--turn-name", default="", help="of the TURN server: turn.example.org")
    command.add_argument("--address", action="append", help="of this machine; may be repeated")
    command.add_argument(
        "--turn-address", action="append", default=[], help="a second one, for TURN alone"
    )
    command.add_argument(
        "--external", default="", help="the public address, if a NAT stands before --address"
    )
    command = commands.add_parser("certificate", help="install a certificate for both names")
    command.set_defaults(run=certificate)
    command.add_argument("--cert", type=Path, help="chain (PEM)")
    command.add_argument("--key", type=Path, help="private key (PEM)")
    command = commands.add_parser("check", help="find what keeps cameras and viewers away")
    command.set_defaults(run=check)
    command = commands.add_parser("rotate", help="a new secret for TURN credentials")
    command.set_defaults(run=rotate)
    command.add_argument("--leaked", action="store_true", help="the former one is void at once")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status of sysexits(3)."""
    said = parser().parse_args(argv)
    if said.root == Path("/") and os.geteuid() != 0:
        print("deploy/host: It writes to /etc: be root, or try --root FOLDER.", file=sys.stderr)
        return 77
    os.umask(0o022)  # whatever it was: services have to reach what is theirs
    try:
        said.run(Machine(said.root, print), said)
    except Unusable as error:
        print(f"deploy/host: {error}", file=sys.stderr)
        return 78
    except OSError as error:
        print(f"deploy/host: {error.filename}: {error.strerror}.", file=sys.stderr)
        return 74
    return 0


if __name__ == "__main__":
    sys.exit(main())
