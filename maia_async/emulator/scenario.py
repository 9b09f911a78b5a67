"""What the emulated account holds and how its pipelines behave: frozen values, from Python or from a file; they decide nothing.

A file is YAML or JSON, with the field names below as keys; an unknown key is refused with its path.

    pipelines:                       # short for one project with the guide's id and environments
      - name: nightly load
        duration: [20, 90]           # seconds, uniform; a single number is a fixed time
        outcomes: [SUCCESS, SUCCESS, {status: FAILED, message: no such table}]
        choose: cycle                # or random, by `weight`
      - {name: old load, enabled: false}
    rate_limit: {requests: 1000, per: 60}
    readings: {details: flat}
    streams: [{name: "orders-*", drop_after: 300}]      # how streaming pipelines behave: see `StreamScript`
    faults: [{method: POST, path: "**/pipeline-executions", status: 504, landed: true, times: 1}]      # see `Fault`
    outages: [{after: 60, seconds: 30}]                 # no connection is accepted: see `Outage`
    crowds: [{count: 100000, pipelines: [a, b], started_over: 86400, duration: [10, 1200]}]     # see `Crowd`
    seed: 7

Several projects are given under `projects` instead, each with `id`, `name`, `environments` and `pipelines`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from attrs import Attribute, evolve, field, frozen

from maia_async.emulator import checks
from maia_async.emulator.checks import Span
from maia_async.emulator.executions import TRIGGERS
from maia_async.emulator.faults import Fault
from maia_async.emulator.listfaults import ListFaults
from maia_async.emulator.outage import Outage, outages
from maia_async.emulator.readings import Readings
from maia_async.emulator.skew import Skew
from maia_async.emulator.streamscript import StreamScript
from maia_async.emulator.times import parsed_timestamp
from maia_async.errors import ConfigurationError
from maia_async.policies import RateLimit

ENDS: Final = ("SUCCESS", "FAILED", "SKIPPED", "FORBIDDEN", "CANCELLED")
MOST_AT_ONCE: Final = 1_000_000
DEFAULT_PROJECT: Final = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
STREAMING_PROJECT: Final = "3dda0acf-e646-4f4b-b4f6-e00449b69427"
STREAMING_AGENT: Final = "2734aa6f-0c64-4d2b-9406-f44dc8f1f3b6"
_PUBLISHED: Final = parsed_timestamp("2023-11-24T10:39:02.182Z")
_MESSAGES: Final = {
    "SUCCESS": '"Rewrite Table": Success',
    "FAILED": '"Rewrite Table": Failed',
    "SKIPPED": "Skipped: the pipeline is already running",
    "FORBIDDEN": "The runner's allow list does not permit this project and environment",
    "CANCELLED": "Cancelled by the platform",
}


@frozen(kw_only=True)
class Outcome:
    """How a run ends by itself. `message` is Maia's own word when None; `weight` counts for `choose="random"`."""

    status: str = field(default="SUCCESS", validator=checks.one_of(*ENDS))
    message: str | None = None
    weight: float = field(default=1.0, validator=checks.number(0, above=True))

    @property
    def said(self) -> str:
        """The message that the API shows."""
        return self.message if self.message is not None else _MESSAGES[self.status]


@frozen(kw_only=True)
class Step:
    """One step of a pipeline: `child` names the pipeline that it starts; `timed=False` has a final status and no times, as callers saw."""

    name: str = field(validator=checks.text)
    child: str | None = None
    timed: bool = field(default=True, validator=checks.flag)


