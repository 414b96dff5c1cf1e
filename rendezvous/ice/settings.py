"""What an operator says about STUN and TURN: one region by flags, several in the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from rendezvous.ice import IceServers, Region
from rendezvous.program.errors import SettingsError
from rendezvous.program.settings import Secret, option, secret_of
from rendezvous.wire import ice_urls

MOST_URLS = 8  # in one region; a browser is slow with more than five in all
MOST_REGIONS = 8

_MORE = {"stun": "", "turn": ", with ?transport=tcp if it is TCP"}


class RegionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Servers that share a secret with us, or want the credential that their provider gave us."""

    stun: Annotated[
        tuple[str, ...],
        option("a STUN server for sessions; may be repeated (none)", metavar="stun:HOST:PORT"),
    ] = ()
    turn: Annotated[
        tuple[str, ...],
        option(
            "a TURN server for sessions; may be repeated, e.g. with ?transport=tcp (none)",
            metavar="turn:HOST:PORT",
        ),
    ] = ()
    turn_secret: Annotated[
        Secret | None,
        option("the secret that is shared with the TURN servers", on_command_line=False),
    ] = None
    turn_secret_file: Annotated[
        Path | None,
        option(
            "a file with the secret that is shared with the TURN servers: its first line signs, "
            "later ones are older; read again on SIGHUP",
            metavar="FILE",
        ),
    ] = None
    turn_username: Annotated[
        Secret | None,
        option("instead of a secret: the user name at a TURN provider", on_command_line=False),
    ] = None
    turn_credential: Annotated[
        Secret | None, option("its password there", on_command_line=False)
    ] = None
    turn_credential_file: Annotated[
        Path | None,
        option(
            "instead of a secret: a file with the password at a TURN provider, in its first line; "
            "RENDEZVOUS_TURN_USERNAME says whose",
            metavar="FILE",
        ),
    ] = None


def check(regions: Sequence[RegionSettings]) -> None:
    """Refuses what cannot work; raises SettingsError."""
    if len(regions) > MOST_REGIONS:
        raise SettingsError("setting_invalid", f"There are more than {MOST_REGIONS} regions.")
    for region in regions:
        _check_urls("stun", region.stun, ("stun:", "stuns:"))
        _check_urls("turn", region.turn, ("turn:", "turns:"))
        _check_credentials(region)


def ice_servers(regions: Sequence[RegionSettings], lifetime: float) -> IceServers:
    """The servers with their secrets; raises SettingsError when a file of them is not there."""
    return IceServers(tuple(_region(said) for said in regions), lifetime)


def _region(said: RegionSettings) -> Region:
    return Region(
        stun=said.stun,
        turn=said.turn,
        secret=secret_of(said.turn_secret, said.turn_secret_file) or "",
        username=str(said.turn_username or ""),
        credential=secret_of(said.turn_credential, said.turn_credential_file) or "",
    )


def _check_urls(name: str, urls: Sequence[str], schemes: tuple[str, ...]) -> None:
    for url in urls:
        if not url.lower().startswith(schemes):
            raise _no_url(name, url, f"It begins with {' or '.join(schemes)}.")
        try:
            ice_urls.parse(url)
        except ValueError:
            raise _no_url(name, url, f"Write {schemes[0]}HOST:PORT{_MORE[name]}.") from None
    if len(urls) > MOST_URLS:
        raise SettingsError(
            "setting_invalid", f"{name} names more than {MOST_URLS} servers for one region."
        )


def _no_url(name: str, url: str, cure: str) -> SettingsError:
    return SettingsError("setting_invalid", f"'{ice_urls.shown(url)}' cannot be {name}.", cure)


def _check_credentials(region: RegionSettings) -> None:
    shared = bool(region.turn_secret or region.turn_secret_file)
    given = bool(region.turn_credential or region.turn_credential_file)
    if region.turn and not (shared or given):
        raise SettingsError(
            "setting_missing",
            "A TURN server needs the secret that is shared with it, or a provider's credential.",
            "Set turn_secret_file (RENDEZVOUS_TURN_SECRET_FILE), or turn_username and "
            "turn_credential_file.",
        )
    if shared and (given or region.turn_username):
        raise SettingsError(
            "setting_contradicts",
            "A TURN server wants credentials that are signed with a secret, or one that is fixed.",
            "Leave out turn_secret, or turn_username and turn_credential.",
        )
    if given and not region.turn_username:
        raise SettingsError(
            "setting_missing", "turn_credential needs the user name.", "Set turn_username."
        )
