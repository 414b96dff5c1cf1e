"""Nobody is given up for being slow, as all are on a busy machine, but where a test says so."""

import pytest

from publisher.media import fragments
from publisher.media.packets import SECOND
from publisher.signalling import claiming, connection
from publisher.supervisor import broadcast
from publisher.whip import http
from tests.support.waiting import PATIENCE

HOUR = 3600.0  # seconds: what waits for so long, never happens here


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_SECONDS", "PING_SECONDS", "SILENCE_SECONDS", "DOUBT_SECONDS"):
        monkeypatch.setattr(connection, name, HOUR)
    monkeypatch.setattr(claiming, "ANSWER_SECONDS", HOUR)
    # For these a thread waits, for which the end of the test waits in turn.
    monkeypatch.setattr(http, "SOCKET_SECONDS", PATIENCE)
    monkeypatch.setattr(http, "EXCHANGE_SECONDS", PATIENCE)
    monkeypatch.setattr(broadcast, "DELETE_SECONDS", PATIENCE)


@pytest.fixture
def never_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches over a data channel gets all pictures, however late."""
    monkeypatch.setattr(fragments, "TARDY", int(HOUR) * SECOND)
