"""The library, as its README shows it: `execute()` and `await`, in a task for each run. Everything used is public.

The policies are the defaults, divided by the speed as `Emulator.client()` divides them, which a client in another process cannot ask.
"""

from __future__ import annotations

from attrs import evolve
from contender import Notes, each_in_a_task
from jobs import Job

from maia_async import Maia, PollPolicy, Project, RateLimit, RetryPolicy, StaticToken, Timeouts, TriggerPolicy


async def run(job: Job, notes: Notes) -> None:
    async with _client(job) as maia:
        project = maia.project()
        if job.scene == "trigger":
            await each_in_a_task((_trigger_and_wait(project, *place, notes) for place in job.places()), notes)
        else:
            await each_in_a_task((_wait(project, execution_id, notes) for execution_id in job.ids), notes)


async def _trigger_and_wait(project: Project, pipeline: str, environment: str, notes: Notes) -> None:
    execution = await project.execute(pipeline, environment)
    await execution
    notes.note(execution.id)


async def _wait(project: Project, execution_id: str, notes: Notes) -> None:
    await project.execution(execution_id)
    notes.note(execution_id)


def _client(job: Job) -> Maia:
    speed = job.speed
    limit, poll, retry, trigger, timeouts = RateLimit(), PollPolicy(), RetryPolicy(), TriggerPolicy(), Timeouts()
    return Maia(
        auth=StaticToken(job.token),
        base_url=job.base_url,
        project_id=job.project_id,
        rate_limit=evolve(limit, per=limit.per / speed, max_pause=limit.max_pause / speed),
        poll=PollPolicy(
            min_interval=poll.min_interval / speed,
            max_interval=poll.max_interval / speed,
            max_unreachable=poll.max_unreachable / speed,
            not_found_grace=poll.not_found_grace / speed,
        ),
        retry=evolve(retry, base=retry.base / speed, cap=retry.cap / speed),
        trigger=TriggerPolicy(settle=trigger.settle / speed),
        timeout=Timeouts(connect=max(timeouts.connect / speed, 2.0), total=max(timeouts.total / speed, 5.0)),
    )
