"""One thread for each run with `requests`: POST, then GET the details every 5 s until a terminal status, as the published callers do.

Better than they are: a session for each thread keeps its connection, every terminal status is known, a 429 is waited out (theirs is an
error), and the same concurrency limit as in the other pollers keeps a thousand threads from drowning process and server.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import requests
from attrs import frozen
from contender import Notes
from jobs import POLL, Job, place_of
from pollers import PLACES, TERMINAL, told_to_wait


class _GaveUp(Exception):
    """The time is over."""


@frozen
class _Poller:
    job: Job
    notes: Notes
    places: threading.Semaphore
    until: float

    def __call__(self, number: int) -> None:
        try:
            with requests.Session() as http:
                http.headers.update({"Authorization": f"Bearer {self.job.token}", "Accept": "application/json"})
                self._whole(http, number)
        except _GaveUp:
            pass
        except Exception as error:  # noqa: BLE001 - it is reported, and the others go on
            self.notes.failed(error)

    def _whole(self, http: requests.Session, number: int) -> None:
        path = f"{self.job.base_url}/v1/projects/{self.job.project_id}/pipeline-executions"
        if self.job.scene == "trigger":
            pipeline, environment = place_of(number)
            body = {"pipelineName": pipeline, "environmentName": environment}
            execution_id = self._ask(http, "POST", path, body)["pipelineExecutionId"]
            self._sleep(POLL)
        else:
            execution_id = self.job.ids[number]
        while True:
            details = self._ask(http, "GET", f"{path}/{execution_id}")
            if details.get("result", details)["status"] in TERMINAL:
                self.notes.note(execution_id)
                return
            self._sleep(POLL)

    def _ask(self, http: requests.Session, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        with self.places:
            while True:
                try:
                    answer = http.request(method, url, json=body, timeout=max(60 / self.job.speed, 5.0))
                except requests.RequestException:
                    if method == "POST":
                        raise  # it may have started a run
                    self._sleep(POLL)
                    continue
                if answer.status_code != 429:
                    answer.raise_for_status()
                    found: dict[str, Any] = answer.json()
                    return found
                self._sleep(told_to_wait(answer.headers.get("Retry-After"), self.job.speed) + random.random())

    def _sleep(self, seconds: float) -> None:
        real = seconds / self.job.speed
        left = self.until - time.monotonic()
        time.sleep(max(0.0, min(real, left)))
        if real >= left:
            raise _GaveUp


def run(job: Job, notes: Notes) -> None:
    until = time.monotonic() + job.give_up / job.speed
    poller = _Poller(job, notes, threading.Semaphore(PLACES), until)
    threads = [threading.Thread(target=poller, args=(number,), daemon=True) for number in range(job.size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()) + 5.0)
