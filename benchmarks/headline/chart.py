"""The table as a picture: detection lag and requests over the number of executions, a line for each contender. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from figures import Result
from targets import LABELS, OURS, SCENES

_COLOURS: Final = {OURS: "#0b6e4f", "aiohttp": "#c1440e", "aiohttp-paced": "#e09f3e", "httpx": "#5b5f97", "threads": "#6c757d"}


def draw(results: Sequence[Result], path: str, *, title: str) -> None:
    """Write the PNG."""
    import matplotlib as mpl

    mpl.use("Agg")  # a file, on machines without a screen
    from matplotlib import pyplot as plt

    figure, rows = plt.subplots(2, len(SCENES), figsize=(11, 8), sharex=True, layout="constrained")
    for column, scene in enumerate(SCENES):
        lag, requests = rows[0][column], rows[1][column]
        for name in dict.fromkeys(each.contender for each in results):
            lines = sorted((each for each in results if (each.contender, each.scene) == (name, scene)), key=lambda each: each.size)
            style = {"marker": "o", "label": name, "color": _COLOURS.get(name), "linewidth": 2.5 if name == OURS else 1.5}
            seen = [each for each in lines if each.lag_p99 is not None]
            lag.plot([each.size for each in seen], [each.lag_p99 for each in seen], **style)
            requests.plot([each.size for each in lines], [each.requests for each in lines], **style)
        lag.set_title(LABELS[scene])
        requests.set_xlabel("executions")
        for axes in (lag, requests):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.grid(visible=True, which="major", alpha=0.3)
    rows[0][0].set_ylabel("p99 of detection lag, API seconds")
    rows[1][0].set_ylabel("requests")
    rows[0][0].legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    plt.close(figure)
