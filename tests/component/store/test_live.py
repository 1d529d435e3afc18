import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from streamer.domain.errors import Act, Unavailable
from streamer.domain.events import Event, EventName
from streamer.domain.lifecycle import Command
from streamer.store.live import SCHEDULER_LEASE, Live, run_lease
from streamer.store.redis_link import RedisRefused
from tests.component.store.servers import RedisServer
from tests.unit.store.samples import happened

pytestmark = pytest.mark.component


async def until(ready: Callable[[], Awaitable[Any]], seconds: float = 5.0) -> Any:
    """Ask again and again until the answer is true."""
    async with asyncio.timeout(seconds):
        while not (answer := await ready()):  # noqa: ASYNC110 - the answer is Redis's
            await asyncio.sleep(0.01)
    return answer


def event(seq: int, **data: Any) -> Event:
    return happened(seq, EventName.MUTED, **data)


async def raw(redis: RedisServer, *command: Any) -> Any:
    async with Redis.from_url(redis.url) as client:
        answer: Awaitable[Any] = client.execute_command(*command)  # type: ignore[no-untyped-call]
        return await answer


# Events


async def test_events_are_read_on_from_where_one_was(live: Live) -> None:
    assert await live.last_event_id() == "0-0"
    ids = [await live.publish(event(i, by="Ә")) for i in (1, 2, 3)]
    assert await live.last_event_id() == ids[-1]
    assert await live.events("0-0", 0) == [(ids[i], event(i + 1, by="Ә")) for i in range(3)]
    assert [e.seq for _, e in await live.events(ids[0], 0, count=1)] == [2]
    assert await live.events(ids[2], 0) == []


async def test_a_reader_is_woken_by_an_event_and_otherwise_waits_no_longer_than_said(
    live: Live,
) -> None:
    began = time.monotonic()
    assert await live.events(block_ms=100) == []
    assert 0.09 < time.monotonic() - began < 1.5
    waiting = asyncio.create_task(live.events(block_ms=20_000), name="reader")
    # `$` counts from when the read begins, so say it until somebody hears.
    await until(lambda: _said(live, waiting))
    assert (await waiting)[0][1].name is EventName.MUTED


async def _said(live: Live, waiting: asyncio.Task[Any]) -> bool:
    await live.publish(event(1))
    return waiting.done()


async def test_torn_and_unknown_events_are_passed_over(live: Live, redis: RedisServer) -> None:
    whole = event(1).to_json()
    for wrong in (whole[:-5], '"x"', "{}", whole.replace("muted", "danced"), "\xff"):
        await raw(redis, "XADD", "streamer:events", "*", "event", wrong)
    await raw(redis, "XADD", "streamer:events", "*", "other", "field")
    began = time.monotonic()
    assert await live.events("0-0", block_ms=100) == []
    assert time.monotonic() - began > 0.09  # it waited behind them, so nobody spins
    last = await live.publish(event(2, text="a\udcffb"))
    assert await live.events("0-0", 0) == [(last, event(2, text="a\udcffb"))]
    assert [e.seq for _, e in await live.read_projection("p1", 0)] == [2]
    pending = await raw(redis, "XPENDING", "streamer:events", "projection")
    assert pending["pending"] == 1  # the unreadable ones are done with


async def test_old_events_leave_redis(live: Live, redis: RedisServer) -> None:
    async with Redis.from_url(redis.url) as client:
        pipe = client.pipeline(transaction=False)
        for _ in range(101_000):
            pipe.xadd("streamer:events", {"event": "{}"})
        await pipe.execute()
    await live.publish(event(1))
    assert 100_000 <= await raw(redis, "XLEN", "streamer:events") < 100_500


# Projection


async def test_an_event_is_delivered_until_it_is_acknowledged(live: Live) -> None:
    for i in (1, 2):
        await live.publish(event(i))
    first = await live.read_projection("p1", 0)
    assert [e.seq for _, e in first] == [1, 2]  # what was there before the group counts too
    assert await live.read_projection("p1", 0) == first
    await live.ack_projection([first[0][0]])
    assert await live.read_projection("p1", 0) == first[1:]
    await live.ack_projection([first[1][0]])
    await live.ack_projection([])
    assert await live.read_projection("p1", 10) == []


