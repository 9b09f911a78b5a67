"""Scenarios from Python and from files: what they do, and how they are refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from maia_async.emulator import Crowd, Environment, ListFaults, Outcome, Pipeline, Project, Readings, Scenario, Step, StreamScript
from maia_async.emulator.bodies import Order
from maia_async.emulator.state import Account
from maia_async.errors import ConfigurationError
from maia_async.policies import RateLimit

DOCUMENT = """
pipelines:
  - plain
  - name: nightly load
    duration: [20, 90]
    environments: [Dev Env]
    published_time: 2024-02-03T04:05:06Z
    outcomes: [SUCCESS, {status: FAILED, message: no such table, weight: 3}]
    choose: random
    cancel_seconds: 4
    steps: [one, {name: two, child: plain, timed: false}]
  - {name: old load, enabled: false}
credentials: [{client_id: me, client_secret: secret, projects: [], account: ours}]
tokens: {fixed: me}
rate_limit: {requests: 10, per: 6}
readings: {details: flat}
latency_in: [0.1, 0.2]
list_lag: 3
list_status_lag: 2.5
list_faults: {repeat_more: 2, empty_last: true}
others_per_minute: 400
crowds:
  - {count: 100, pipelines: [a, b], environments: [x], started_over: 60, duration: [1, 9], outcomes: [FAILED], trigger: API, seed: 3}
  - {durations: [1, 2.5], starting_over: 10, user: ann, project_id: 3fa85f64-5717-4562-b3fc-2c963f66afa6}
seed: 7
streams:
  - orders
  - {name: "lab-*", starting: 1, snapshotting: [5, 9], snapshot: every, start_lag: 2, drop_after: 300, drops: every, flaps_every: 60}
  - {unreachable: [[90, 60]], refuses_to_start: returns, refusals: 2, stuck_starting: true, stop_seconds: 4}
