"""Relays to real and to faulty servers: what arrives, who must act, and nobody pays for another."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from streamer.demo.accounts import Account
from streamer.demo.measure import timestamps
from streamer.domain.errors import Act
from streamer.domain.legs import LegState
from streamer.domain.reconnect import Reconnect
from streamer.media.leg import Leg
from tests.component.media.stage import Stage, accounts, all_argv, given, stage, until
from tests.standins.rtmp_sink import Mode, RtmpSink

pytestmark = pytest.mark.component


async def all_arrived(it: Stage, account: Account, leg: Leg, at_least: int = 25) -> None:
    """Not one frame is missing between the first and the last one that arrived, nor at the end."""
    delivery = await it.delivered(account)
    assert (delivery.lost, delivery.foreign, delivery.duplicated) == (0, 0, 0), delivery
    assert delivery.received >= at_least
    assert leg.tries == 1
    (recording,) = account.recordings()
    assert timestamps(recording)["video"].monotonic


async def test_every_frame_arrives_also_by_tls_and_no_key_is_seen(
    tmp_path: Path, film: Path
) -> None:
    async with (
        stage(tmp_path) as it,
        accounts(tmp_path, "plain") as (plain,),
        accounts(tmp_path, "tls", tls=True) as (secure,),
    ):
        it.master()
        first = it.relay("plain", given(plain.url))
        second = it.relay("tls", given(secure.url, ca_file=secure.certificate))
        untrusted = it.relay("untrusted", given(secure.url))
        wrong = it.relay("wrong", given(f"{plain.address}/quiet-wrong-7391"))
        await it.play(film)
        await it.running(first, second)
        await until(lambda: untrusted.state is LegState.FAILED)
        await until(lambda: suspected(it, wrong))
        refused = wrong.tries
        await until(lambda: wrong.tries > refused)  # a guess ends nothing: it goes on trying
        await it.moves_on(first)
        assert await asyncio.to_thread(all_argv, "quiet-") == []
        await it.finish()

        await all_arrived(it, plain, first)
        await all_arrived(it, secure, second)
        assert untrusted.act is Act.CORRECT_SETTING, untrusted.error
        # The server hangs up without a word: after three times in a row a person is asked.
        assert refused == 3
        assert [publish.accepted for publish in plain.publishes].count(False) >= 3
        assert LegState.FAILED not in it.states(wrong)
        assert untrusted.tries == 1
        for change in it.changes:
            assert "7391" not in f"{change.status.error}{change.status.target}"
        assert {leg_id for leg_id, _ in it.connected} == {first.id, second.id}


def suspected(it: Stage, leg: Leg) -> bool:
    """Whether it waits for its next try and asks a person to look at the key."""
    return any(
        c.status.id == leg.id and c.status.state is LegState.BACKING_OFF
        and c.status.act is Act.SIGN_IN
        for c in it.changes
    )  # fmt: skip


def last_moved_before_stall(it: Stage, leg: Leg) -> float:
    """Seconds from the last movement to the moment the leg is STALLED."""
    change = next(
        c for c in it.changes if c.status.id == leg.id and c.status.state is LegState.STALLED
    )
    assert change.status.moved_at is not None
    return change.status.since - change.status.moved_at


async def test_servers_that_fail_cost_the_others_nothing(tmp_path: Path, film: Path) -> None:
    """Promise 1, and promise 2: a silent stall is red within ten seconds."""
    modes = [Mode.REFUSE, Mode.CLOSE_ACCEPT, Mode.REJECT_CONNECT, Mode.BADNAME, Mode.STALL]
    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(stage(tmp_path))
        good, frozen = await stack.enter_async_context(accounts(tmp_path, "good", "frozen"))
        it.master()
        healthy = it.relay("good", given(good.url))
        ice = it.relay("frozen", given(frozen.url))
        await it.play(film)
        await it.running(healthy, ice)
        bad = {}
        for mode in modes:
            sink = await stack.enter_async_context(RtmpSink(mode))
            bad[mode] = it.relay(str(mode), given(sink.url), stall_s=8.0)
        # The window of a young connection still grows for a while after its program has stopped.
        await it.moves_on(ice, 800_000)
        frozen.freeze()

        ice_took = await until(lambda: LegState.STALLED in it.states(ice), 20)
        await until(lambda: LegState.STALLED in it.states(bad[Mode.STALL]), 20)
        await it.moves_on(healthy)
        frozen.thaw()
        await it.running(ice)
        await it.finish()

        assert ice_took <= 10
        assert last_moved_before_stall(it, bad[Mode.STALL]) <= 10
        await all_arrived(it, good, healthy)
        reasons = {mode: leg.error for mode, leg in bad.items()}
        assert bad[Mode.BADNAME].act is Act.SIGN_IN, reasons
        assert bad[Mode.REJECT_CONNECT].act is Act.SIGN_IN, reasons
        assert bad[Mode.REFUSE].act is Act.WAIT, reasons
        assert bad[Mode.REFUSE].tries > 2
        assert LegState.FAILED not in it.states(bad[Mode.CLOSE_ACCEPT]), reasons
        stalls = [end for leg_id, end in it.ends if leg_id == ice.id]
        assert stalls[0].outcome.reason == "nothing moved for 8 s"


async def test_a_slow_server_is_skipped_ahead_and_its_neighbour_is_not(
    tmp_path: Path, film: Path
) -> None:
    async with (
        stage(tmp_path) as it,
        accounts(tmp_path, "good") as (good,),
        RtmpSink(Mode.HALF_SPEED, rate=100_000) as sink,
    ):
        it.master()
        healthy, slow = it.relay("good", given(good.url)), it.relay("slow", given(sink.url))
        await it.play(film, speed=1)
        await it.running(healthy, slow)
        await it.stop_film()
        await it.play(film, speed=8)
        note = next(s.note for s in it.hub._subscribers.values() if s.note.name == slow.id)
        await until(lambda: note.skips > 0)
        assert note.waiting <= 4_300_000
        await it.finish()

        delivery = await it.delivered(good)
        assert (delivery.lost, delivery.foreign) == (0, 0)
        assert sink.pushes[0].monotonic
        assert slow.tries == 1  # it was slow, not lost


async def test_what_is_lost_comes_back_and_the_others_never_notice(
    tmp_path: Path, film: Path
) -> None:
    async with (
        stage(tmp_path) as it,
        accounts(tmp_path, "away", "killed", "good") as (away, killed, good),
        RtmpSink(Mode.RESET) as resetting,
    ):
        it.master()
        legs = [it.relay(account.name, given(account.url)) for account in (away, killed, good)]
        resets = it.relay("reset", given(resetting.url))
        await it.play(film)
        await it.running(*legs)
        await until(lambda: resets.tries > 1)
        await resetting.switch(Mode.OK)
        resets.restart()
        await away.stop()
        assert legs[1].pid
        os.kill(legs[1].pid, signal.SIGKILL)
        await until(lambda: legs[0].tries > 2)
        assert legs[0].act is not Act.SIGN_IN
        await away.start()
        await it.running(*legs, resets)
        for leg in legs:
            await it.moves_on(leg)
        await it.finish()

        await all_arrived(it, good, legs[2])
        assert [len(a.recordings()) for a in (away, killed)] == [2, 2]
        for account in (away, killed):
            delivery = await it.delivered(account)
            # Lost is only what fell into the outage; behind it nothing is missing.
            assert len(delivery.missing) <= 1
            assert delivery.foreign == 0
        assert legs[1].tries == 2
        assert "killed" in next(e.outcome.reason for i, e in it.ends if i == legs[1].id)


async def test_the_backup_takes_over_at_the_second_failure(tmp_path: Path, film: Path) -> None:
    async with (
        stage(tmp_path) as it,
        accounts(tmp_path, "backup") as (backup,),
        RtmpSink(Mode.REFUSE) as primary,
    ):
        leg = it.relay(
            "x", given(primary.url), given(backup.url, backup=True),
            reconnect=Reconnect(pauses=(0.0, 0.1)),
        )  # fmt: skip
        await it.play(film)
        await it.running(leg)
        assert leg.tries == 3
        assert leg.detail == "backup"
        assert [address.backup for _, address in it.connected] == [True]
        # Back to the first address when the second one fails twice.
        await primary.switch(Mode.OK)
        await backup.stop()
        await primary.until(lambda s: bool(s.pushes) and s.pushes[0].bytes > 50_000, timeout=30)
        assert leg.detail == ""
