"""What makes lists hard to trust: lags, shifting pages, tokens that repeat. Details are always current."""

from __future__ import annotations

from typing import Any

import pytest

from maia_async.emulator import ListFaults, Pipeline, Readings, Scenario
from maia_async.emulator.pagetoken import Place, after, more, parsed, token
from maia_async.errors import ConfigurationError

PATH = "/v1/pipeline-executions"


async def page(api: Any, query: str = "", more: str | None = None) -> tuple[list[str], str | None]:
    answer = await api.get(f"{PATH}?{query}" + (f"&paginationToken={more}" if more else ""))
    assert answer.status == 200, answer.body
    return [item["pipelineExecutionId"] for item in answer.body["results"]], answer.body.get("more")


async def shown(api: Any) -> list[str]:
    """The statuses that the list shows, the newest start first."""
    return [item["status"] for item in (await api.get(PATH)).body["results"]]


async def test_an_end_is_listed_late_and_read_at_once(serve: Any) -> None:
    async with serve(Scenario.of(Pipeline(name="p", duration=10), list_status_lag=4)) as api:
        run = await api.started("p")
        api.emulator.control.advance(10)
        assert await api.status(run) == "SUCCESS"
        (row,) = (await api.get(PATH)).body["results"]
        assert row["status"] == "RUNNING"
        assert row.keys().isdisjoint({"finishedAt", "message"}), "the whole row is as old as its status"
        assert await page(api, "status=RUNNING") == ([run], None)
        assert await page(api, "status=SUCCESS") == ([], None)
        api.emulator.control.advance(3.99)
        assert await shown(api) == ["RUNNING"]
        api.emulator.control.advance(0.01)
        (row,) = (await api.get(PATH)).body["results"]
        assert (row["status"], row["finishedAt"]) == ("SUCCESS", "2026-01-01T00:00:10.000Z")
        assert await page(api, "status=RUNNING") == ([], None)
        assert await page(api, "status=SUCCESS") == ([run], None)


async def test_every_change_of_status_is_listed_late_in_its_turn(serve: Any) -> None:
    async with serve(Scenario.of(Pipeline(name="p", duration=1000, cancel_seconds=100), list_status_lag=5)) as api:
        control = api.emulator.control
        run = await api.started("p")
        seen = []

        async def look() -> None:
            (listed,) = await shown(api)
            seen.append((listed, await api.status(run)))

        for change in ("UNKNOWN", None, "cancel", "FAILED"):
            control.advance(10)
            if change == "cancel":
                await api.cancel(run)
            else:
                control.set_status(run, change)
            control.advance(4.9)
            await look()
            control.advance(0.1)
            await look()

    assert seen == [
        ("RUNNING", "UNKNOWN"),
        ("UNKNOWN", "UNKNOWN"),
        ("UNKNOWN", "RUNNING"),
        ("RUNNING", "RUNNING"),
        ("RUNNING", "CANCELLING"),
        ("CANCELLING", "CANCELLING"),
        ("CANCELLING", "FAILED"),
        ("FAILED", "FAILED"),
    ]


async def test_a_lag_may_change_while_runs_end(api: Any) -> None:
    control = api.emulator.control
    control.add_execution("p", duration=10)
    control.advance(12)
    seen = [await shown(api)]
    for lag in (5, 1, 3, 0):
        control.set_network(list_status_lag=lag)
        seen.append(await shown(api))
    assert seen == [["SUCCESS"], ["RUNNING"], ["SUCCESS"], ["RUNNING"], ["SUCCESS"]]


async def test_both_lags_at_once_and_by_http(api: Any) -> None:
    network = (await api.door("PUT", "/network", json={"list_lag": 2, "list_status_lag": 6})).body
    assert (network["list_lag"], network["list_status_lag"]) == (2, 6)
    run = await api.started()
    seen = []
    for _ in range(6):
        seen.append((await shown(api), await api.status(run)))
        api.emulator.control.advance(2)

    assert seen == [
        ([], "RUNNING"),
        (["RUNNING"], "RUNNING"),
        (["RUNNING"], "RUNNING"),
        # It takes 5 s.
        (["RUNNING"], "SUCCESS"),
        (["RUNNING"], "SUCCESS"),
        (["RUNNING"], "SUCCESS"),
    ]
    assert await shown(api) == ["SUCCESS"]


async def test_with_offsets_a_run_that_starts_between_two_pages_pushes_a_row_onto_both(serve: Any) -> None:
    async with serve(readings=Readings(page_tokens="offset")) as api:
        ids = api.emulator.control.add_execution("crowd", count=6, started_ago=[1, 1000])[::-1]
        first, token = await page(api, "limit=3")
        await api.started()
        second, token = await page(api, "limit=3", token)
        third, end = await page(api, "limit=3", token)

    assert (first, second, third, end) == (ids[:3], ids[2:5], ids[5:], None)


async def test_with_offsets_a_run_that_ends_between_two_pages_hides_another(serve: Any) -> None:
    async with serve(readings=Readings(page_tokens="offset")) as api:
        ids = api.emulator.control.add_execution("crowd", count=6, started_ago=[1, 1000], duration=9000)[::-1]
        first, token = await page(api, "limit=3&status=RUNNING")
        api.emulator.control.finish(ids[0])
        second, end = await page(api, "limit=3&status=RUNNING", token)

    assert (first, second, end) == (ids[:3], ids[4:], None), "the fourth row was on neither page"


