"""Who started which run: each request carries a mark, and at the end the server's runs are held against what the client said. Pure.

A mark is a variable of the request, which a run keeps and which no list shows, so that the client cannot profit from it.

    the client says                                  the server has, under that mark          verdict
    an id, and an end                                that run alone, and it ended so          fine
    an id, and no end (left running, never awaited)  that run alone                           fine
    an id                                            another run, or none, or another end     wrong
    it cannot tell (UNKNOWN), perhaps candidates     none                                     not known: did not land
    it cannot tell                                   one                                      not known: landed
    it did not start                                 none                                     fine
    it did not start                                 one                                      lost: it runs and nobody knows
    nothing at all                                   any or none                              silent
    anything                                         more than one                            duplicated

A run of ours (trigger API) without a mark that was given out is a stranger: it counts as duplicated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import define, field, frozen

MARK: Final = "mark"


@frozen(kw_only=True)
class Claim:
    """What the client says of one request. doubtful: it cannot tell. state: the run's end, if it was seen."""

    execution_id: str | None = None
    state: str | None = None
    doubtful: bool = False
    candidates: tuple[str, ...] = ()


@define
class Verdict:
    """Counts, and the first few of what is wrong, in words."""

    requests: int = 0
    runs: int = 0
    ended: int = 0  # runs whose end the client saw
    left: int = 0  # runs that it knows and whose end it did not see
    not_started: int = 0
    unknown_landed: int = 0
    unknown_not_landed: int = 0
    candidates_right: int = 0  # of those that landed: the run is among the candidates
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    silent: int = 0
    examples: list[str] = field(factory=list)

    def add(self, other: Verdict) -> None:
        """Sum it up."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples += other.examples[: 20 - len(self.examples)]


COUNTS: Final = tuple(name for name in Verdict.__annotations__ if name != "examples")


@define
class Ledger:
    """The requests of one shift."""

    _claims: dict[str, Claim | None] = field(factory=dict)
    _given: int = 0

    def mark(self) -> str:
        """A mark for a request that is about to be made."""
        self._given += 1
        mark = f"m{self._given}"
        self._claims[mark] = None
        return mark

    def withdraw(self, mark: str) -> None:
        """The request was never handed to the client, which read less of its input than it could have."""
        del self._claims[mark]

    def claim(self, mark: str, claim: Claim) -> None:
        """What the client says of it; a later word overrides an earlier one."""
        self._claims[mark] = claim

    def known(self, mark: str) -> bool:
        """Whether the client has said anything of it."""
        return self._claims.get(mark) is not None

    def judge(self, runs: Iterable[Any]) -> Verdict:
        """The table of this module, for the runs that the server has; the next shift begins with an empty page."""
        found = Verdict()
        by_mark: dict[str, list[Any]] = defaultdict(list)
        for run in runs:
            if run.trigger == "API":
                found.runs += 1
                by_mark[_mark_of(run.scalar_variables)].append(run)
        for mark in by_mark.keys() - self._claims.keys():
            found.duplicated += len(by_mark[mark])
            found.examples.append(f"nobody asked for {[run.id for run in by_mark[mark]]} (mark {mark!r})")
        for mark, claim in self._claims.items():
            found.requests += 1
            _judge(found, mark, claim, by_mark.get(mark, []))
        self._claims = {}
        return found


def _judge(found: Verdict, mark: str, claim: Claim | None, runs: list[Any]) -> None:
    told = [(run.id, run.status) for run in runs]
    if len(runs) > 1:
        found.duplicated += len(runs) - 1
        found.examples.append(f"{mark}: {len(runs)} runs {told} for one request, client says {claim}")
    elif claim is None:
        found.silent += 1
        found.examples.append(f"{mark}: the client has said nothing, the server has {told}")
    elif claim.doubtful:
        found.unknown_landed += len(runs)
        found.unknown_not_landed += not runs
        found.candidates_right += any(run.id in claim.candidates for run in runs)
    elif claim.execution_id is None:
        found.not_started += not runs
        found.lost += len(runs)
        if runs:
            found.examples.append(f"{mark}: not started says the client, the server has {told}")
    elif not runs or runs[0].id != claim.execution_id or claim.state not in {None, runs[0].status}:
        found.wrong += 1
        found.examples.append(f"{mark}: client says {claim}, the server has {told}")
    elif claim.state is None:
        found.left += 1
    else:
        found.ended += 1


def _mark_of(variables: Mapping[str, str] | None) -> str:
    return (variables or {}).get(MARK, "")
