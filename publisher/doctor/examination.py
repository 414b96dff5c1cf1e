"""The road from end to end, in the order in which a camera and its viewers go it."""

import asyncio
import ssl
from dataclasses import dataclass

from publisher.doctor import camera, keys, local, room
from publisher.media.outlets import Transcode
from publisher.settings import CameraSettings, Settings
from publisher.signalling.connection import ServerAddress
from publisher.sources.address import Address, AddressError
from publisher.sources.catalog import source_for
from rendezvous.probes import dialling, ice, servers, web
from rendezvous.probes.dialling import Door
from rendezvous.probes.findings import Finding, Report, fault, note, of_error
from rendezvous.program.errors import SettingsError
from rendezvous.wire.messages import IcePolicy, Joined


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates are believed: with --server-ca at the rendezvous that one's only."""

    server: ssl.SSLContext
    turn: ssl.SSLContext

    @classmethod
    def of(cls, settings: Settings) -> "Trust":
        """Raises SettingsError."""
        file = settings.server_ca
        try:
            turn = ssl.create_default_context()
            if file:
                turn.load_verify_locations(file)
            return cls(ssl.create_default_context(cafile=file or None), turn)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                "server_ca_unreadable", f"Cannot use {file}: {error.strerror or error}."
            ) from None


async def examine(settings: Settings, trust: Trust, report: Report, *, seconds: float) -> None:
    """All of it; each camera is watched for ``seconds`` at the most."""
    report.begin("This machine")
    viewers = sum(chosen.viewers for chosen in settings.cameras)
    report.add(*local.examine(settings.network, viewers, alone=_alone(settings)))
    if any(map(settings.has_room, settings.cameras)):
        await _examine_rooms(settings, trust, report)
    for chosen in settings.cameras:
        await _examine_source(chosen, report, seconds)


def _alone(settings: Settings) -> bool:
    return all(at.host in ("127.0.0.1", "::1", "localhost") for at in settings.addresses)


# ── rendezvous, rooms, servers ───────────────────────────────────────────────────────────────


async def _examine_rooms(settings: Settings, trust: Trust, report: Report) -> None:
    report.begin(f"Identity  {settings.state_directory}")
    identity = keys.examine(settings, report)
    reached = [
        server
        for address in settings.addresses
        if (server := await _reach(address, trust.server, report))
    ]
    admitted: Joined | None = None
    for chosen in filter(settings.has_room, settings.cameras) if reached else ():
        claimant = keys.claimant(chosen, identity)
        report.begin(f"Room  {_name(chosen, claimant)}")
        admitted = await room.examine(reached[0], claimant, report) or admitted
    if admitted:
        await _examine_ice(admitted, trust.turn, report)


async def _reach(address: ServerAddress, tls: ssl.SSLContext, report: Report) -> room.Server | None:
    context = tls if address.tls else None
    report.begin(f"Rendezvous  {address.origin}{', TLS' if address.tls else ''}")
    server = room.Server(address, context)
    if not await dialling.reach(Door(address.host, address.port, context), report):
        return None
    if not await room.greet(server, report):
        return None
    report.add(await web.websocket(address.host, address.port, context))
    return server


def _name(chosen: CameraSettings, claimant: keys.Claimant) -> str:
    if claimant.stand_in:
        return chosen.room or (f"of label {chosen.label}" if chosen.label else "of the key to be")
    return claimant.room.room


async def _examine_ice(admitted: Joined, tls: ssl.SSLContext, report: Report) -> None:
    """With the credentials of a session of this room."""
    try:
        given = servers.servers(admitted.ice_servers)
    except ValueError as error:
        report.add(fault("ice_url_malformed", str(error), "", "Correct --stun or --turn."))
        return
    outcomes = await ice.examine(given, tls, report)
    if admitted.ice_policy is IcePolicy.RELAY:
        relayed = any(one.answered and one.server.relays for one in outcomes)
        report.add(_relay_only(relayed=relayed))


def _relay_only(*, relayed: bool) -> Finding:
    if relayed:
        return note("relay_only", "All media of this room goes through the relay.")
    return fault(
        "relay_only_without_turn",
        "All media of this room has to go through a relay, and none works.",
        "Nobody sees a picture.",
        "Mend the TURN server, or leave out ice_policy relay.",
    )


# ── the camera ───────────────────────────────────────────────────────────────────────────────


async def _examine_source(chosen: CameraSettings, report: Report, seconds: float) -> None:
    try:
        address = Address.parse(chosen.source, chosen.source_user, chosen.source_password)
    except AddressError as error:
        report.begin("Camera")
        report.add(of_error(error, "The camera does not start."))
        return
    report.begin(f"Camera  {address.shown}")
    if chosen.whip:
        report.add(note("whip_untested", "The SFU that --whip names is not tested."))
    source = source_for(address, rtsp_transport=chosen.rtsp_transport)
    transcode = Transcode(chosen.transcode)
    report.add(*await asyncio.to_thread(camera.examine, source, seconds, transcode))
