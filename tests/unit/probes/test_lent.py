"""An address at a relay is asked for until it is lent, or refused for good."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rendezvous.probes import asking
from rendezvous.probes.channels import Channel
from rendezvous.probes.servers import parse
from rendezvous.probes.turn import Credentials, RefusedError
from tests.support.scripted_turn import PASSWORD, RELAY, USERNAME, TurnServer

ADDRESS = ("192.0.2.9", 3478)
SERVER = parse("turn:192.0.2.9", Credentials(USERNAME, PASSWORD))
TLS = ssl.create_default_context()
MISMATCH, QUOTA = (437, "Allocation Mismatch"), (486, "Allocation Quota Reached")


class Relays:
    """A scripted relay for each channel; the first channels are refused with these errors."""

    def __init__(self, *refusals: tuple[int, str]) -> None:
        self._refusals = list(refusals)
        self.opened = self.closed = 0

    @asynccontextmanager
    async def open(self, *_: object) -> AsyncIterator[Channel]:
        def answer(data: bytes) -> None:
            channel.received(data)

        self.opened += 1
        relay = TurnServer(answer)
        channel = Channel(relay.received, ("192.0.2.1", 0), again=False)
        relay.refusals += [self._refusals.pop(0)] if self._refusals else []
        yield channel
        self.closed += 1


async def relayed() -> tuple[str, int]:
    async with asking.lent(SERVER, ADDRESS, TLS) as allocation:
        return allocation.relayed


async def test_a_port_that_the_relay_still_knows_is_exchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel may choose one that had an allocation a moment ago."""
    relays = Relays(MISMATCH)
    monkeypatch.setattr(asking, "opened", relays.open)
    assert await relayed() == RELAY
    assert (relays.opened, relays.closed) == (2, 2)


@pytest.mark.parametrize(("refusals", "opened"), [((QUOTA,), 1), ((MISMATCH, MISMATCH), 2)])
async def test_what_is_refused_for_good_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, refusals: tuple[tuple[int, str], ...], opened: int
) -> None:
    relays = Relays(*refusals)
    monkeypatch.setattr(asking, "opened", relays.open)
    with pytest.raises(RefusedError) as refused:
        await relayed()
    assert refused.value.number == refusals[-1][0]
    assert relays.opened == opened
