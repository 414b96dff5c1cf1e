"""What the rendezvous signs opens the relay, and nothing else does: coturn itself answers."""

import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rendezvous.program.errors import SettingsError
from tests.support.coturn import CONFIGURATION, Coturn, running_coturn
from tests.support.faketime import turnable_clock
from tests.support.peers import Key, claim, connect, joined
from tests.support.server import Running, only, running_server
from tests.support.turn_client import RefusedError, turn_client
from tests.support.waiting import until

_UNAUTHORIZED = 401
_MISMATCH = 437  # coturn's code for a realm that is not its own
_QUOTA_REACHED = 486
_LIFETIME = 120  # seconds of a credential; a nonce has 600

# The camera answers no ping while coturn is asked, or restarted.
_UNHURRIED = only()

ONE_LOOP = True  # everything here is synchronous but waiting


def _refusal(server: Coturn, user: str, password: str, realm: str = "") -> int:
    """The code with which an allocation is refused; 0: it is not."""
    with turn_client(server.address, user, password, realm=realm) as client:
        try:
            client.allocate()
        except RefusedError as error:
            return error.code
        client.refresh(0)
        return 0


def _expired(server: Coturn) -> tuple[str, ...]:
    return server.user(ttl=-1)


def _prolonged(server: Coturn) -> tuple[str, ...]:
    name, password = server.user(ttl=60)
    return f"{int(time.time()) + 6000}:{name.partition(':')[2]}", password


def _of_another_room(server: Coturn) -> tuple[str, ...]:
    name, password = server.user(room="mine")
    return name.replace("mine", "yours"), password


def _of_another_server(server: Coturn) -> tuple[str, ...]:
    return server.user(secret="what another operator has")


def _of_another_realm(server: Coturn) -> tuple[str, ...]:
    return (*server.user(), "another.example.org")


def _without_a_time(server: Coturn) -> tuple[str, ...]:
    _, password = server.user()
    return "room", password


@pytest.mark.parametrize(
    "made",
    [
        _expired,
        _prolonged,
        _of_another_room,
        _of_another_server,
        _of_another_realm,
        _without_a_time,
    ],
)
def test_other_credentials_are_refused(made: Callable[[Coturn], tuple[str, ...]]) -> None:
    with running_coturn() as server:
        assert _refusal(server, *server.user()) == 0
        assert _refusal(server, *made(server)) in (_UNAUTHORIZED, _MISMATCH)


async def test_an_allocation_outlives_its_credentials_and_they_make_no_other() -> None:
    """A picture that runs is not cut off; a new connection needs new ones."""
    with turnable_clock() as clock, running_coturn(wrap=clock.wrap) as server:
        user = server.user(ttl=_LIFETIME)
        with turn_client(server.address, *user) as client:
            client.allocate()
            clock.turn(_LIFETIME + 1)
            await until(lambda: _refusal(server, *user) == _UNAUTHORIZED)
            client.refresh(600)


def test_one_room_cannot_take_the_relays_of_all() -> None:
    quota = re.search(r"^user-quota=(\d+)$", CONFIGURATION.read_text(), re.MULTILINE)
    assert quota is not None
    with running_coturn() as server, contextlib.ExitStack() as clients:
        for _ in range(int(quota[1])):
            client = turn_client(server.address, *server.user(room="greedy"))
            clients.enter_context(client).allocate()
        assert _refusal(server, *server.user(room="greedy", ttl=900)) == _QUOTA_REACHED
        assert _refusal(server, *server.user(room="modest")) == 0


async def test_a_secret_is_rotated_and_no_viewer_notices(tmp_path: Path) -> None:
    """First coturn, then the rendezvous; the former secret goes when its credentials are over."""
    file = tmp_path / "secret"
    file.write_text("former\n")
    with running_coturn(secrets=("former",)) as turn:
        async with (
            running_server(turn=(turn.url(),), turn_secret_file=file, limits=_UNHURRIED) as running,
            handing_out(running) as hand_out,
        ):
            before = await hand_out()
            assert _refusal(turn, *before) == 0
            _restart(turn, "former", "newer")
            assert _refusal(turn, *before) == 0
            file.write_text("newer\nformer\n")
            running.server.reload()
            after = await hand_out()
            assert [_refusal(turn, *user) for user in (before, after)] == [0, 0]
            _restart(turn, "newer")
            assert [_refusal(turn, *user) for user in (before, after)] == [_UNAUTHORIZED, 0]


async def test_a_file_that_lost_its_secret_leaves_the_one_before(tmp_path: Path) -> None:
    """Emptied by an editor, or gone, when the server is told to read it again."""
    file = tmp_path / "secret"
    file.write_text("kept\n")
    with running_coturn(secrets=("kept",)) as turn:
        async with (
            running_server(turn=(turn.url(),), turn_secret_file=file, limits=_UNHURRIED) as running,
            handing_out(running) as hand_out,
        ):
            for spoil in (lambda: file.write_text("\n"), file.unlink):
                spoil()
                with pytest.raises(SettingsError, match="no secret to read"):
                    running.server.reload()
                assert _refusal(turn, *await hand_out()) == 0


def _restart(turn: Coturn, *secrets: str) -> None:
    turn.stop()
    turn.secrets = secrets
    turn.start()


@asynccontextmanager
async def handing_out(running: Running) -> AsyncIterator[Callable[[], Awaitable[tuple[str, str]]]]:
    """Gives the TURN credentials of one more viewer at each call."""
    async with connect(running.host, running.port) as camera:
        await claim(camera, Key(), "MyRoom")

        async def hand_out() -> tuple[str, str]:
            async with connect(running.host, running.port) as viewer:
                (server,) = (await joined(viewer, "MyRoom")).ice_servers
                return server.username or "", server.credential or ""

        yield hand_out
