"""Benchmarks print one line a figure, and only what raises fails."""

from collections.abc import AsyncIterator

import pytest

from tests.support import bench
from tests.support.bench import Figure, benchmark, line, main, median, percentile


@pytest.fixture(autouse=True)
def _no_benchmarks_but_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_benchmarks", {})


def test_percentiles_are_values_that_were_measured() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert median(values) == 3
    assert [percentile(values, p) for p in (0, 20, 21, 95, 100)] == [1, 1, 2, 5, 5]
    with pytest.raises(ValueError, match="no values"):
        median([])


def test_a_line_names_value_unit_target_and_verdict() -> None:
    assert line("first-frame", Figure("p95", 1234.5, "ms", at_most=1200)).split() == (
        ["first-frame.p95", "1234", "ms", "≤", "1200", "SHORT"]
    )
    assert line("rate", Figure("", 29.97, "fps", at_least=25)).split() == (
        ["rate", "29.97", "fps", "≥", "25", "ok"]
    )
    assert line("cpu", Figure("", 9, "%")).split() == ["cpu", "9", "%", "-", "ok"]


def test_a_figure_that_falls_short_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    @benchmark
    async def slow_thing() -> AsyncIterator[Figure]:
        yield Figure("", 2, "s", at_most=1)

    assert main([]) == 0
    assert "SHORT" in capsys.readouterr().out


def test_one_that_raises_fails_the_run_after_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @benchmark
    async def a_broken() -> AsyncIterator[Figure]:
        yield Figure("before", 1, "s")
        raise RuntimeError("broken")

    @benchmark
    async def b_sound() -> AsyncIterator[Figure]:
        yield Figure("", 1, "s")

    assert main([]) == 1
    printed = capsys.readouterr()
    assert [text.split()[0] for text in printed.out.splitlines()] == ["a-broken.before", "b-sound"]
    assert "RuntimeError: broken" in printed.err


def test_only_those_that_were_named_run(capsys: pytest.CaptureFixture[str]) -> None:
    @benchmark
    async def wanted() -> AsyncIterator[Figure]:
        yield Figure("", 1, "s")

    @benchmark
    async def unwanted() -> AsyncIterator[Figure]:
        yield Figure("", 1, "s")

    assert main(["wanted"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["nonsense"]) == 64
    assert "There are: unwanted, wanted." in capsys.readouterr().out