async def test_the_events_of_a_dead_projector_are_taken_over(live: Live) -> None:
    for i in range(30):
        await live.publish(event(i))
    first = await live.read_projection("dead", 0)
    assert await live.read_projection("alive", 0) == []  # not idle for long enough yet
    taken = await until(lambda: live.read_projection("alive", 0, min_idle_ms=50))
    assert taken == first
    await live.ack_projection(i for i, _ in taken)
    assert await live.read_projection("dead", 0) == []


async def test_events_that_left_redis_while_pending_hold_nothing_up(
    live: Live, redis: RedisServer
) -> None:
    await live.publish(event(1))
    await live.read_projection("p1", 0)
    await raw(redis, "XTRIM", "streamer:events", "MAXLEN", "0")
    assert await live.read_projection("p1", 0) == []
    await live.publish(event(2))
    assert [e.seq for _, e in await live.read_projection("p1", 0)] == [2]
    assert await live.read_projection("p2", 0, min_idle_ms=0) != []


async def test_an_emptied_redis_gets_its_groups_again(live: Live, redis: RedisServer) -> None:
    await live.publish(event(1))
    assert await live.read_projection("p1", 0)
    assert await live.take_work("w1", 0, 1000) is None
    await raw(redis, "FLUSHALL")
    await raw(redis, "SCRIPT", "FLUSH")
    await live.publish(event(2))
    assert [e.seq for _, e in await live.read_projection("p1", 0)] == [2]
    await live.offer_work("m1")
    assert await live.take_work("w1", 0, 1000) is not None


# Commands


async def test_a_command_reaches_the_run(live: Live, redis: RedisServer) -> None:
    id_ = await live.send("m1", Command.TAKE_SCENE, {"scene": "site:Қ"}, by="aigul")
    await raw(redis, "XADD", "streamer:meeting:m1:commands", "*", "id", "1", "command", "dance",
              "args", "{}", "by", "x")  # fmt: skip
    await raw(redis, "XADD", "streamer:meeting:m1:commands", "*", "id", "1", "command", "end",
              "args", "[]", "by", "x")  # fmt: skip
    second = await live.send("m1", Command.END, {}, by="aigul")
    (at, first), (after, last) = await live.commands("m1", block_ms=0)
    assert (first.id, first.command, first.args, first.by) == (
        id_, Command.TAKE_SCENE, {"scene": "site:Қ"}, "aigul",
    )  # fmt: skip
    assert (last.id, last.command) == (second, Command.END)
    assert await live.commands("m1", at, block_ms=0) == [(after, last)]
    assert await live.commands("m1", after, block_ms=10) == []
    assert await live.commands("m2", block_ms=0) == []
    assert await raw(redis, "TTL", "streamer:meeting:m1:commands") > 29 * 24 * 3600


# What a run shows and is given


async def test_snapshots_previews_and_specifications(live: Live, redis: RedisServer) -> None:
    assert await live.snapshot("m1") is None
    assert await live.snapshots() == []
    assert await live.preview("m1") is None
    assert await live.spec("m1") is None
    for id_ in ("m2", "m1"):
        await live.put_snapshot(id_, {"meeting": id_, "state": "LIVE", "name": "Ә\udcff"})
    assert await live.snapshot("m1") == {"meeting": "m1", "state": "LIVE", "name": "Ә\udcff"}
    assert [s["meeting"] for s in await live.snapshots()] == ["m1", "m2"]
    jpeg = b"\xff\xd8\x00\xff\xd9"
    await live.put_preview("m1", jpeg)
    assert await live.preview("m1") == jpeg
    await live.put_spec("m1", '{"title":"Қ"}')
    assert await live.spec("m1") == '{"title":"Қ"}'
    assert 0 < await raw(redis, "PTTL", "streamer:meeting:m1:preview") <= 10_000
    assert 0 < await raw(redis, "TTL", "streamer:meeting:m1:live") <= 24 * 3600
    await raw(redis, "SET", "streamer:meeting:m1:live", '{"torn')
    await raw(redis, "SET", "streamer:meeting:m3:live", "[]")
    assert await live.snapshot("m1") is None
    assert [s["meeting"] for s in await live.snapshots()] == ["m2"]


