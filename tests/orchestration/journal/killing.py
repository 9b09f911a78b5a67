"""A batch with a journal in a process that is killed again and again, and the server's own account of what came of it.

Three roles, one file: imported, it is the parent that kills and counts; `serve` is the emulator, `drive` the batch, each in a process of
its own. Nothing here is known to the package: the driver wraps some of its functions, and ends itself by SIGKILL when its turn comes.

    a kill              when
    at a time           so many seconds after the process began to open its journal, from outside
    opening             the journal is about to be opened, or the input written down
    asked               an intent was given to the journal, and is not durable
    durable             an intent was committed, and the loop does not know yet
    out                 a POST goes out; up to a tenth of a second after that
    answered            an id came, and is not written down
    noted               an id was committed, and the loop does not know yet
    ending              an outcome is about to be committed
    shown               an outcome was handed to the caller
    looking             the list of executions is read for a POST of an earlier process
    again               a POST that was found not to have landed goes out again; up to a tenth of a second after that
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from attrs import define, field, frozen

ENVIRONMENT: Final = "Environment-1"
TOKEN: Final = "killed"
SETTLE: Final = 0.6
EVENTS: Final = ("opening", "asked", "durable", "out", "answered", "noted", "ending", "shown", "looking", "again")
RARE: Final = {"opening": 2, "looking": 2, "again": 1}  # how many of them a process lives to see
PATIENCE: Final = 60.0


@frozen(kw_only=True)
class Kill:
    """When a process ends: at the `count`-th `event`, at the latest `seconds` after it began. Neither: it runs to its end."""

    event: str | None = None
    count: int = 0
    seconds: float | None = None
    seed: int = 0

    @staticmethod
    def turn(number: int) -> str | None:
        """The event of the kill with this number."""
        return None if number % 4 == 3 else EVENTS[(number - number // 4) % len(EVENTS)]

    @classmethod
    def drawn(cls, dice: random.Random, number: int, *, doubts: bool, again: bool) -> Kill:
        """The kill with this number: every fourth at any time, the others at each event in turn; soon, so that there is something left.

        doubts: whether the process will find POSTs to look up. Some events happen only then; and its first POSTs come only after that.
        again: whether one of them has not landed, and the turn of such a kill has come.
        """
        event = cls.turn(number)
        if again:
            event = "again"
        elif event == "again" or (event == "looking" and not doubts):
            event = "asked"
        # A POST goes out again only after the looks for it; longer, and the batch would be over before fifty kills.
        soon = 1.0 if event == "again" else 0.6
        seconds = SETTLE * doubts + (soon if event else dice.uniform(-SETTLE * doubts, 0.3))
        return cls(event=event, count=dice.randint(1, RARE.get(event or "", 8)), seconds=seconds, seed=dice.randrange(2**32))


@define
class Killed:
    """What was seen. left: rows of the journal after the kills, by stage, intents by whether they had landed. met: events that did kill."""

    kills: int = 0
    processes: int = 0
    met: Counter[str] = field(factory=Counter)
    left: Counter[str] = field(factory=Counter)
    shown: dict[int, tuple[str, str | None]] = field(factory=dict)
    last: dict[int, dict[str, Any]] = field(factory=dict)
    replayed: int = 0
    wrong: list[str] = field(factory=list)
    runs: list[dict[str, Any]] = field(factory=list)
    posts: int = 0
    conflicts: int = 0
    seconds: float = 0.0

    def check(self, count: int) -> None:
        """One run for each request, one outcome for each, of the right run."""
        assert self.wrong == []
        by_row = Counter(run["scalar_variables"]["row"] for run in self.runs)
        assert by_row == Counter(str(row) for row in range(count))
        assert sorted(self.last) == list(range(count))
        rows = {run["id"]: int(run["scalar_variables"]["row"]) for run in self.runs}
        for index, outcome in self.last.items():
            assert outcome["state"] == "SUCCESS", outcome
            assert rows[outcome["id"]] == index
        for index, (state, execution_id) in self.shown.items():  # what was shown once is true for good
            assert (self.last[index]["state"], self.last[index]["id"]) == (state, execution_id)

    def told(self) -> str:
        """It in a few lines."""
        counts = {name: dict(sorted(found.items())) for name, found in (("met", self.met), ("left", self.left))}
        return (
            f"{self.kills} kills in {self.processes} processes and {self.seconds:.0f} s; {len(self.runs)} runs, {len(self.last)} outcomes, "
            f"{self.posts} POSTs ({self.conflicts} answered 409), {self.replayed} outcomes replayed by the last process; {counts}"
        )


def killed(folder: Path, *, count: int, pipelines: int, kills: int, seed: int, sized: bool = True) -> Killed:
    """Kill a batch of `count` requests so often, then let it come to its end; all in `folder`."""
    dice, found, begun = random.Random(seed), Killed(), time.monotonic()
    journal = folder / "journal.db"
    with served(pipelines, seed) as (base_url, door):
        job = {"base_url": base_url, "journal": str(journal), "count": count, "pipelines": pipelines, "sized": sized}
        doubts, lost, ended, wanted = False, False, False, 0
        while found.kills < kills and not ended:
            wanted += Kill.turn(found.processes) == "again"
            again = lost and wanted > 0  # in its turn there may be nothing that did not land: then it is the next one's
            wanted -= again
            ended = _drive(job, Kill.drawn(dice, found.processes, doubts=doubts, again=again), found)
            doubts, lost = _look(journal, door, found)
        if not _drive(job, Kill(), found):
            raise AssertionError("a process that nobody kills has not come to its end")
        found.runs = _ask(door, "/executions")
        posts = [sent for sent in _ask(door, "/requests?method=POST") if sent["path"].endswith("/pipeline-executions")]
        found.posts, found.conflicts = len(posts), sum(sent["status"] == 409 for sent in posts)
    found.seconds = time.monotonic() - begun
    return found


def _drive(job: dict[str, Any], kill: Kill, found: Killed) -> bool:
    """One process; whether it came to the end of the batch."""
    found.processes += 1
    asked = json.dumps({**job, "event": kill.event, "kill_at": kill.count, "seed": kill.seed})
    seen: dict[int, dict[str, Any]] = {}
    with subprocess.Popen([sys.executable, __file__, "drive", asked], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        timer = threading.Timer(PATIENCE, child.kill)
        ended = timer_struck = False

        def strike() -> None:
            nonlocal timer_struck
            timer_struck = child.poll() is None
            child.kill()

        for line in child.stdout:
            if not line.endswith("\n"):
                break  # the kill cut it off
            told = json.loads(line)
            if told == "begun":
                timer.cancel()
                timer = threading.Timer(PATIENCE if kill.seconds is None else kill.seconds, strike)
                timer.start()
            elif told == "ended":
                ended = True
            else:
                seen[told["index"]] = told
        timer.cancel()
        child.wait()
    if child.returncode not in {0, -signal.SIGKILL}:
        raise AssertionError(f"the driver ended with {child.returncode}; its error is above")
    if not ended:
        found.kills += 1
        found.met["time" if kill.event is None or timer_struck else kill.event] += 1
    known = set(found.shown)
    for index, told in seen.items():
        now = told["state"], told["id"]
        if found.shown.setdefault(index, now) != now:
            found.wrong.append(f"request {index} was shown as {found.shown[index]}, then as {now}")
        if told["replayed"] < (index in known):
            found.wrong.append(f"request {index} was shown before, and is not marked as replayed")
    if ended:
        found.last, found.replayed = seen, sum(told["replayed"] for told in seen.values())
    return ended


def _look(journal: Path, door: str, found: Killed) -> tuple[bool, bool]:
    """What the kill has left, the journal's rows beside the server's runs; whether there are POSTs to look up, and some did not land."""
    from maia_async import journal_summary

    if not journal.exists():
        found.left["no journal"] += 1
        return False, False
    landed = {run["execution_tag"] for run in _ask(door, "/executions")}
    entries = asyncio.run(journal_summary(journal)).entries
    for entry in entries:
        if entry.state == "INTENT":
            found.left["INTENT, landed" if entry.execution_tag in landed else "INTENT, not landed"] += 1
        elif entry.state == "STARTED":
            found.left["STARTED"] += 1
    tags = [entry.execution_tag for entry in entries if entry.state == "INTENT"]
    return bool(tags), any(tag not in landed for tag in tags)


@contextmanager
def served(pipelines: int, seed: int) -> Iterator[tuple[str, str]]:
    """An emulator in a process of its own: its base URL, and its door."""
    asked = json.dumps({"pipelines": pipelines, "seed": seed})
    with subprocess.Popen([sys.executable, __file__, "serve", asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            told = json.loads(child.stdout.readline())
            yield told["base_url"], told["door"]
        finally:
            assert child.stdin is not None
            child.stdin.close()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


def _ask(door: str, path: str) -> Any:
    with urlopen(door + path, timeout=PATIENCE) as answer:
        return json.load(answer)


async def _serve(asked: dict[str, Any]) -> None:
    from maia_async.emulator import Emulator, Fault, Pipeline, Project, Scenario
    from maia_async.emulator.scenario import DEFAULT_PROJECT

    # Some runs end before anybody asks, some outlast the process that started them. Each way of a request takes its time: a kill is to
    # meet the POST on its way, at the server, and on its way back. One that has arrived lands, whether or not its sender lives by then.
    names = tuple(Pipeline(name=f"p{number}", duration=(0.0, 1.0)) for number in range(asked["pipelines"]))
    scenario = Scenario(
        projects=(Project(id=DEFAULT_PROJECT, pipelines=names),),
        tokens={TOKEN: "emulator"},
        rate_limit=None,
        latency_out=(0.0, 0.06),
        faults=(Fault(method="POST", path="**/pipeline-executions", lands_after=(0.0, 0.06)),),
        seed=asked["seed"],
    )
    async with Emulator(scenario) as emulator:
        _say({"base_url": emulator.base_url, "door": f"{emulator.url}/_emulator"})
        await asyncio.to_thread(sys.stdin.read)


async def _batch(asked: dict[str, Any]) -> None:
    from maia_async import Batch, ExecutionRequest, Maia, PollPolicy, StaticToken, TriggerPolicy
    from maia_async.emulator.scenario import DEFAULT_PROJECT

    requests = [
        ExecutionRequest(pipeline_name=f"p{row % asked['pipelines']}", environment_name=ENVIRONMENT, scalar_variables={"row": str(row)})
        for row in range(asked["count"])
    ]
    given = requests if asked["sized"] else iter(requests)
    async with Maia(
        auth=StaticToken(TOKEN),
        base_url=asked["base_url"],
        project_id=DEFAULT_PROJECT,
        rate_limit=None,
        trigger=TriggerPolicy(settle=SETTLE),
        poll=PollPolicy(min_interval=0.1, max_interval=1.0),
    ) as maia:
        _say("begun")
        async with Batch(maia.project(), given, max_running=40, journal=asked["journal"]) as batch:
            async for outcome in batch:
                _say({"index": outcome.index, "state": outcome.state, "id": outcome.execution_id, "replayed": outcome.replayed})
                happened("shown")
    _say("ended")


happened: Callable[[str], None] = lambda _: None  # noqa: E731 - replaced by the driver


def _arm(asked: dict[str, Any]) -> None:
    """Have this process end at the event that it was told."""
    from maia_async.orchestration.journal import Ended, Intent, Journal, Plan, Started
    from maia_async.orchestration.journal.store import Store
    from maia_async.orchestration.trigger import Call, TriggerDesk
    from maia_async.orchestration.trigger.lookup import Lookup

    dice, left = random.Random(asked["seed"]), [asked["kill_at"]]

    def happened_here(event: str, *, within: float = 0.0) -> None:
        if event == asked["event"]:
            left[0] -= 1
            if left[0] == 0 and within:
                threading.Timer(dice.uniform(0.0, within), os.kill, (os.getpid(), signal.SIGKILL)).start()
            elif left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def before(owner: Any, name: str, tell: Callable[..., None]) -> None:
        inner = getattr(owner, name)

        @wraps(inner)
        def outer(*args: Any, **options: Any) -> Any:
            tell(*args, **options)
            return inner(*args, **options)

        setattr(owner, name, outer)

    def commit(store: Store, writes: Any) -> Any:
        for write in writes:
            happened_here({Ended: "ending"}.get(type(write), ""))
        refusals = committed(store, writes)
        for write in writes:
            happened_here({Intent: "durable", Started: "noted"}.get(type(write), ""))
        return refusals

    def out(call: Call, sent: bool) -> None:
        if sent:
            happened_here("out" if call.case is None else "again", within=0.1)

    globals()["happened"] = happened_here
    committed, Store.commit = Store.commit, commit  # type: ignore[method-assign]  # that is the hook
    before(Store, "open", lambda *_, **__: happened_here("opening"))
    before(Journal, "submit", lambda _, write, __: happened_here({Intent: "asked", Plan: "opening"}.get(type(write), "")))
    before(Call, "doubt", out)
    before(TriggerDesk, "_started", lambda *_, **__: happened_here("answered"))
    before(Lookup, "_page", lambda *_: happened_here("looking"))


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    role, given = sys.argv[1], json.loads(sys.argv[2])
    if role == "serve":
        asyncio.run(_serve(given))
    else:
        _arm(given)
        asyncio.run(_batch(given))
