"""Tables of medians: measured in turn, so that a busy machine slows all rows alike; printed or as JSON."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

REST = 0.1
"""Seconds before each measurement: some engines' threads go on waiting for work at full speed after a pass
(ONNX Runtime's, OpenMP's), and would slow down whoever comes next."""

Tables = dict[str, dict[str, float]]
"""Title → row → milliseconds (or what the row's name says). The first row is what ratios refer to."""


def medians(contenders: dict[str, Callable[[], object]], rounds: int, rest: float = REST) -> dict[str, float]:
    """Median milliseconds of each contender, measured in turn after two rounds to warm up.

    Args:
        contenders: What to run, by name.
        rounds: How often.
        rest: Seconds before each; 0 where all are so short that they would measure a processor waking up.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 2):
        for name, run in contenders.items():
            time.sleep(rest)
            start = time.perf_counter()
            run()
            if number >= 2:
                times[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def show(tables: Tables) -> None:
    """Print tables for people, each row with its ratio to the table's first."""
    for title, table in tables.items():
        print(f"\n{title}")
        first = next(iter(table.values()))
        for name, value in table.items():
            print(f"  {name:<72}{value:10.1f}{value / first:9.2f}")


def main(description: str, measure: Callable[[int], Tables], rounds: int = 15) -> None:
    """Run `python -m benchmarks.NAME`.

    Args:
        description: The module's docstring.
        measure: Gives the tables from a number of rounds.
        rounds: By default.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tables = measure(options.rounds)
    if options.json:
        print(json.dumps(tables, indent=2))
    else:
        show(tables)