# Work


async def test_a_meeting_is_offered_and_claimed_once(live: Live) -> None:
    for _ in range(3):
        await live.offer_work("m1")
    taken = await live.take_work("w1", 0, 10_000)
    assert taken is not None
    assert taken[1] == "m1"
    await live.offer_work("m1")  # a worker has it already
    assert await live.take_work("w2", 20, 10_000) is None
    await live.finish_work(taken[0])
    await live.finish_work(taken[0])
    assert await live.take_work("w2", 0, 0) is None
    await live.offer_work("m1")
    again = await live.take_work("w2", 0, 10_000)
    assert again is not None
    assert again[0] != taken[0]


async def test_many_workers_share_many_meetings(live: Live) -> None:
    for i in range(20):
        await live.offer_work(f"m{i}")
    taken = await asyncio.gather(*(live.take_work(f"w{i}", 100, 10_000) for i in range(25)))
    assert sorted(t[1] for t in taken if t) == sorted(f"m{i}" for i in range(20))


async def test_the_meeting_of_a_dead_worker_is_taken_over(live: Live) -> None:
    # Many others are held by living workers: the idle one is found behind them.
    held = []
    for i in range(40):
        await live.offer_work(f"m{i}")
        held.append(await live.take_work("w1", 0, 60_000))
    dead = held[-1]
    assert dead is not None

    async def taken() -> Any:
        for message in held[:-1]:
            assert message is not None
            assert await live.touch_work("w1", message[0])
        return await live.take_work("w2", 0, 1000)

    assert await until(taken, 20) == dead
    assert not await live.touch_work("w1", dead[0])  # it is not his any more
    assert await live.touch_work("w2", dead[0])
    await live.finish_work(dead[0])
    assert not await live.touch_work("w2", dead[0])


async def test_touching_what_never_was_is_no_claim(live: Live) -> None:
    assert not await live.touch_work("w1", "1-1")
    await live.offer_work("m1")
    assert not await live.touch_work("w1", "1-1")  # nobody has taken anything yet
    assert await live.take_work("w1", 0, 1000)
    assert not await live.touch_work("w1", "1-1")


async def test_unreadable_work_is_thrown_away(live: Live, redis: RedisServer) -> None:
    await raw(redis, "XADD", "streamer:work", "*", "other", "field")
    await live.offer_work("m1")
    assert await live.take_work("w1", 0, 1000) is None
    assert (await live.take_work("w1", 0, 1000) or ("", ""))[1] == "m1"
    assert await raw(redis, "XLEN", "streamer:work") == 1


# Leases and workers


async def test_a_lease_has_one_owner_and_lapses(live: Live) -> None:
    key = run_lease("m1")
    assert key == "meeting:m1:lease"
    assert await live.lease_owner(key) is None
    won = await asyncio.gather(*(live.lease(key, f"r{i}", 300) for i in range(10)))
    assert sum(won) == 1
    owner = f"r{won.index(True)}"
    assert await live.lease_owner(key) == owner
    assert await live.lease(key, owner, 300)
    assert not await live.release(key, "other")
    assert await live.lease_owner(key) == owner
    await until(lambda: live.lease(key, "next", 5000))  # once the first no longer renews it
    assert not await live.lease(key, owner, 300)
    assert await live.release(key, "next")
    assert not await live.release(key, "next")
    assert await live.lease(SCHEDULER_LEASE, "s1", 300)


async def test_workers_are_those_that_lived_lately(live: Live, redis: RedisServer) -> None:
    await live.heartbeat("w2", {"capacity": 4})
    await live.heartbeat("w1", {"capacity": 2, "meetings": ["m1"]})
    w1, w2 = await live.workers()
    assert (w1["worker"], w1["capacity"], w2["worker"]) == ("w1", 2, "w2")
    assert abs(time.time() - w1["at"]) < 5
    assert 0 < await raw(redis, "PTTL", "streamer:worker:w1") <= 10_000
    await raw(redis, "DEL", "streamer:worker:w1")
    assert [w["worker"] for w in await live.workers()] == ["w2"]


