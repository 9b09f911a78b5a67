"""A plain aiohttp client of the emulator: these tests must not lean on the client that the emulator is there to test."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from attrs import define, frozen
from yarl import URL

from maia_async.emulator import Clock, Emulator

BASE = datetime(2026, 1, 1, tzinfo=UTC)


@frozen
class Answer:
    """One answer, read whole. `body` is parsed JSON, or None when there is none."""

    status: int
    headers: Any
    body: Any
    raw: bytes = b""


@define
class Api:
    """Calls with a good token; paths begin with `/v1`, or with `http` for any other."""

    emulator: Emulator
    session: aiohttp.ClientSession
    token: str | None = None
    project: str = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

    @property
    def runs(self) -> str:
        return f"/v1/projects/{self.project}/pipeline-executions"

    async def call(
        self, method: str, path: str, *, token: str | None = "own", headers: dict[str, str] | None = None, **options: Any
    ) -> Answer:
        sent = dict(headers or {})
        bearer = self.token if token == "own" else token
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        url = path if path.startswith("http") else self.emulator.base_url + path
        async with self.session.request(method, URL(url, encoded=True), headers=sent, **options) as response:
            content = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Answer(response.status, response.headers.copy(), json.loads(content) if content and is_json else None, content)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def door(self, method: str, path: str, **options: Any) -> Answer:
        return await self.call(method, f"{self.emulator.url}/_emulator{path}", token=None, **options)

    async def sign_in(self, client_id: str = "emulator", client_secret: str = "emulator") -> Answer:
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        return await self.call("POST", self.emulator.token_url, token=None, data=form)

    async def trigger(self, pipeline: str = "Pipeline 1", environment: str = "Dev Environment", **fields: Any) -> Answer:
        return await self.call("POST", self.runs, json={"pipelineName": pipeline, "environmentName": environment, **fields})

    async def started(self, pipeline: str = "Pipeline 1", **fields: Any) -> str:
        answer = await self.trigger(pipeline, **fields)
        assert answer.status == 201, answer
        return str(answer.body["pipelineExecutionId"])

    async def status(self, run: str) -> str:
        return str((await self.get(f"{self.runs}/{run}/status")).body["status"])

    async def cancel(self, run: str, *, force: bool = False) -> Answer:
        return await self.call("PATCH", f"{self.runs}/{run}", json={"forceUpdate": force, "status": "CANCELLED"})


@asynccontextmanager
async def _serve(*args: Any, **settings: Any) -> AsyncIterator[Api]:
    settings.setdefault("clock", Clock(base=BASE))
    async with Emulator(*args, **settings) as emulator, aiohttp.ClientSession() as session:
        api = Api(emulator, session)
        first = emulator.scenario.credentials[0]
        # Not by HTTP: the token request would count in the log and in the budget of the test.
        client = emulator.control._service.tokens.client(first.client_id, first.client_secret)
        assert client is not None
        api.token = emulator.control._service.tokens.issue(client, emulator.control.now)
        yield api


@pytest.fixture
def serve() -> Callable[..., AbstractAsyncContextManager[Api]]:
    """Start an emulator with these settings; its time starts at the beginning of 2026."""
    return _serve


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """An emulator with the default data."""
    async with _serve() as api:
        yield api
