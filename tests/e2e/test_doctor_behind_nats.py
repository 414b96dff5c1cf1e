"""What the doctor says of networks of several kinds, real ones but for their router."""

import asyncio
from pathlib import Path

import pytest

from tests.support.doctor import QUICK_SOURCE, Report, consult_process
from tests.support.lab import namespaces, stage
from tests.support.lab.access import NO_UDP, OPEN, PORT, SYMMETRIC, Access, Place
from tests.support.lab.lab import Lab, laboratory

MISSING = namespaces.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no network namespaces: needs {MISSING}")

SAYS = {OPEN: "nat_none", PORT: "nat_independent", SYMMETRIC: "nat_symmetric"}


async def test_each_kind_of_network_is_called_by_its_name(tmp_path: Path) -> None:
    """From cameras in homes of their own, with two TURN servers that see them from outside."""
    kinds = (*SAYS, NO_UDP)
    async with laboratory(*(kind.name for kind in kinds)) as lab:
        await lab.seat(**{kind.name: Place(kind, site) for site, kind in enumerate(kinds, 1)})
        with (
            stage.turn_server(lab, tmp_path, "turn") as one,
            stage.turn_server(lab, tmp_path, "turn2") as two,
        ):
            trusted = tmp_path / "trusted.pem"
            write(trusted, one.certificate, two.certificate)
            async with stage.rendezvous(lab, tmp_path, one, two):
                asked = (examine(lab, kind, tmp_path, trusted) for kind in kinds)
                reports = dict(zip(kinds, await asyncio.gather(*asked), strict=True))
    for kind, code in SAYS.items():
        assert not reports[kind].wrong, kind.name
        assert code in reports[kind].codes
    assert reports[NO_UDP].faults == {"udp_blocked", "stun_silent", "turn_silent"}
    assert reports[NO_UDP].codes["turn"] == "well"


def write(trusted: Path, *certificates: Path) -> None:
    """All of them, in one file."""
    trusted.write_bytes(b"".join(file.read_bytes() for file in certificates))


async def examine(lab: Lab, kind: Access, folder: Path, trusted: Path) -> Report:
    """The doctor of the camera there."""
    words = ("--state", str(folder / kind.name), "--server", stage.ORIGIN, "--seconds", "10")
    return await consult_process(
        "publisher",
        *words,
        *("--source", QUICK_SOURCE),
        wrap=lab.hosts[kind.name].prefix,
        environ={"SSL_CERT_FILE": str(trusted)},
    )
