"""The headline: many executions inside a thousand requests a minute, this library beside what a user would write instead; one table.

Every contender has a process and a server of its own, one after the other, so that none pays for another. It never fails because of a
number, and a contender that crashes is an error, not a line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chart import draw
from contender import NAMES
from figures import Result
from measure import measure, measure_scaling
from report import machine, show, show_scaling, show_targets, to_json
from targets import LABELS, OURS, SCENES, Verdict, verdicts

_DEFAULT: Final = ("maia_async", "aiohttp", "httpx", "threads")
_MOST_THREADS: Final = 1000
_SCALING_SECONDS: Final = 120.0


def main() -> int:
    options = _options()
    results: list[Result] = []
    scaling: list[Result] = []
    try:
        if not options.only_scaling:
            _contend(options, results)
        if options.scaling or options.only_scaling:
            _scale(options, scaling)
    except KeyboardInterrupt:
        print("interrupted; every process is stopped, and what was measured follows", file=sys.stderr)
    found = verdicts(results, scaling)
    _tell(options, results, scaling, found)
    return 0


def _contend(options: argparse.Namespace, results: list[Result]) -> None:
    for size in options.sizes:
        for scene in options.scenes:
            for name in options.contenders:
                if name == "threads" and size > _MOST_THREADS:
                    continue
                _say(f"{size:,} {LABELS[scene]}: {name} …")
                results.append(measure(name, scene, size, speed=options.speed))


def _scale(options: argparse.Namespace, scaling: list[Result]) -> None:
    for size in options.scaling_sizes:
        _say(f"{size:,} waits for {_SCALING_SECONDS:.0f} API seconds …")
        scaling.append(measure_scaling(size, speed=options.speed, seconds=_SCALING_SECONDS))


def _tell(options: argparse.Namespace, results: list[Result], scaling: list[Result], found: list[Verdict]) -> None:
    versions = machine()
    title = f"1,000 requests a minute, speed {options.speed:g}, Python {versions['python']}, aiohttp {versions['aiohttp']}"
    if results:
        show(results, title=title)
    if scaling:
        show_scaling(scaling, title=f"{OURS} alone, {_SCALING_SECONDS:.0f} API seconds of waits, speed {options.speed:g}")
    if options.targets:
        show_targets(found)
    if options.json is not None:
        settings = {"speed": options.speed, "sizes": options.sizes, "contenders": options.contenders, "scenes": options.scenes}
        options.json.write_text(to_json(results, scaling, found, settings) + "\n", encoding="utf-8")
    if options.png is not None and results:
        draw(results, str(options.png), title=title)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="headline", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=_sizes, default=[100, 1000, 10_000], help="numbers of executions (default: 100,1000,10000)")
    parser.add_argument("--contenders", type=_names(NAMES), default=list(_DEFAULT), help=f"of {', '.join(NAMES)} (default: all but -paced)")
    parser.add_argument("--scenes", type=_names(SCENES), default=list(SCENES), help="of trigger, waits (default: both)")
    parser.add_argument("--speed", type=_speed, default=10.0, help="API seconds in a real second (default: 10)")
    parser.add_argument("--real-time", dest="speed", action="store_const", const=1.0, help="the same as --speed 1")
    parser.add_argument(
        "--scaling", action="store_true", help="also measure CPU and memory for growing numbers of waits, this library only"
    )
    parser.add_argument("--only-scaling", action="store_true", help="only that")
    parser.add_argument("--scaling-sizes", type=_sizes, default=[100, 1000, 10_000, 100_000], help="(default: 100,1000,10000,100000)")
    parser.add_argument("--targets", action="store_true", help="also say which promises are met")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    parser.add_argument("--png", type=Path, metavar="FILE", help="also draw lag and requests")
    return parser.parse_args()


def _sizes(text: str) -> list[int]:
    sizes = [int(part) for part in text.split(",")]
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return sizes


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return speed


def _names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parsed(text: str) -> list[str]:
        names = text.split(",")
        strange = [name for name in names if name not in known]
        if strange:
            raise argparse.ArgumentTypeError(f"{', '.join(strange)}: not one of {', '.join(known)}")
        return names

    return parsed


if __name__ == "__main__":
    sys.exit(main())
