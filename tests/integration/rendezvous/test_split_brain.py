"""Real processes: three nodes, Redis with three Sentinels, and two primaries for a while."""

from tests.chaos.trials import split_brain

ONE_LOOP = True


async def test_nobody_sees_another_camera_while_there_are_two_primaries() -> None:
    """SIGSTOP, promotion, SIGCONT; nobody hears what the rules of the history forbid."""
    verdict = await split_brain(seed=1, seconds=1)
    assert verdict.violations == []
    assert verdict.troubles["split brain"] == 1
    assert verdict.claims > 5
    assert verdict.deliveries > 50