# Faults


async def all_calls(live: Live) -> list[str]:
    """Make every call once; the names of those that were Unavailable."""
    calls: dict[str, Awaitable[Any]] = {
        "ping": live.ping(), "publish": live.publish(event(1)), "tail": live.last_event_id(),
        "events": live.events("0-0", 10), "projection": live.read_projection("p", 10),
        "ack": live.ack_projection(["1-1"]), "send": live.send("m", Command.END, {}, "x"),
        "commands": live.commands("m", "0", 10), "put_snapshot": live.put_snapshot("m", {}),
        "snapshot": live.snapshot("m"), "snapshots": live.snapshots(),
        "put_preview": live.put_preview("m", b""), "preview": live.preview("m"),
        "put_spec": live.put_spec("m", "{}"), "spec": live.spec("m"), "offer": live.offer_work("m"),
        "take": live.take_work("w", 10, 1000), "finish": live.finish_work("1-1"),
        "touch": live.touch_work("w", "1-1"), "lease": live.lease("k", "o", 100),
        "release": live.release("k", "o"), "owner": live.lease_owner("k"),
        "heartbeat": live.heartbeat("w", {}), "workers": live.workers(),
        "put_meters": live.put_meters("m", {}), "meters": live.meters(["m"]),
        "say_watched": live.say_watched("m"), "watched": live.watched("m"),
    }  # fmt: skip
    results = await asyncio.gather(*calls.values(), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Unavailable):
            raise result
    return [n for n, r in zip(calls, results, strict=True) if isinstance(r, Unavailable)]


async def test_a_redis_that_is_killed_is_unavailable_and_works_again(
    live: Live, redis: RedisServer
) -> None:
    assert await all_calls(live) == []
    await live.publish(event(7))
    waiting = asyncio.create_task(live.events(block_ms=30_000), name="reader")
    await until(lambda: raw(redis, "CLIENT", "LIST", "TYPE", "normal"))
    await asyncio.to_thread(redis.kill)
    with pytest.raises(Unavailable):
        await waiting
    for _ in range(2):
        assert len(await all_calls(live)) == 28
    await asyncio.to_thread(redis.start)
    assert await all_calls(live) == []
    assert 7 in [e.seq for _, e in await live.events("0-0", 0)]  # what was said is still there


async def test_a_redis_that_hangs_costs_no_more_than_the_deadline(
    live: Live, redis: RedisServer
) -> None:
    assert await all_calls(live) == []
    redis.tell(signal.SIGSTOP)
    began = time.monotonic()
    assert len(await all_calls(live)) == 28
    assert time.monotonic() - began < 6  # 2 s, and what a busy machine adds
    redis.tell(signal.SIGCONT)
    # No late answer of before is taken for the answer of now.
    await live.put_snapshot("m9", {"meeting": "m9"})
    for _ in range(20):
        assert await live.snapshot("m9") == {"meeting": "m9"}
        assert await live.lease_owner("nobody") is None
    assert await all_calls(live) == []


async def test_a_redis_that_cannot_write_is_unavailable(live: Live, redis: RedisServer) -> None:
    await raw(redis, "CONFIG", "SET", "maxmemory", "1")
    failed = await all_calls(live)
    assert {"publish", "send", "put_snapshot", "put_spec", "offer", "lease"} <= set(failed)
    assert "ping" not in failed
    await raw(redis, "CONFIG", "SET", "maxmemory", "0")
    assert await all_calls(live) == []


async def test_a_refused_password_is_for_a_person_to_correct(redis: RedisServer) -> None:
    await raw(redis, "CONFIG", "SET", "requirepass", "right")
    wrong = Live.from_url(redis.url.replace("unix://", "unix://:canary@"))
    with pytest.raises(RedisRefused) as caught:
        await wrong.ping()
    assert caught.value.act is Act.CORRECT_SETTING
    assert "canary" not in json.dumps(caught.value.as_dict())
    await wrong.close()


async def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="Redis URL"):
        Live.from_url("htp://nowhere")
