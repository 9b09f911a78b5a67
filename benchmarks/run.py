"""Measures the promises of speed and prints one table (or JSON); it never fails because of a number.

A promise about real time is measured against a control in the same run, in rounds that take turns; one about requests and virtual
seconds needs none. Both sides parse with the standard library's `json`, which is what the package uses without the `speed` extra;
`--orjson` gives orjson to both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any, Final

PARTS: Final = ("cpu", "import", "memory", "throughput", "journal", "streams", "governor", "outage")


def main() -> int:
    options = _options()
    loads = _parser(orjson=options.orjson)
    # Only now: the package decides at its import which parser it uses.
    from table import machine, show, to_json

    rows = []
    try:
        for part in options.only or PARTS:
            if not options.json:
                print(f"measuring {part} …", file=sys.stderr, flush=True)
            rows += _measured(part, options, loads)
    except KeyboardInterrupt:
        print("interrupted; the servers are stopped", file=sys.stderr)
        return 130
    settings = {"rounds": options.rounds, "quick": options.quick, "json_parser": "orjson" if options.orjson else "json"}
    if options.json:
        print(to_json(rows, settings))
    else:
        versions = machine()
        title = f"maia_async against its controls, {settings['json_parser']} on both sides, Python {versions['python']}"
        show(rows, title=f"{title}, aiohttp {versions['aiohttp']}, cattrs {versions['cattrs']}")
    return 0


def _measured(part: str, options: argparse.Namespace, loads: Callable[[bytes], Any]) -> list[Any]:
    quick, rounds = options.quick, options.rounds
    if part == "cpu":
        import cpu

        return asyncio.run(cpu.measure(rounds if quick else 5 * rounds, 60, loads))
    if part == "import":
        import startup

        return startup.measure(5 if quick else 3 * rounds, orjson=options.orjson)
    if part == "memory":
        import memory

        return memory.measure((1000,) if quick else (1000, 10_000, 100_000), 1 if quick else 3, orjson=options.orjson)
    if part == "journal":
        import journal

        return asyncio.run(journal.measure(min(rounds, 3), 500 if quick else journal.WHOLE))
    if part == "streams":
        import streams

        return streams.measure(quick=quick)
    if part == "governor":
        import governor

        return governor.measure(quick=quick)
    if part == "outage":
        import outage

        return outage.measure(quick=quick)
    import throughput

    return asyncio.run(throughput.measure(rounds, 200 if quick else 2000, loads))


def _parser(*, orjson: bool) -> Callable[[bytes], Any]:
    if orjson:
        import orjson as fast

        return fast.loads
    sys.modules["orjson"] = None  # type: ignore[assignment]  # the documented way to make an import fail
    return json.loads


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part (may be repeated); without it, all of them")
    parser.add_argument("--rounds", type=_positive, default=7, help="rounds of each contender, the warm-up not counted (default: 7)")
    parser.add_argument("--quick", action="store_true", help="fewer requests in each round: to see that it runs, not to quote")
    parser.add_argument("--orjson", action="store_true", help="parse with orjson on both sides")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
