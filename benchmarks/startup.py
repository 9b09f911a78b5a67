"""What `import maia_async` adds to `import aiohttp, attrs, cattrs, anyio`, each time in a fresh interpreter. It sends nothing.

One child imports the four, then us, and times both: that is the difference of two imports without the noise of two interpreters.
Byte code is compiled by a child that is not counted, into a folder of this run: an installed package has it, a checkout may not, and
compiling would double the time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from rounds import ratios
from table import Row, Target

_CHILD: Final = """
import json, sys, time
if not {orjson}:
    sys.modules["orjson"] = None
moments = [(time.perf_counter(), time.process_time())]
import aiohttp, attrs, cattrs, anyio
moments.append((time.perf_counter(), time.process_time()))
import maia_async
moments.append((time.perf_counter(), time.process_time()))
maia_async.Maia
moments.append((time.perf_counter(), time.process_time()))
print(json.dumps([[(b - a) * 1000 for a, b in zip(*pair)] for pair in zip(moments, moments[1:])]))
"""


def measure(children: int, *, orjson: bool) -> list[Row]:
    """Rows for wall and CPU time: of the import alone, and with everything that a client needs, which is loaded when it is first named."""
    with TemporaryDirectory() as cache:
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": cache}
        found = [_child(environ, orjson=orjson) for _ in range(children + 1)][1:]
    rows = []
    for what, last, target in (("import maia_async", 1, Target("ours", "<=", 60)), ("import it and load the client", 2, None)):
        for index, clock in enumerate(("wall", "CPU")):
            libraries = [float(child[0][index]) for child in found]
            ours = [sum(float(child[which][index]) for which in range(1, last + 1)) for child in found]
            ratio, spread = ratios(ours, libraries)
            rows.append(
                Row(
                    part="import",
                    what=f"{what} after the four, {clock}",
                    control_is="import of the four",
                    unit="ms",
                    ours=median(ours),
                    control=median(libraries),
                    ratio=ratio,
                    spread=spread,
                    target=target if clock == "wall" else None,
                )
            )
    return rows


def _child(environ: dict[str, str], *, orjson: bool) -> list[list[float]]:
    code = _CHILD.format(orjson=orjson)
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, env=environ, start_new_session=True)
    found: list[list[float]] = json.loads(done.stdout)
    return found