async def test_a_chain_outlives_a_change_of_what_tokens_hold(api: Any) -> None:
    ids = api.emulator.control.add_execution("crowd", count=8, started_ago=[1, 1000])[::-1]
    found, token = await page(api, "limit=2")
    for kind in ("offset", "position", "offset"):
        api.emulator.control.set_readings(page_tokens=kind)
        rows, token = await page(api, "limit=2", token)
        found += rows

    assert (found, token) == (ids, None)


@pytest.mark.parametrize("kind", ["position", "offset"])
async def test_every_page_may_lead_to_itself(api: Any, kind: str) -> None:
    ids = api.emulator.control.add_execution("crowd", count=4, started_ago=[1, 1000])[::-1]
    api.emulator.control.set_readings(page_tokens=kind)
    good = (await page(api, "limit=2"))[1]
    assert api.emulator.control.set_list_faults(repeat_more="every") == ListFaults(repeat_more="every")

    assert await page(api, "limit=2", good) == (ids[2:], good), "the last page too"
    rows, own = await page(api, "limit=2")
    assert rows == ids[:2]
    assert own not in {None, good}
    assert await page(api, "limit=2", own) == (ids[:2], own)
    api.emulator.control.set_list_faults(ListFaults())
    assert await page(api, "limit=2", own) == (ids[:2], good)


@pytest.mark.parametrize(("number", "pages"), [(1, [0, 0, 0, 0]), (2, [0, 1, 1, 1]), (3, [0, 1, 2, 2])])
async def test_one_page_of_a_chain_may_lead_to_itself(api: Any, number: int, pages: list[int]) -> None:
    ids = api.emulator.control.add_execution("crowd", count=6, started_ago=[1, 1000])[::-1]
    faults = await api.door("PUT", "/list-faults", json={"repeat_more": number})
    assert faults.body == {"repeat_more": number, "empty_last": False}

    seen, following = [], None
    for _ in range(4):
        rows, following = await page(api, "limit=2", following)
        seen.append(ids.index(rows[0]) // 2)

    assert seen == pages


@pytest.mark.parametrize("kind", ["position", "offset"])
async def test_the_last_page_may_lead_to_an_empty_one(serve: Any, kind: str) -> None:
    async with serve(Scenario(list_faults=ListFaults(empty_last=True)), readings=Readings(page_tokens=kind)) as api:
        assert await page(api) == ([], None), "without rows there is nothing to go on from"
        ids = api.emulator.control.add_execution("crowd", count=3, started_ago=[1, 1000])[::-1]
        first, following = await page(api, "limit=2")
        second, last = await page(api, "limit=2", following)
        assert (first + second, last is not None) == (ids, True)
        assert await page(api, "limit=2", last) == ([], None)
        assert (await api.door("GET", "/list-faults")).body == {"repeat_more": "never", "empty_last": True}


@pytest.mark.parametrize("wrong", [{"repeat": 1}, {"repeat_more": 0}, {"repeat_more": True}, {"empty_last": "yes"}, {"faults": {}}])
async def test_faults_that_do_not_exist_are_refused(api: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        api.emulator.control.set_list_faults(**wrong)
    assert (await api.door("PUT", "/list-faults", json=wrong)).status == 400


@pytest.mark.parametrize("wrong", [{"list_status_lag": -1}, {"list_lag": "long"}, {"list_status_lag": [1, 2]}])
async def test_lags_that_make_no_sense_are_refused(api: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        api.emulator.control.set_network(**wrong)


@pytest.mark.parametrize("place", [Place(), Place(page=7, offset=600), Place(page=2, before=(1767225600.123, 42))])
def test_a_token_holds_its_place(place: Place) -> None:
    assert parsed(token(place)) == place


class _Row:
    key = (12.5, 3)


@pytest.mark.parametrize(
    ("place", "own", "rows", "ends", "kind", "faults", "expected"),
    [
        (Place(), None, 2, False, "position", ListFaults(), Place(page=2, before=(12.5, 3))),
        (Place(), None, 2, False, "offset", ListFaults(), Place(page=2, offset=2)),
        (Place(page=2, offset=2), "own", 2, False, "offset", ListFaults(), Place(page=3, offset=4)),
        (Place(page=2, offset=2), "own", 2, False, "position", ListFaults(), Place(page=3, before=(12.5, 3))),
        (Place(page=2, before=(13.0, 1)), "own", 2, False, "offset", ListFaults(), Place(page=3, before=(12.5, 3))),
        (Place(), None, 2, True, "position", ListFaults(), None),
        (Place(), None, 2, True, "position", ListFaults(empty_last=True), Place(page=2, before=(12.5, 3))),
        (Place(), None, 0, True, "position", ListFaults(empty_last=True), None),
        (Place(), None, 2, True, "position", ListFaults(repeat_more="every"), Place()),
        (Place(page=2, offset=2), "own", 0, True, "offset", ListFaults(repeat_more=2), "own"),
        (Place(page=2, offset=2), "own", 2, False, "offset", ListFaults(repeat_more=3), Place(page=3, offset=4)),
    ],
)
def test_more(place: Place, own: str | None, rows: int, ends: bool, kind: str, faults: ListFaults, expected: Place | str | None) -> None:
    found = more(place, own, [_Row()] * rows, ends=ends, kind=kind, faults=faults)

    assert found == (token(expected) if isinstance(expected, Place) else expected)
    if isinstance(expected, Place) and expected.page == place.page + 1:
        assert after(place, [_Row()] * rows, kind) == expected
