"""Benchmarks: coroutines that yield figures, each printed on one line beside its target.

    @benchmark
    async def first_frame() -> AsyncIterator[Figure]:
        times = …
        yield Figure("median", median(times), "ms", at_most=700)

A figure that misses its target says SHORT and fails nothing: machines differ. What raises, fails.
"""

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from math import ceil

Benchmark = Callable[[], AsyncIterator["Figure"]]

_benchmarks: dict[str, Benchmark] = {}


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, and what it should be: ``at_most``, ``at_least``, or nothing."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the target is met; also when there is none."""
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)

    @property
    def target(self) -> str:
        """The target in words."""
        bounds = (("≤", self.at_most), ("≥", self.at_least))
        return " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None) or "-"


def benchmark(function: Benchmark) -> Benchmark:
    """Registers a benchmark under its function's name, with dashes."""
    _benchmarks[function.__name__.replace("_", "-")] = function
    return function


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed; ValueError for none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)]


def median(values: Iterable[float]) -> float:
    """The 50th percentile."""
    return percentile(values, 50)


def line(benchmark_name: str, figure: Figure) -> str:
    """A figure as it is printed: name, value, unit, target, ok or SHORT."""
    name = f"{benchmark_name}.{figure.name}" if figure.name else benchmark_name
    verdict = "ok" if figure.ok else "SHORT"
    return f"{name:<40} {figure.value:>10.4g} {figure.unit:<8} {figure.target:<12} {verdict}"


def main(names: list[str]) -> int:
    """Runs these benchmarks, or all; 0 unless one raised (1) or has no such name (64)."""
    chosen = names or sorted(_benchmarks)
    if unknown := set(chosen) - _benchmarks.keys():
        known = ", ".join(sorted(_benchmarks)) or "none"
        print(f"There is no benchmark {', '.join(sorted(unknown))}. There are: {known}.")
        return 64
    return max([asyncio.run(_run(name)) for name in chosen], default=0)


async def _run(name: str) -> int:
    try:
        async for figure in _benchmarks[name]():
            print(line(name, figure), flush=True)
    except Exception:  # noqa: BLE001, one that fails shall not keep the others from running
        traceback.print_exc()
        return 1
    return 0
