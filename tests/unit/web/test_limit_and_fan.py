"""The limit on sign-ins, and the bounded queue of a page that listens."""

import asyncio

import pytest

from streamer.web.auth import SignInLimit
from streamer.web.fan import QUEUE, Subscriber
from streamer.web.faults import TooManyTries


def test_the_limit_is_per_name_and_address_and_runs_out() -> None:
    now = [0.0]
    limit = SignInLimit(allowed=3, window_s=60, clock=lambda: now[0])
    for _ in range(3):
        limit.check("a", "aru")
        limit.failed("a", "aru")
    with pytest.raises(TooManyTries) as refused:
        limit.check("a", "aru")
    assert refused.value.tried["seconds"] == 61
    limit.check("b", "aru")
    limit.check("a", "dana")
    now[0] = 61
    limit.check("a", "aru")


def test_a_sweep_over_names_from_one_address_is_limited() -> None:
    limit = SignInLimit(allowed=3, window_s=60, clock=lambda: 0.0)
    for number in range(12):
        limit.check("a", f"name{number}")
        limit.failed("a", f"name{number}")
    with pytest.raises(TooManyTries):
        limit.check("a", "another")


def test_signing_in_forgives_the_failures_before() -> None:
    limit = SignInLimit(allowed=2, clock=lambda: 0.0)
    limit.failed("a", "aru")
    limit.succeeded("a", "aru")
    limit.failed("a", "aru")
    limit.check("a", "aru")


async def test_events_come_in_order_before_the_snapshot() -> None:
    page = Subscriber("m")
    page.show({"state": "LIVE"})
    page.put(("as_run", {"seq": 1}))
    page.put(("as_run", {"seq": 2}))
    got = [await page.next(1) for _ in range(3)]
    assert got == [("as_run", {"seq": 1}), ("as_run", {"seq": 2}), ("live", {"state": "LIVE"})]


async def test_only_the_newest_snapshot_waits_and_only_when_it_says_something_new() -> None:
    page = Subscriber("m")
    page.show({"state": "LINE_UP", "now": 1.0, "stale_s": 0.1})
    page.show({"state": "LIVE", "now": 2.0, "stale_s": 0.2})
    assert await page.next(1) == ("live", {"state": "LIVE", "now": 2.0, "stale_s": 0.2})
    page.show({"state": "LIVE", "now": 3.0, "stale_s": 1.2})
    assert await page.next(0.01) is None, "the clock alone is no news"
    page.show({"state": "LIVE", "now": 9.0, "stale_s": 7.0})
    assert await page.next(1) is not None, "a run that fell silent is"


async def test_a_page_that_reads_too_slowly_is_cut_off() -> None:
    page = Subscriber("m")
    for seq in range(QUEUE):
        page.put(("as_run", {"seq": seq}))
    assert not page.closed
    page.put(("as_run", {"seq": QUEUE}))
    assert page.closed
    assert await page.next(1) is None


async def test_a_waiting_page_is_woken() -> None:
    page = Subscriber("m")
    task = asyncio.create_task(page.next(10), name="page")
    await asyncio.sleep(0)
    page.put(("as_run", {"seq": 1}))
    async with asyncio.timeout(1):
        assert await task == ("as_run", {"seq": 1})
