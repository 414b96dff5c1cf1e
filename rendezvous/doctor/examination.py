"""An installation from end to end: its parts first, then the way in, then the relays."""

import ssl
import time

from rendezvous.doctor import certificate, ports, relays, store
from rendezvous.probes import ice
from rendezvous.probes.findings import Report, fault, note, of_error
from rendezvous.program.errors import ProgramError
from rendezvous.settings import Settings, ice_servers, redis_address, split_address


async def examine(settings: Settings, report: Report) -> None:
    """All of it. What the server is asked for changes nothing there."""
    await _examine_store(settings, report)
    origins = [split_address(text) for text in settings.public_origin]
    if settings.tls_cert is not None:
        report.begin(f"Certificate  {settings.tls_cert}")
        hosts = [host for host, _ in origins]
        report.add(*certificate.examine(settings.tls_cert, settings.tls_key, hosts))
    await _examine_ports(settings, report)
    for host, port in origins:
        report.begin(f"Public origin  {host}:{port}")
        await ports.examine_origin(host, port, report)
    await _examine_relays(settings, report)


async def _examine_store(settings: Settings, report: Report) -> None:
    try:
        address = redis_address(settings)
    except ProgramError as error:
        report.begin("Store")
        report.add(of_error(error, "The server does not start."))
        return
    report.begin(f"Store  {address or settings.state}")
    if address is not None:
        replicas, open_rooms = settings.redis_replicas, settings.open_rooms
        found = await store.examine_redis(
            address, replicas=replicas, open_rooms=open_rooms, now=time.time()
        )
        report.add(*found)
    elif settings.state is not None:
        report.add(*store.examine_file(settings.state))


async def _examine_ports(settings: Settings, report: Report) -> None:
    report.begin("Ports")
    for text in settings.listen:
        host, port = split_address(text)
        report.add(await ports.examine_port(host, port, tls=settings.tls_cert is not None))
    if not settings.public_origin:
        report.add(
            note(
                "no_public_origin",
                "No --public-origin is set: cameras may dial this machine's own address only.",
                "Behind a name, a proxy or a NAT no camera gets in.",
                "Set --public-origin HOST:PORT, as cameras dial it.",
            )
        )


async def _examine_relays(settings: Settings, report: Report) -> None:
    try:
        chosen = ice_servers(settings)
        servers = relays.of(chosen)
    except ProgramError as error:
        report.begin("STUN and TURN")
        report.add(of_error(error, "The server does not start."))
        return
    except ValueError as error:
        report.begin("STUN and TURN")
        report.add(fault("ice_url_malformed", str(error), "", "Correct --stun or --turn."))
        return
    if found := relays.exposed((settings, *settings.region)):
        report.begin("TURN secrets")
        report.add(*found)
    tls = ssl.create_default_context()
    await ice.examine(servers, tls, report, second_look=relays.SecondLook(chosen, tls))
