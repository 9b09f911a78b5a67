"""Servers and surroundings unlike our emulator: what a review found that they can do to a client, each with what it must not do."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from attrs import define
from scripted import Scripted, Step, answer, stall

from maia_async import (
    ClientCredentials,
    ExecutionStatus,
    Maia,
    MaiaError,
    NotFound,
    RateLimit,
    ResponseError,
    StaticToken,
    WaitTimeout,
)
from maia_async.emulator import Emulator, Pipeline, Scenario

ID = "1398aa31-af57-4a6a-9752-27c2e8556c3f"


def client(server: Scripted, **options: Any) -> Maia:
    return Maia(**{"auth": StaticToken("tok-abcdefgh"), "base_url": server.url, "project_id": "p", **options})


def token(lifetime: float = 1800.0) -> Step:
    return answer(200, {"access_token": "tok-abcdefgh", "token_type": "Bearer", "expires_in": lifetime})


@pytest.mark.parametrize("odd", [{"user": {"id": "u"}}, {"startedAt": "2026-11-22T10:00:00Z[UTC]"}, {"message": {}}])
async def test_an_odd_field_beside_an_explicit_end_does_not_hold_up_the_wait(odd: dict[str, Any]) -> None:
    async with Scripted(answer(200, {"status": "SUCCESS", **odd})) as server, client(server) as maia:
        assert (await maia.project().execution(ID)).status is ExecutionStatus.SUCCESS
        assert len(server.times) == 1


async def test_deep_answers_about_one_run_disturb_no_other() -> None:
    def deep(number: int) -> Step:
        nested = b"[" * 1000 + b"%d" % number + b"]" * 1000
        return answer(200, b'{"status": "RUNNING", "extra": ' + nested + b"}")

    async with Scripted() as server, client(server) as maia:
        other = "00000000-0000-0000-0000-000000000000"
        server._then = lambda seen: deep(len(server.times)) if ID in seen.target else answer(200, {"status": "RUNNING"})

        async def short(execution_id: str) -> None:
            with pytest.raises(WaitTimeout):
                await maia.project().execution(execution_id).wait(timeout=5)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(short, ID)
            tasks.start_soon(short, other)


async def test_time_without_a_look_is_not_time_unreachable() -> None:
    async with Scripted(then=answer(503)) as server, client(server) as maia:
        execution = maia.project().execution(ID)
        with pytest.raises(WaitTimeout):
            await execution.wait(timeout=3)
        await anyio.sleep(3600)
        server.play(answer(503), answer(200, {"status": "SUCCESS"}))
        assert (await execution).status is ExecutionStatus.SUCCESS


async def test_a_token_endpoint_that_is_gone_is_no_answer_about_the_run() -> None:
    async with Scripted(then=answer(404)) as tokens, Scripted(answer(200, {"status": "SUCCESS"})) as server:
        async with client(server, auth=ClientCredentials("id", "secret", token_url=f"{tokens.url}/token")) as maia:
            with pytest.raises(ResponseError) as caught:
                await maia.projects.list()
            assert not isinstance(caught.value, NotFound)
            with pytest.raises(WaitTimeout):
                await maia.project().execution(ID).wait(timeout=30)


async def test_an_early_renewal_that_stalls_does_not_keep_a_request_from_its_good_token(now: Any) -> None:
    async with Scripted(token(1000), then=stall()) as tokens, Scripted(then=answer(200, {"results": []})) as server:
        async with client(server, auth=ClientCredentials("id", "secret", token_url=f"{tokens.url}/token")) as maia:
            await maia.projects.list()
            await anyio.sleep(920)
            start = now()
            await maia.projects.list()
            assert now() - start <= 6


async def test_on_cancel_comes_before_the_cancellation_in_an_anyio_scope_too() -> None:
    async with Emulator(Scenario.of(Pipeline(name="long", duration=7200), latency_in=(0.5, 0.5))) as emulator, emulator.client() as maia:
        execution = await maia.project().execute("long", "Environment-1")
        with anyio.move_on_after(10):
            await execution.wait(on_cancel="cancel")
        assert len(emulator.control.requests(method="PATCH")) == 1
        assert emulator.control.execution(execution.id).status in {"CANCELLING", "CANCELLED"}


async def test_cancel_and_confirm_ends_with_its_timeout_even_when_the_cancel_stalls(now: Any) -> None:
    async with Scripted(then=stall()) as server, client(server) as maia:
        start = now()
        with pytest.raises(WaitTimeout):
            await maia.project().execution(ID).cancel_and_confirm(timeout=20)
        assert now() - start == pytest.approx(20, abs=1)


async def test_finished_waits_with_long_timeouts_are_not_kept_until_their_deadline() -> None:
    async with Scripted(then=answer(200, {"status": "RUNNING"})) as server, client(server, rate_limit=None) as maia:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: maia.project().execution(ID).wait(check=False))
            await anyio.sleep(0.1)
            server._then = lambda seen: answer(200, {"status": "RUNNING" if ID in seen.target else "SUCCESS"})
            for number in range(500):
                await maia.project().execution(f"run-{number}").wait(timeout=86_400)
            assert len(maia._watcher._deadlines._heap) < 250
            tasks.cancel_scope.cancel()


async def test_a_text_that_echoes_the_token_is_quoted_without_it() -> None:
    async with Scripted(answer(200, "you sent Bearer tok-abcdefgh")) as server, client(server) as maia:
        with pytest.raises(MaiaError) as caught:
            await maia.projects.list()
        assert "you sent" in str(caught.value)
        assert "tok-abcdefgh" not in str(caught.value)


async def test_a_request_that_was_sent_and_cancelled_is_counted() -> None:
    async with Scripted(then=stall()) as server, client(server) as maia:
        with anyio.move_on_after(5):
            await maia.projects.list()
        assert maia.statistics().requests == len(server.times) == 1


@define
class Vault:
    """Credentials from somewhere that is not always there."""

    failures: int

    async def authorization(self) -> str:
        if self.failures:
            self.failures -= 1
            raise ConnectionResetError("vault")
        return "Bearer tok-abcdefgh"

    def forget(self, authorization: str) -> None:
        """Nothing to forget."""


async def test_the_trouble_of_a_custom_auth_is_ridden_out_like_ours() -> None:
    async with Scripted(then=answer(200, {"status": "SUCCESS"})) as server, client(server, auth=Vault(5)) as maia:
        assert (await maia.project().execution(ID)).status is ExecutionStatus.SUCCESS


async def test_a_budget_of_one_request_is_slow_and_does_not_hang() -> None:
    async with Scripted(then=token(2.5)) as tokens, Scripted(then=answer(200, {"results": []})) as server:
        auth = ClientCredentials("id", "secret", token_url=f"{tokens.url}/token")
        async with client(server, auth=auth, rate_limit=RateLimit(requests=1, per=1.0)) as maia:
            with anyio.fail_after(60):
                for _ in range(3):
                    await maia.projects.list()
            assert len(server.times) == 3


async def test_callers_that_share_one_failure_get_tracebacks_of_their_own_length() -> None:
    async with Scripted(then=answer(503)) as tokens, Scripted() as server:
        async with client(server, auth=ClientCredentials("id", "secret", token_url=f"{tokens.url}/token")) as maia:
            depths: list[int] = []

            async def one() -> None:
                with pytest.raises(MaiaError) as caught:
                    await maia.projects.list()
                depths.append(len(caught.traceback))

            async with anyio.create_task_group() as tasks:
                for _ in range(100):
                    tasks.start_soon(one)
            assert max(depths) < 40


async def test_a_status_operation_that_is_not_served_is_asked_for_once() -> None:
    async with Scripted() as server, client(server) as maia:
        server._then = lambda seen: answer(404) if seen.target.endswith("/status") else answer(200, {"status": "RUNNING"})
        execution = maia.project().execution(ID)
        assert [await execution.status() for _ in range(3)] == ["RUNNING"] * 3
        assert len(server.times) == 4


def test_a_region_given_as_an_argument_wins_over_the_variable_with_an_address() -> None:
    variables = {"MAIA_TOKEN": "t", "MAIA_BASE_URL": "https://eu1.api.matillion.com/dpc"}
    assert Maia.from_env(variables, region="us1").base_url == "https://us1.api.matillion.com/dpc"
    assert Maia.from_env(variables, region="us1", base_url="https://x.example/dpc").base_url == "https://x.example/dpc"


async def test_a_long_header_of_a_gateway_does_not_lose_a_trigger() -> None:
    async with Scripted(answer(201, {"pipelineExecutionId": ID}, content_security_policy="x" * 9000)) as server, client(server) as maia:
        assert (await maia.project().execute("Load", "Prod")).id == ID
