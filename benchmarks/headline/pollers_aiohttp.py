"""The pollers over aiohttp: one session, its connector's defaults. `aiohttp-paced` spreads its requests evenly over the minute as well."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from attrs import frozen
from contender import Notes
from jobs import SLOT, Job
from pollers import Answer, Pace, Pollers


@frozen
class _Transport:
    http: aiohttp.ClientSession
    base_url: str
    errors: tuple[type[Exception], ...] = (aiohttp.ClientError, TimeoutError)

    async def send(self, method: str, path: str, body: dict[str, Any] | None) -> Answer:
        async with self.http.request(method, self.base_url + path, json=body) as response:
            return Answer(response.status, response.headers.get("Retry-After"), await response.read())


async def run(job: Job, notes: Notes) -> None:
    headers = {"Authorization": f"Bearer {job.token}", "Accept": "application/json"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=max(60 / job.speed, 5.0))) as http:
        pace = Pace(SLOT / job.speed) if job.contender == "aiohttp-paced" else None
        await Pollers(job, notes, _Transport(http, job.base_url), json.loads, pace=pace).run()