streaming_agents: [2734aa6f-0c64-4d2b-9406-f44dc8f1f3b6, 3fa85f64-5717-4562-b3fc-2c963f66afaf]
"""


def test_a_yaml_file_says_everything_that_python_can(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(DOCUMENT)

    scenario = Scenario.from_file(path)

    (project,) = scenario.projects
    assert (project.id, [item.name for item in project.environments]) == (
        "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        ["Environment-1", "Dev Environment", "Dev Env"],
    )
    assert project.pipelines == (
        Pipeline(name="plain"),
        Pipeline(
            name="nightly load",
            duration=(20, 90),
            environments=("Dev Env",),
            published_time="2024-02-03T04:05:06Z",
            outcomes=(Outcome(), Outcome(status="FAILED", message="no such table", weight=3)),
            choose="random",
            cancel_seconds=4,
            steps=(Step(name="one"), Step(name="two", child="plain", timed=False)),
        ),
        Pipeline(name="old load", enabled=False),
    )
    assert (scenario.rate_limit, scenario.readings) == (RateLimit(requests=10, per=6), Readings(details="flat"))
    assert (scenario.latency_in, scenario.list_lag, scenario.seed) == ((0.1, 0.2), 3, 7)
    assert (scenario.list_status_lag, scenario.list_faults, scenario.others_per_minute) == (
        2.5,
        ListFaults(repeat_more=2, empty_last=True),
        400,
    )
    assert scenario.crowds == (
        Crowd(
            count=100,
            pipelines=("a", "b"),
            environments=("x",),
            started_over=60,
            duration=(1, 9),
            outcomes=(Outcome(status="FAILED"),),
            trigger="API",
            seed=3,
        ),
        Crowd(durations=(1, 2.5), starting_over=10, user="ann", project_id="3fa85f64-5717-4562-b3fc-2c963f66afa6"),
    )
    assert scenario.tokens == {"fixed": "me"}
    assert scenario.credentials[0].account == "ours"
    assert scenario.streams == (
        StreamScript(name="orders"),
        StreamScript(
            name="lab-*", starting=1, snapshotting=(5, 9), snapshot="every", start_lag=2, drop_after=300, drops="every", flaps_every=60
        ),
        StreamScript(unreachable=((90, 60),), refuses_to_start="returns", refusals=2, stuck_starting=True, stop_seconds=4),
    )
    assert scenario.streaming_agents == ("2734aa6f-0c64-4d2b-9406-f44dc8f1f3b6", "3fa85f64-5717-4562-b3fc-2c963f66afaf")


def test_a_json_file_with_projects(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    place = {"name": "E", "default_agent_id": "a", "default_agent_name": "A"}
    path.write_text(
        json.dumps({"projects": [{"id": "3DDA0ACF-E646-4F4B-B4F6-E00449B69427", "name": "P", "environments": [place]}], "rate_limit": None})
    )

    scenario = Scenario.from_file(path)

    environment = Environment(name="E", default_agent_id="a", default_agent_name="A")
    assert scenario.projects == (Project(id="3dda0acf-e646-4f4b-b4f6-e00449b69427", name="P", environments=(environment,)),)
    assert scenario.rate_limit is None


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yml"
    path.write_text("")

    assert Scenario.from_file(path) == Scenario()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "must be a mapping, is list"),
        ({"pipeline": []}, "unknown key 'pipeline'"),
        ({"pipelines": [{"name": "a", "durration": 1}]}, r"pipelines\[0\]: unknown key 'durration'"),
        ({"pipelines": [{"name": "a"}, {"duration": 1}]}, r"pipelines\[1\]: missing name"),
        ({"pipelines": [{"name": ""}]}, r"pipelines\[0\]: name must be a text that is not empty"),
        ({"pipelines": [{"name": "a", "duration": [3, 1]}]}, r"pipelines\[0\]: seconds must be at least 0 and in order"),
        ({"pipelines": [{"name": "a", "duration": "1"}]}, "seconds must be a number or"),
        ({"pipelines": [{"name": "a", "outcomes": ["DONE"]}]}, r"pipelines\[0\].outcomes\[0\]: status must be one of"),
        ({"pipelines": [{"name": "a", "outcomes": []}]}, "outcomes must not be empty"),
        ({"pipelines": [{"name": "a", "enabled": "no"}]}, "enabled must be true or false"),
        ({"pipelines": [{"name": "a", "environments": ["Nowhere"]}]}, "published to 'Nowhere'"),
        ({"pipelines": [{"name": "a", "published_time": "noon"}]}, "a time must be written like"),
        ({"pipelines": [{"name": "a"}, {"name": "a"}]}, "pipeline 'a' is given 2 times"),
        ({"pipelines": [{"name": "a", "steps": [{"name": "s", "child": "b"}]}]}, "starts 'b', which is no pipeline"),
        ({"pipelines": [{"name": "a", "steps": [{"name": "s", "child": "a"}]}]}, "'a' starts itself: a -> a"),
        ({"pipelines": {}}, "pipelines: must be a list, is dict"),
        ({"pipelines": [], "projects": []}, "not both"),
        ({"credentials": []}, "credentials must not be empty"),
        ({"projects": []}, "projects must not be empty"),
        ({"projects": [{"id": "1"}]}, r"projects\[0\]: id must be a uuid"),
        ({"rate_limit": {"requests": 0}}, "rate_limit: RateLimit.requests must be at least 1"),
        ({"readings": {"details": "deep"}}, "readings: details must be one of"),
        ({"tokens": {"x": "nobody"}}, "tokens must map"),
        ({"list_status_lag": -1}, "list_status_lag must be a number of at least 0"),
        ({"list_faults": {"repeat_more": 0}}, "list_faults: repeat_more must be 'never', 'every' or the number"),
        ({"list_faults": {"repeat_more": "all"}}, "repeat_more must be"),
        ({"list_faults": {"empty_last": 1}}, "empty_last must be true or false"),
        ({"list_faults": {"repeat": 1}}, "list_faults: unknown key 'repeat'"),
        ({"readings": {"list_ignores": ["limit"]}}, "list_ignores must name some of projectId"),
        ({"others_per_minute": -1}, "others_per_minute must be"),
        ({"crowds": [{"pipelines": ["a"]}]}, r"crowds\[0\]: count must be between 1 and 1000000, is None"),
        ({"crowds": [{"count": 3, "durations": [1, 2]}]}, "count is 3, and there are 2 durations"),
        ({"crowds": [{"durations": []}]}, "count must be between 1"),
        ({"crowds": [{"durations": 5}]}, "must be a list, is 5"),
        ({"crowds": [{"durations": [-1]}]}, "seconds must be a number of at least 0, are -1"),
        ({"crowds": [{"count": True}]}, "count must be between 1"),
        ({"crowds": [{"count": 1, "pipelines": []}]}, "pipelines and environments must not be empty"),
        ({"crowds": [{"count": 1, "project_id": "elsewhere"}]}, "a crowd is in 'elsewhere', which is no project"),
        ({"crowds": [{"count": 1, "user": 3}]}, "user must be a text"),
        ({"crowds": [{"count": 1, "trigger": "ME"}]}, "trigger must be one of"),
        ({"token_lifetime": 0}, "token_lifetime must be a number above 0"),
        ({"streams": [{"droop_after": 1}]}, r"streams\[0\]: unknown key 'droop_after'"),
        ({"streams": [{"name": ""}]}, r"streams\[0\]: name must be a text"),
        ({"streams": [{"snapshot": "always"}]}, "snapshot must be one of 'first', 'every', 'never'"),
        ({"streams": [{"drops": 2}]}, "drops must be one of"),
        ({"streams": [{"drop_after": -1}]}, "seconds must be at least 0"),
        ({"streams": [{"flaps_every": 0}]}, "flaps_every must be a number above 0"),
        ({"streams": [{"unreachable": [60]}]}, r"unreachable must be a list of \[from, for\], holds 60"),
        ({"streams": [{"unreachable": 60}]}, r"unreachable must be a list of \[from, for\], is 60"),
        ({"streams": [{"unreachable": [[0, -1]]}]}, "seconds must be at least 0"),
        ({"streams": [{"refuses_to_start": 404}]}, "refuses_to_start must be one of"),
        ({"streams": [{"refusals": -1}]}, "refusals must be a number of at least 0"),
        ({"streaming_agents": "me"}, "must be a list of texts"),
        ({"credentials": [{"client_id": "a"}]}, r"credentials\[0\]: missing client_secret"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_path(data: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Scenario.from_mapping(data)


@pytest.mark.parametrize(
    ("name", "content", "said"), [("a.json", "{", "not JSON"), ("a.yaml", "{", "not YAML"), ("a.yaml", None, "cannot read")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)

    with pytest.raises(ConfigurationError, match=f"{name}.*{said}|{said}.*{name}"):
        Scenario.from_file(tmp_path / name)


def test_a_secret_is_not_in_the_repr() -> None:
    scenario = Scenario.from_mapping({"credentials": [{"client_id": "c", "client_secret": "hush"}], "tokens": {"quiet": "c"}})

    assert "hush" not in repr(scenario)
    assert "quiet" not in repr(scenario)


def outcomes_of(scenario: Scenario, count: int) -> list[tuple[str, float]]:
    account = Account(scenario)
    (project,) = account.projects.values()
    runs = [account.trigger(project, Order(pipeline_name="p", environment_name="Dev Env"), 1000.0) for _ in range(count)]
    return [(run.outcome, run.ends - run.started) for run in runs]


def test_outcomes_cycle_in_order() -> None:
    pipeline = Pipeline(name="p", duration=3, outcomes=[Outcome(), Outcome(status="FAILED")])

    assert outcomes_of(Scenario.of(pipeline), 3) == [("SUCCESS", 3.0), ("FAILED", 3.0), ("SUCCESS", 3.0)]


def test_chance_follows_weights_and_the_seed() -> None:
    pipeline = Pipeline(name="p", duration=(2, 4), choose="random", outcomes=[Outcome(weight=9), Outcome(status="FAILED")])
    runs = outcomes_of(Scenario.of(pipeline, seed=1), 1000)

    assert 50 < Counter(outcome for outcome, _ in runs)["FAILED"] < 150
    assert min(length for _, length in runs) < 2.1
    assert all(2 <= length <= 4 for _, length in runs)
    assert runs == outcomes_of(Scenario.of(pipeline, seed=1), 1000)
    assert runs != outcomes_of(Scenario.of(pipeline, seed=2), 1000)


def test_latency_draws_do_not_change_how_runs_end() -> None:
    pipeline = Pipeline(name="p", duration=(2, 4), choose="random", outcomes=[Outcome(), Outcome(status="FAILED")])

    assert outcomes_of(Scenario.of(pipeline, latency_in=(0, 1)), 50) == outcomes_of(Scenario.of(pipeline), 50)
