"""What the files of a site say, as a function of the operator's choices and the secrets."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from string import Template

from deploy.hosting.choices import Choices, Unusable

DEPLOY = Path(__file__).resolve().parent.parent
SECRETS, TLS = "etc/porthole/turn-secret", "etc/porthole/tls"
MORE = "etc/porthole/more.toml"
WRITTEN = "# Written by deploy/host: run it again rather than change this.\n"
BEHIND_PROXY = "127.0.0.1:4546"
TURNS_BEHIND_PROXY = 5349
# Clients that name no family get IPv4 (RFC 8656 §14.6); coturn without any would lend 0.0.0.0.
_IPV6_ALONE = "allocation-default-address-family=ipv6"


def turnserver_conf(of: Choices, signing: Sequence[str]) -> str:
    """The common file and below it what is of this site only."""
    loopback = ("127.0.0.1",) if of.shared else ()  # HAProxy comes from there
    lines = [
        f"realm={of.turn_name}",
        *(f"static-auth-secret={secret}" for secret in signing),
        *(f"listening-ip={address}" for address in (*of.relays, *loopback)),
        # Said, because by default a relay is where the client's connection ends: the loopback.
        *(f"relay-ip={address}" for address in of.relays),
        *([] if any("." in address for address in of.relays) else [_IPV6_ALONE]),
        *([f"external-ip={of.external}/{of.relays[0]}"] if of.external else []),
        "listening-port=3478",
        f"tls-listening-port={TURNS_BEHIND_PROXY if of.shared else 443}",
        f"cert=/{TLS}/cert.pem",
        f"pkey=/{TLS}/key.pem",
    ]
    common = (DEPLOY / "coturn/turnserver.conf").read_text(encoding="utf-8")
    return WRITTEN + common + "\n# This site\n" + "\n".join(lines) + "\n"


def haproxy_cfg(of: Choices) -> str:
    """Port 443 for both, and 4545, where cameras look for a rendezvous."""
    binds = [f"    bind {_socket(a, port)}" for a in of.address for port in (443, 4545)]
    words = {"binds": "\n".join(binds), "turn_name": of.turn_name}
    coturn = f"127.0.0.1:{TURNS_BEHIND_PROXY}"
    template = Template((DEPLOY / "haproxy-443.cfg").read_text(encoding="utf-8"))
    return WRITTEN + template.safe_substitute(words, rendezvous=BEHIND_PROXY, coturn=coturn)


def rendezvous_toml(of: Choices, more: str) -> str:
    """Where it listens, what it is called, whose relays it gives out, and the operator's own.

    Raises Unusable: what a server that restarts cannot read would be found out too late.
    """
    listen = [BEHIND_PROXY]
    if not of.shared:
        listen = [_socket(address, port) for address in of.address for port in (443, 4545)]
    turn = of.turn_name
    settings: dict[str, object] = {
        "listen": listen,
        "public_origin": [f"{of.name}:443", f"{of.name}:4545"],
        **({"trusted_proxy": ["127.0.0.1"]} if of.shared else {}),
        "stun": [f"stun:{turn}:3478"],
        "turn": [
            f"turn:{turn}:3478?transport=udp",
            f"turn:{turn}:3478?transport=tcp",
            f"turns:{turn}:443?transport=tcp",
        ],
    }
    # A JSON text or list of texts is one of TOML.
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    text = WRITTEN + "".join(lines) + f"\n# From /{MORE}\n{more}"
    try:
        _ = tomllib.loads(more), tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unusable(
            f"/{MORE} is no TOML, or says again what is said already: {error}."
        ) from None
    return text


def _socket(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


RENDEZVOUS_UNIT = f"""\
[Service]
LoadCredential=turn-secret:/{SECRETS}
LoadCredential=cert.pem:/{TLS}/cert.pem
LoadCredential=key.pem:/{TLS}/key.pem
Environment=RENDEZVOUS_TURN_SECRET_FILE=%d/turn-secret
Environment=RENDEZVOUS_TLS_CERT=%d/cert.pem RENDEZVOUS_TLS_KEY=%d/key.pem
"""
COTURN_UNIT = """\
[Service]
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
ExecReload=kill -USR2 $MAINPID
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectHome=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
"""
