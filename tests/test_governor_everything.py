"""One budget under everything at once, through the real client against the emulator, in virtual time: `mixed_load.py` is the load.

The suite plays a fifth of it on a fifth of the budget. `benchmarks/run.py --only governor` plays it whole: 5,000 starts, 10,000 waits,
300 streams on 1000 requests a minute, and that twice on one account.
"""

from __future__ import annotations

import asyncio
import random

import pytest
from mixed_load import Load, Played, Result, at_percent, play
from virtual_time import VirtualLoop

from maia_async import Batch, ExecutionRequest, supervise
from maia_async.emulator import Emulator, Pipeline, Scenario

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def _same_dice() -> None:
    """The package's own jitter: parts and lags are compared with bounds that one in fifty draws would miss."""
    random.seed(20)


FIFTH = 200  # requests a minute
LONGEST_GAP = 300.0  # seconds between two reads of one of 50 streams; polls have 0.95 a second, of which lists take at most six tenths
LONGEST_LAG = 180.0  # the same for the end of a wait


def played(*loads: Load, requests: int = FIFTH) -> Result:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play(*loads, requests=requests))


def check_cancels(client: Played) -> None:
    """They leave within 2 s while few have left in the last minute and no pause is in force."""
    assert len(client.cancels) > 20
    assert max(client.cancels) <= 2


def test_alone_nothing_is_refused_cancels_leave_streams_are_read_and_waits_end() -> None:
    scene = played(Load(starts=600, others=700, streams=50, lengths=(10, 400), cancels=10))
    [client] = scene.clients
    assert (client.refused(), len(client.lags)) == (0, 1300)
    assert scene.peak <= FIFTH
    assert scene.tokens >= 2
    assert client.started < 600 / (0.6 * 0.95 * FIFTH) * 60 * 1.1  # triggers have what is left of it, too
    check_cancels(client)
    assert min(client.lags) >= 0  # none ends before its run has
    assert max(client.lags) <= LONGEST_LAG
    assert max(client.gaps()) <= LONGEST_GAP
    restarted = {command.path.split("/")[-2] for command in client.of("/commands", "POST")}
    dropped = {stream_id for stream_id, at in client.drops if at < scene.seconds - LONGEST_GAP}
    assert dropped
    assert dropped <= restarted


def test_beside_a_second_client_on_the_account_each_has_its_part_and_hardly_anything_is_refused() -> None:
    load = Load(starts=450, others=300, streams=20, lengths=(10, 200), cancels=20, drops=60)
    clients = played(load, load).clients
    until = min(client.started for client in clients)
    assert until > 400  # both want more than there is, for long enough after the fifth minute
    parts = [client.accepted(300, until) for client in clients]
    assert min(parts) >= 0.35 * sum(parts)
    for client in clients:
        assert client.refused() < 0.01 * len(client.requests)
        assert len(client.lags) == 750
        assert min(client.lags) >= 0
        check_cancels(client)


@pytest.mark.parametrize(
    ("load", "longest"),
    [
        # 3 s between two reads, and the ways of a request; 0.6 s each turn of four others. The one run keeps the scene going.
        pytest.param(Load(starts=1, others=0, streams=500, drops=10, cancels=1e6, lengths=(240, 240)), 7.0, id="alone"),
        # … and behind at most four reads and the lists that wait before it for the polls' 30 %.
        pytest.param(Load(starts=1300, others=0, streams=500, drops=5, cancels=1e6, lengths=(10, 20)), 10.0, id="beside a batch"),
    ],
)
def test_after_a_command_one_stream_of_500_is_read_every_few_seconds(load: Load, longest: float) -> None:
    scene = played(load, requests=1000)
    [client] = scene.clients
    found = [gap for at, gap in client.reads_after_commands() if at + 60 < scene.seconds]
    assert len(found) >= 2
    assert max(found) <= longest
    assert client.refused() == 0


async def test_a_fleet_beside_a_batch_is_never_refused() -> None:
    scenario = Scenario.of(Pipeline(name="short", duration=(5, 60)), latency_in=(0.05, 0.3), latency_out=(0.05, 0.3))
    async with Emulator(scenario) as emulator, emulator.client() as maia:
        project = maia.project()
        ids = emulator.control.create_stream("fleet", project_id=project.id, count=100, started_ago=7200.0)
        emulator.control.drop_stream(ids[0])
        rows = [ExecutionRequest(pipeline_name="short", environment_name="Environment-1")] * 300
        async with supervise([project.streaming_pipeline(each) for each in ids]) as supervisor, Batch(project, rows) as batch:
            outcomes = [outcome async for outcome in batch]
            states = supervisor.states
        statistics = emulator.control.statistics()

    assert {outcome.state.value for outcome in outcomes} == {"SUCCESS"}
    assert (len(outcomes), statistics["refused_429"]) == (300, 0)
    assert statistics["peak_in_window"] <= 1000
    assert {str(state.state) for state in states.values()} == {"STREAMING"}


def test_percentiles() -> None:
    assert (at_percent([3, 1, 2], 50), at_percent([1], 99), at_percent([], 50)) == (2, 1, 0)
