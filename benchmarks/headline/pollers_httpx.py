"""The pollers over httpx: one client, HTTP/1.1, with as many kept connections as the pollers can use."""

from __future__ import annotations

import json
import ssl
from typing import Any

import httpx
from attrs import frozen
from contender import Notes
from jobs import Job
from pollers import PLACES, Answer, Pollers

# Made once, at the import: it reads the system's certificates, which would be the longest stall of the loop.
_TLS = ssl.create_default_context()


@frozen
class _Transport:
    http: httpx.AsyncClient
    errors: tuple[type[Exception], ...] = (httpx.TransportError,)

    async def send(self, method: str, path: str, body: dict[str, Any] | None) -> Answer:
        response = await self.http.request(method, path, json=body)
        return Answer(response.status_code, response.headers.get("Retry-After"), response.content)


async def run(job: Job, notes: Notes) -> None:
    async with httpx.AsyncClient(
        base_url=job.base_url,
        verify=_TLS,
        headers={"Authorization": f"Bearer {job.token}", "Accept": "application/json"},
        timeout=max(60 / job.speed, 5.0),
        limits=httpx.Limits(max_connections=PLACES, max_keepalive_connections=PLACES, keepalive_expiry=60),
    ) as http:
        await Pollers(job, notes, _Transport(http), json.loads).run()
