"""What goes wrong and when: a drizzle that never stops, and spells of minutes, all drawn from one seed. It knows nothing of the client.

The drizzle is about one request in thirty: 5xx that landed and that did not, resets before and after, cut, stalled, silent, slow and
garbled answers, an ordered pause. A spell is one of those below; between two of them it is calm for some minutes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, Final

from attrs import define, field

from maia_async.emulator import Emulator, Fault

API: Final = "/dpc/**"
RUNS: Final = "/dpc/v1/projects/*/pipeline-executions"
TOKEN: Final = "/oauth/**"

DRIZZLE: Final = (
    Fault(path=API, status=500, probability=0.003),
    Fault(path=API, status=503, probability=0.004),
    Fault(path=API, status=503, retry_after=7, probability=0.001),
    Fault(path=API, status=504, landed=True, probability=0.003),
    Fault(path=API, kind="reset", probability=0.003),
    Fault(path=API, kind="reset", landed=True, probability=0.003),
    Fault(path=API, kind="closed", probability=0.002),
    Fault(path=API, kind="closed_after", probability=0.002),
    Fault(path=API, kind="closed_on_reuse", probability=0.002),
    Fault(path=API, kind="truncated", probability=0.002),
    Fault(path=API, kind="stalled", probability=0.001),
    Fault(path=API, kind="silence", probability=0.001),
    Fault(path=API, kind="silence", landed=True, probability=0.001),
    Fault(path=API, kind="garbage", probability=0.001),
    Fault(path=API, kind="html", probability=0.001),
    Fault(path=API, delay=(1, 30), probability=0.002),
    Fault(path=API, status=429, retry_after=5, probability=0.0005),
    Fault(path=TOKEN, status=503, probability=0.1),
    Fault(path=TOKEN, kind="reset", landed=True, probability=0.05),
)
# Triggers are few beside reads, and what can go wrong with them is worse.
AT_TRIGGERS: Final = (
    Fault(method="POST", path=RUNS, status=502, landed=True, probability=0.01),
    Fault(method="POST", path=RUNS, status=500, probability=0.01),
    Fault(method="POST", path=RUNS, kind="reset", landed=True, probability=0.01),
    Fault(method="POST", path=RUNS, kind="silence", lands_after=(0, 5), probability=0.003),
)


@define
class Weather:
    """Brings the spells, one after the other, until it is cancelled; then the sky is as it was. `seen` counts them."""

    _emulator: Emulator
    _dice: Random
    seen: Counter[str] = field(factory=Counter)

    def drizzle(self) -> None:
        """Begin the faults that never stop."""
        for fault in (*AT_TRIGGERS, *DRIZZLE):
            self._emulator.control.add_fault(fault)

    async def turn(self) -> None:
        """Spells for ever. Each of them at least once before any comes again."""
        calm = (60.0, 400.0)
        names: list[str] = []
        while True:
            await asyncio.sleep(self._dice.uniform(*calm))
            names = names or self._dice.sample(sorted(_SPELLS), len(_SPELLS))
            name = names.pop()
            self.seen[name] += 1
            await _SPELLS[name](self._emulator, self._dice)

    def clear(self) -> None:
        """End what a spell may have left."""
        control = self._emulator.control
        control.accept_connections()
        control.set_others(0)
        control.set_network(latency_in=CALM, latency_out=CALM, list_lag=0.0, list_status_lag=0.0)


CALM: Final = (0.02, 0.2)


async def _faulty(emulator: Emulator, dice: Random, *faults: Fault, lasts: tuple[float, float]) -> None:
    # Before the drizzle, or one in thirty would get through: an outage is total.
    control = emulator.control
    standing = [item.fault for item in control.faults()]
    control.clear_faults()
    for fault in (*faults, *standing):
        control.add_fault(fault)
    try:
        await asyncio.sleep(dice.uniform(*lasts))
    finally:
        control.clear_faults()
        for fault in standing:
            control.add_fault(fault)


async def _outage(emulator: Emulator, dice: Random) -> None:
    await _faulty(emulator, dice, Fault(path=API, status=503), Fault(path=TOKEN, status=503), lasts=(60, 400))


async def _silence(emulator: Emulator, dice: Random) -> None:
    await _faulty(emulator, dice, Fault(path=API, kind="silence"), lasts=(60, 240))


async def _no_tokens(emulator: Emulator, dice: Random) -> None:
    emulator.control.revoke_tokens()
    await _faulty(emulator, dice, Fault(path=TOKEN, status=500), lasts=(60, 300))


async def _lists_fail(emulator: Emulator, dice: Random) -> None:
    await _faulty(emulator, dice, Fault(method="GET", path=RUNS, status=500), lasts=(120, 600))


async def _triggers_fail(emulator: Emulator, dice: Random) -> None:
    landed = Fault(method="POST", path=RUNS, status=504, landed=True, probability=0.3)
    await _faulty(emulator, dice, landed, Fault(method="POST", path=RUNS, status=503, probability=0.4), lasts=(60, 240))


async def _refused(emulator: Emulator, dice: Random) -> None:
    seconds = dice.uniform(20, 300)
    emulator.control.refuse_connections(seconds)
    await asyncio.sleep(seconds + 1)


async def _flaps(emulator: Emulator, dice: Random) -> None:
    for _ in range(dice.randint(3, 8)):
        seconds = dice.uniform(1, 8)
        emulator.control.refuse_connections(seconds)
        await asyncio.sleep(seconds + dice.uniform(1, 20))


async def _revoked(emulator: Emulator, _: Random) -> None:
    emulator.control.revoke_tokens()


async def _crowded(emulator: Emulator, dice: Random) -> None:
    emulator.control.set_others(dice.uniform(800, 1100))
    await asyncio.sleep(dice.uniform(60, 300))
    emulator.control.set_others(0)


async def _stale_lists(emulator: Emulator, dice: Random) -> None:
    emulator.control.set_network(list_lag=dice.uniform(2, 12), list_status_lag=dice.uniform(2, 60))
    await asyncio.sleep(dice.uniform(120, 600))
    emulator.control.set_network(list_lag=0.0, list_status_lag=0.0)


async def _slow(emulator: Emulator, dice: Random) -> None:
    emulator.control.set_network(latency_in=(0.5, 3), latency_out=(0.5, 5))
    await asyncio.sleep(dice.uniform(60, 300))
    emulator.control.set_network(latency_in=CALM, latency_out=CALM)


_Spell = Callable[[Emulator, Random], Awaitable[Any]]
_SPELLS: Final[Mapping[str, _Spell]] = {
    "all 503": _outage,
    "silence": _silence,
    "no tokens": _no_tokens,
    "lists fail": _lists_fail,
    "triggers fail": _triggers_fail,
    "connections refused": _refused,
    "connections flap": _flaps,
    "tokens revoked": _revoked,
    "account crowded": _crowded,
    "lists lag": _stale_lists,
    "slow": _slow,
}
