"""Two thousand seeded schedules of everything that may go wrong; ``make chaos`` runs many more.

A failure names its seed: ``python -m tests.chaos --seed N`` prints what happened in it.
"""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rendezvous.relay.nodes import Nodes
from tests.chaos.simulation import Outcome, simulate

_SCHEDULES = 2_000
_SHARES = 10
_UNFENCED = range(1_061, 3_061)  # the first is one that needs fencing; one in a thousand does
_ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("share", range(_SHARES))
def test_no_schedule_breaks_a_rule(share: int) -> None:
    """Nobody hears another camera, an earlier claim after a later one, or another's session."""
    size = _SCHEDULES // _SHARES
    outcomes = [simulate(seed) for seed in range(share * size, (share + 1) * size)]
    assert [outcome for outcome in outcomes if not outcome.good] == []
    assert sum(outcome.deliveries for outcome in outcomes) > 20 * size  # something was heard


def _first_bad(run: Callable[[int], Outcome], seeds: range) -> Outcome:
    outcomes = (run(seed) for seed in seeds)
    found = next(outcome for outcome in outcomes if outcome.violations)
    assert simulate(found.seed).good  # with everything switched on
    return found


def test_without_the_key_check_thieves_are_found_out() -> None:
    """The checker can fail: nodes and store that believe every claim let rooms be stolen."""
    outcome = _first_bad(lambda seed: simulate(seed, checks_keys=False), range(20))
    assert {"right_claim", "right_key"} & {violation.rule for violation in outcome.violations}


def test_without_fencing_earlier_claims_are_heard_after_later_ones() -> None:
    """The checker can fail: what a node that was stopped still believes comes through."""
    outcome = _first_bad(lambda seed: simulate(seed, fenced=False), _UNFENCED)
    assert "epochs_grow" in {violation.rule for violation in outcome.violations}


def test_a_viewer_that_nobody_finds_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checker can fail: nodes that do not ask where cameras are let viewers wait."""

    async def ask_nobody(*_: object) -> None:
        return

    assert simulate(0, calm=True).good
    monkeypatch.setattr(Nodes, "_watch", ask_nobody)
    outcomes = (simulate(seed, calm=True) for seed in range(20))
    assert any("waiting in the calm" in word for o in outcomes for word in o.defects)


def test_a_seed_means_the_same_run_in_every_process() -> None:
    """Whatever it was that failed can be looked at again."""
    program = "from tests.chaos.simulation import simulate; print(simulate(7).history)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=_ROOT, capture_output=True, check=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1] != "[]\n"
