"""Lets a client work for a simulated day through everything that can go wrong, and prints what was lost, doubled, leaked or unheard.

Time is virtual, and every choice is drawn from the seed; what is left to chance is the order in which the system reports ready sockets.
Exit code 1 when a promise was not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tracemalloc
from pathlib import Path

# `table` is the other benchmarks'; the loop that never sleeps belongs to the tests, which are no package.
_HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(_HERE.parent), str(_HERE.parent.parent / "tests")]

from day import Lived, Soak, live  # noqa: E402 - see above
from report import failures, rows, to_json  # noqa: E402
from table import machine, show  # noqa: E402
from virtual_time import VirtualLoop  # noqa: E402


def main() -> int:
    options = _options()
    if options.trace:
        tracemalloc.start(1)
    random.seed(options.seed)  # the package's own jitter
    soak = Soak(shifts=max(1, round(options.hours)), seed=options.seed, pace=options.pace)
    heard: list[Lived] = []
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            lived = runner.run(live(soak, lambda lived: _tell(heard, lived)))
    except KeyboardInterrupt:
        print("interrupted; what was counted until the last rest:", file=sys.stderr)
        if not heard:
            return 130
        lived = heard[-1]
    if options.json:
        print(to_json(lived))
    else:
        versions = machine()
        title = f"maia_async, {lived.simulated / 3600:.1f} simulated hours, seed {soak.seed}, in {lived.took:.0f} s"
        show(rows(lived), title=f"{title}, Python {versions['python']}, aiohttp {versions['aiohttp']}")
        for line in failures(lived):
            print(line, file=sys.stderr)
    return 1 if failures(lived) else 0


def _tell(heard: list[Lived], lived: Lived) -> None:
    heard[:] = [lived]
    held, verdict = lived.holdings[-1], lived.verdict
    told = f"{verdict.runs:,} runs, {lived.requests:,} requests, {(held.rss or 0) / 2**20:.0f} MiB, {held.tasks} tasks"
    print(f"hour {held.hour:.1f}: {told}, {lived.took:.0f} s", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/soak", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hours", type=_positive, default=24, help="simulated hours (default: 24)")
    parser.add_argument("--seed", type=int, default=7, help="of faults, work and server (default: 7)")
    parser.add_argument("--pace", type=_positive, default=1.0, help="how much work there is (default: 1)")
    parser.add_argument("--no-trace", dest="trace", action="store_false", help="do not trace allocations: twice as fast")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return parser.parse_args()


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