def _steps(value: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(value)


def _outcomes(value: Any) -> tuple[Outcome, ...]:
    outcomes = tuple(
        Outcome(status=one) if isinstance(one, str) else one for one in ((value,) if isinstance(value, Outcome | str) else value)
    )
    if not outcomes:
        raise ConfigurationError("outcomes must not be empty")
    return outcomes


@frozen(kw_only=True)
class Pipeline:
    """A published pipeline and its behaviour.

    environments: where it is published; None is everywhere, elsewhere a trigger gets 404.
    versions: artifact versions, the latest first; a trigger that names another gets 404.
    enabled: False answers a trigger with 410.
    duration: seconds that a run takes, a number or [least, most]; 0 ends it at once (as SKIPPED and FORBIDDEN may).
    outcomes, choose: how runs end, one after the other ("cycle") or by weight ("random").
    cancel_seconds: time spent in CANCELLING; a forceful termination takes none.
    ignores_graceful_cancel: a cancel without force is accepted and changes nothing.
    """

    name: str = field(validator=checks.text)
    published_time: float = field(default=_PUBLISHED, converter=checks.instant)
    environments: tuple[str, ...] | None = field(default=None, converter=checks.texts)
    versions: tuple[str, ...] = field(default=("1.1.1", "1.1.0"), converter=checks.texts)
    enabled: bool = field(default=True, validator=checks.flag)
    duration: Span = field(default=(5.0, 5.0), converter=checks.span)
    outcomes: tuple[Outcome, ...] = field(
        default=(Outcome(),), converter=_outcomes, metadata={"load": checks.many(Outcome, short="status")}
    )
    choose: str = field(default="cycle", validator=checks.one_of("cycle", "random"))
    cancel_seconds: Span = field(default=(2.0, 2.0), converter=checks.span)
    ignores_graceful_cancel: bool = field(default=False, validator=checks.flag)
    pipeline_type: str = field(default="ORCHESTRATION", validator=checks.text)
    steps: tuple[Step, ...] = field(
        default=(Step(name="Start"), Step(name="Rewrite Table"), Step(name="End", timed=False)),
        converter=_steps,
        metadata={"load": checks.many(Step, short="name")},
    )


@frozen(kw_only=True)
class Environment:
    """An environment; its name is its only key."""

    name: str = field(validator=checks.text)
    default_agent_id: str = field(default="3fa85f64-5717-4562-b3fc-2c963f66afaf", validator=checks.text)
    default_agent_name: str = field(default="Dev Agent", validator=checks.text)


def _pipelines(value: Iterable[Pipeline]) -> tuple[Pipeline, ...]:
    return tuple(value)


def _lower(value: Any) -> Any:
    """Ids are compared in lower case; what is no text is left to the validator."""
    return value.lower() if isinstance(value, str) else value


def _is_uuid(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
    try:
        UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(f"{attribute.name} must be a uuid, is {value!r}") from None


def _environments(value: Iterable[Environment | str]) -> tuple[Environment, ...]:
    return tuple(Environment(name=item) if isinstance(item, str) else item for item in value)


@frozen(kw_only=True)
class Project:
    """A project; `id` is a uuid. Names of environments and pipelines are unique in it."""

    id: str = field(converter=_lower, validator=_is_uuid)
    name: str = field(default="Test-project", validator=checks.text)
    description: str | None = "project-1"
    environments: tuple[Environment, ...] = field(
        default=("Environment-1", "Dev Environment", "Dev Env"),
        converter=_environments,
        metadata={"load": checks.many(Environment, short="name")},
    )
    pipelines: tuple[Pipeline, ...] = field(default=(), converter=_pipelines, metadata={"load": checks.many(Pipeline, short="name")})

    def __attrs_post_init__(self) -> None:
        _unique("environment", (item.name for item in self.environments))
        _unique("pipeline", (item.name for item in self.pipelines))
        known = {item.name for item in self.environments}
        for pipeline in self.pipelines:
            for name in pipeline.environments or ():
                if name not in known:
                    raise ConfigurationError(f"pipeline {pipeline.name!r} is published to {name!r}, which is no environment of the project")
        _refuse_circles({item.name: [step.child for step in item.steps if step.child is not None] for item in self.pipelines})


@frozen(kw_only=True)
class Credential:
    """API credentials.

    projects: the ids that they may see (None: all); without any, lists are empty and not an error.
    account: whose budget they draw from, whatever their token; the first of a scenario also pays for requests without a good token.
    """

    client_id: str = field(validator=checks.text)
    client_secret: str = field(validator=checks.text, repr=False)
    projects: tuple[str, ...] | None = field(default=None, converter=checks.texts)
    account: str = field(default="account", validator=checks.text)


def _lengths(value: Any) -> tuple[float, ...] | None:
    return None if value is None else tuple(checks.seconds(item) for item in checks.sequence(value))


@frozen(kw_only=True)
class Crowd:
    """Many executions at once. They take the names in turn: pipeline by pipeline in the first environment, then in the next one.

    count: how many; as many as `durations` when None. project_id: the guide's project when None, or the first where there is none such.
    started_over, starting_over: their starts are spread evenly from so many seconds ago to so many seconds ahead. One that lies ahead is
        in no list, and 404, until then.
    duration: a number, or [least, most] to draw from with `seed`. durations: one for each run instead, the oldest start first.
    outcomes: how they end, one after the other.
    """

    count: int | None = field(default=None)
    pipelines: tuple[str, ...] = field(default=("crowd",), converter=checks.texts)
    environments: tuple[str, ...] = field(default=("Environment-1",), converter=checks.texts)
    project_id: str | None = field(default=None, validator=checks.optional_text)
    started_over: float = field(default=0.0, validator=checks.number(0))
    starting_over: float = field(default=0.0, validator=checks.number(0))
    duration: Span = field(default=(5.0, 5.0), converter=checks.span)
    durations: tuple[float, ...] | None = field(default=None, converter=_lengths, repr=False)
    outcomes: tuple[Outcome, ...] = field(
        default=(Outcome(),), converter=_outcomes, metadata={"load": checks.many(Outcome, short="status")}
    )
    trigger: str = field(default="DESIGNER", validator=checks.one_of(*TRIGGERS))
    user: str | None = field(default=None, validator=checks.optional_text)
    seed: int = field(default=0, validator=checks.number(-(2**63)))

    def __attrs_post_init__(self) -> None:
        if not self.pipelines or not self.environments:
            raise ConfigurationError("pipelines and environments must not be empty")
        if self.durations is not None and self.count not in {None, len(self.durations)}:
            raise ConfigurationError(f"count is {self.count!r}, and there are {len(self.durations)} durations")
        size = len(self.durations) if self.durations is not None else self.count
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_AT_ONCE:
            raise ConfigurationError(f"count must be between 1 and {MOST_AT_ONCE}, is {size!r}")

    @property
    def size(self) -> int:
        """How many runs they are."""
        return len(self.durations) if self.durations is not None else self.count or 0


def _crowds(value: Iterable[Crowd]) -> tuple[Crowd, ...]:
    return tuple(value)


def _faults(value: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(value)


def _scripts(value: Iterable[StreamScript]) -> tuple[StreamScript, ...]:
    return tuple(value)


def _projects(value: Iterable[Project]) -> tuple[Project, ...]:
    return tuple(value)


def _credentials(value: Iterable[Credential]) -> tuple[Credential, ...]:
    return tuple(value)


def _refuse_circles(children: Mapping[str, list[str]]) -> None:
    """Every child must be a pipeline of the project, and none may start itself in the end."""
    finished: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ConfigurationError(f"pipeline {name!r} starts itself: {' -> '.join((*above, name))}")
        if name not in children:
            raise ConfigurationError(f"pipeline {above[-1]!r} starts {name!r}, which is no pipeline of the project")
        if name not in finished:
            for child in children[name]:
                visit(child, (*above, name))
            finished.add(name)

    for name in children:
        visit(name, ())


def _unique(what: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigurationError(f"{what} {name!r} is given {count} times")


def _default_projects() -> tuple[Project, ...]:
    """The ids and names that the vendor's guides print."""
    names = ("My pipeline", "Pipeline 1", "Dev Pipeline")
    streaming = Environment(name="Environment-1", default_agent_id=STREAMING_AGENT, default_agent_name="Test-agent")
    return (
        Project(id=DEFAULT_PROJECT, pipelines=tuple(Pipeline(name=name) for name in names)),
        Project(id=STREAMING_PROJECT, environments=(streaming,), pipelines=(Pipeline(name="My pipeline"),)),
    )


@frozen(kw_only=True)
class Scenario:
    """An account. `Scenario()` holds the data of the vendor's guides.

    credentials: who may ask for tokens. tokens: static tokens, each with the client id that it stands for.
    token_lifetime: seconds that a token is good for (30 minutes per the current documentation).
    rate_limit: requests in any `per` seconds, None for no limit. readings: see `Readings`.
    latency_in, latency_out: seconds before a request is looked at, and before its answer leaves.
    list_lag: seconds before a run appears in the list of executions. list_status_lag: seconds before the list shows a change of status
        (details show it at once). list_faults: see `ListFaults`. faults: see `Fault`; the first that fits happens. outages: see
        `Outage`. skew: see `Skew`.
    others_per_minute: requests in each API minute that others make on the budget of every account, evenly.
    crowds: executions that are there from the start. seed: of every random choice.
    streams: how streaming pipelines behave; the first script whose name fits counts, and `StreamScript()` where none does.
    streaming_agents: the agents that a streaming definition may name; None accepts every uuid.
    """

    projects: tuple[Project, ...] = field(factory=_default_projects, converter=_projects, metadata={"load": checks.many(Project)})
    credentials: tuple[Credential, ...] = field(
        default=(Credential(client_id="emulator", client_secret="emulator"),),  # noqa: S106 - the documented default of a loopback fake
        converter=_credentials,
        metadata={"load": checks.many(Credential)},
    )
    tokens: Mapping[str, str] = field(factory=dict, repr=False)
    token_lifetime: float = field(default=1800.0, validator=checks.number(0, above=True))
    rate_limit: RateLimit | None = field(factory=RateLimit, metadata={"load": checks.optional(checks.one(RateLimit))})
    readings: Readings = field(factory=Readings, metadata={"load": checks.one(Readings)})
    latency_in: Span = field(default=(0.0, 0.0), converter=checks.span)
    latency_out: Span = field(default=(0.0, 0.0), converter=checks.span)
    list_lag: float = field(default=0.0, validator=checks.number(0))
    list_status_lag: float = field(default=0.0, validator=checks.number(0))
    list_faults: ListFaults = field(factory=ListFaults, metadata={"load": checks.one(ListFaults)})
    faults: tuple[Fault, ...] = field(default=(), converter=_faults, metadata={"load": checks.many(Fault)})
    outages: tuple[Outage, ...] = field(default=(), converter=outages, metadata={"load": checks.many(Outage)})
    skew: Skew = field(factory=Skew, metadata={"load": checks.one(Skew)})
    others_per_minute: float = field(default=0.0, validator=checks.number(0))
    crowds: tuple[Crowd, ...] = field(default=(), converter=_crowds, metadata={"load": checks.many(Crowd)})
    streams: tuple[StreamScript, ...] = field(default=(), converter=_scripts, metadata={"load": checks.many(StreamScript, short="name")})
    streaming_agents: tuple[str, ...] | None = field(default=(STREAMING_AGENT,), converter=checks.texts)
    seed: int = field(default=0, validator=checks.number(-(2**63)))

    def __attrs_post_init__(self) -> None:
        if not self.projects:
            raise ConfigurationError("projects must not be empty")
        if not self.credentials:
            raise ConfigurationError("credentials must not be empty")
        _unique("project", (item.id for item in self.projects))
        _unique("credential", (item.client_id for item in self.credentials))
        known = {item.client_id for item in self.credentials}
        if not isinstance(self.tokens, Mapping) or any(client not in known for client in self.tokens.values()):
            raise ConfigurationError("tokens must map each static token to a client_id of the credentials")
        places = {item.id for item in self.projects}
        for crowd in self.crowds:
            if crowd.project_id is not None and crowd.project_id.lower() not in places:
                raise ConfigurationError(f"a crowd is in {crowd.project_id!r}, which is no project of the scenario")

    @classmethod
    def of(cls, *pipelines: Pipeline, **settings: Any) -> Scenario:
        """One project with the guide's id and environments, and these pipelines."""
        return cls(projects=(Project(id=DEFAULT_PROJECT, pipelines=pipelines),), **settings)

    @classmethod
    def from_mapping(cls, data: Any) -> Scenario:
        """A scenario from the parsed content of a file; raises ConfigurationError with the path of what does not fit."""
        if isinstance(data, Mapping) and "pipelines" in data:
            if "projects" in data:
                raise ConfigurationError("give either pipelines (one project) or projects, not both")
            pipelines = checks.many(Pipeline, short="name")(data["pipelines"], "pipelines")
            rest = {key: value for key, value in data.items() if key != "pipelines"}
            base = checks.load(cls, {**rest, "projects": [{"id": DEFAULT_PROJECT}]}, "", also=["pipelines"])
            return evolve(base, projects=(evolve(base.projects[0], pipelines=pipelines),))
        return checks.load(cls, {} if data is None else data, "", also=["pipelines"])

    @classmethod
    def from_file(cls, path: str | Path) -> Scenario:
        """A scenario from a `.json`, `.yaml` or `.yml` file."""
        try:
            content = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"cannot read the scenario {path}: {error}") from None
        try:
            return cls.from_mapping(_parsed(content, as_yaml=Path(path).suffix.lower() != ".json"))
        except ConfigurationError as error:
            raise ConfigurationError(f"scenario {path}: {error}") from None


def _parsed(content: str, *, as_yaml: bool) -> Any:
    if not as_yaml:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"is not JSON: {error}") from None
    try:
        import yaml as reader  # noqa: PLC0415 - an extra: JSON scenarios must work without it
    except ImportError:
        raise ConfigurationError("a YAML scenario needs the extra `cli`: pip install 'maia-async[cli]'") from None
    try:
        return reader.safe_load(content)
    except (reader.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"is not YAML: {error}") from None
