"""``python -m tests.chaos``: many simulated runs, then trials of real processes.

Each failure prints the seed that reproduces it. A trial's seed repeats what was done and in which
order; what real processes make of it is theirs.
"""

import argparse
import asyncio
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.chaos import trials
from tests.chaos.simulation import Outcome, simulate

_SCHEDULES = 100_000
_SECONDS = 600.0  # of trials
_TRIAL = 60.0  # seconds
_AT_ONCE = 250  # runs that a process is given at a time


def run(seeds: range) -> tuple[int, Counter[str], list[str]]:
    """Runs these; how many deliveries they had, what was counted, and the failures in words."""
    logging.disable(logging.CRITICAL)
    deliveries, counts, failures = 0, Counter[str](), []
    for seed in seeds:
        outcome = simulate(seed)
        deliveries += outcome.deliveries
        counts += outcome.counts
        failures += list(_words(outcome))
    return deliveries, counts, failures


def _words(outcome: Outcome) -> Iterator[str]:
    for violation in outcome.violations[:1]:
        yield f"seed {outcome.seed}: {violation.rule}: {violation.sentence}"
    for defect in outcome.defects:
        yield f"seed {outcome.seed}: {defect}"


def many(first: int, schedules: int) -> int:
    """Runs so many from that seed on; 0 when all were good."""
    began, done, deliveries, failures = time.monotonic(), 0, 0, list[str]()
    counts: Counter[str] = Counter()
    seeds = range(first, first + schedules)
    shares = [seeds[start : start + _AT_ONCE] for start in range(0, schedules, _AT_ONCE)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for share, (heard, counted, failed) in zip(shares, pool.map(run, shares), strict=True):
            done, deliveries, counts = done + len(share), deliveries + heard, counts + counted
            failures += failed
            for words in failed:
                print(words, flush=True)
            if done % (40 * _AT_ONCE) == 0:
                print(f"{done} schedules, {time.monotonic() - began:.0f} s", flush=True)
    print(
        f"{done} seeded schedules, {deliveries} deliveries, {counts['stale_epoch']} fenced off, "
        f"{counts['resend']} letters sent again: {len(failures)} failures"
    )
    return bool(failures)


def torment(first: int, seconds: float) -> int:
    """Trials of real processes, for about so long; 0 when all were good."""
    end, seed, bad = time.monotonic() + seconds, first, 0
    while time.monotonic() < end:
        for trial in (trials.split_brain, trials.bad_lines):
            length = min(_TRIAL, seconds / 2)
            verdict = asyncio.run(trial(seed, length))
            print(f"{trial.__name__}, seed {seed}: {verdict}", flush=True)
            print(*verdict.violations, sep="\n", end="\n" if verdict.violations else "")
            bad += bool(verdict.violations)
        seed += 1
    return bool(bad)


def one(seed: int) -> int:
    """Runs one seed, with the log; 0 when it was good."""
    outcome = simulate(seed)
    for record in outcome.history:
        print(record)
    print(*_words(outcome) if not outcome.good else ["no rule was broken"], sep="\n")
    return not outcome.good


def main() -> int:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--schedules", type=int, default=_SCHEDULES)
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of trials")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one, and print its history")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return one(arguments.seed)
    simulated = many(arguments.first, arguments.schedules)
    return max(simulated, torment(arguments.first, arguments.seconds))


if __name__ == "__main__":
    sys.exit(main())
