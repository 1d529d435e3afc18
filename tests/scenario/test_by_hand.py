"""A person runs meetings by the API: every command, and what is refused says what is possible."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import pytest

from tests.scenario.house import House, Recorded
from tests.scenario.world import Client, until, wall

pytestmark = [
    pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)
]  # fmt: skip


async def refused(client: Client, meeting: str, command: str, **args: Any) -> list[str]:
    """Send a command that is not possible; what the answer says is possible instead."""
    status, answer = await client.command(meeting, command, **args)
    assert (status, answer["error"]["code"]) == (409, "not_allowed"), answer
    assert answer["error"]["act"] == "correct_setting"
    for possible in answer["allowed"]:
        assert possible in answer["error"]["message"]
    return list(answer["allowed"])


async def scene_is(client: Client, meeting: str, shown: str) -> None:
    async def it_is() -> bool:
        return bool((await client.live(meeting))["scene"]["shown"] == shown)

    await until(it_is, 15, f"the scene is {shown}")


async def test_a_person_runs_a_meeting_from_plan_to_archive(house: House) -> None:
    client = house.client
    meeting = await client.plan_in(3600, 3600, destinations=["first", "second"])
    assert await refused(client, meeting, "go_live") == ["prepare", "cancel", "postpone"]
    await client.command(meeting, "prepare")
    await client.reaches(meeting, "PREPARING")
    await house.stage.hall.start()
    await until(lambda: _has_run(client, meeting), 20, "a run has the meeting")
    assert await refused(client, meeting, "end") == ["line_up", "cancel", "postpone"]

    await client.does(meeting, "line_up")
    await client.reaches(meeting, "LINE_UP")
    assert "go_live" in await refused(client, meeting, "prepare")
    await client.leg_runs(meeting, "relay:first")
    await client.does(meeting, "go_live")
    await client.reaches(meeting, "LIVE")
    await client.leg_runs(meeting, "feed:hall")
    await scene_is(client, meeting, "hall")
    await client.does(meeting, "slate")
    await scene_is(client, meeting, "slate")
    await client.does(meeting, "take_scene", scene="hall")
    await scene_is(client, meeting, "hall")
    await client.does(meeting, "mute", muted=True)
    await until(lambda: _muted(client, meeting), 5, "the sound is off")
    await client.does(meeting, "mute", muted=False)
    await _restarts(client, meeting, "relay:second")
    await _refuses_what_is_not_there(client, meeting)
    assert await refused(client, meeting, "cancel") == [
        "end", "slate", "take_scene", "mute", "restart_leg", "give_floor", "take_floor_back",
        "graphics", "sound",
    ]  # fmt: skip
    await client.does(meeting, "end", reason="the questions are answered")
    await client.reaches(meeting, "ARCHIVED", 60)
    assert await refused(client, meeting, "end") == []
    await house.stage.hall.stop()

    recorded = await asyncio.to_thread(Recorded.of, house.folder(meeting))
    moves = recorded.named("meeting_state_changed")
    assert {move["data"]["by"] for move in moves[1:4]} == {"token:scenario"}
    assert [m["data"]["muted"] for m in recorded.named("muted")] == [True, False]
    assert len(recorded.named("relay_connected")) == 3
    assert await house.keys_found(meeting) == set()


async def _muted(client: Client, meeting: str) -> bool:
    return bool((await client.live(meeting))["scene"]["muted"])


async def _has_run(client: Client, meeting: str) -> bool:
    return bool((await client.live(meeting))["legs"])


async def _restarts(client: Client, meeting: str, leg: str) -> None:
    before = await client.leg_runs(meeting, leg)
    await client.does(meeting, "restart_leg", leg=leg)

    async def again() -> bool:
        found = (await client.legs(meeting))[leg]
        return bool(found["tries"] == before["tries"] + 1 and found["health"] == "green")

    await until(again, 20, f"{leg} runs again")


async def _refuses_what_is_not_there(client: Client, meeting: str) -> None:
    """What the run itself must refuse is answered in the as-run log."""
    for command, args, code, word in (
        ("restart_leg", {"leg": "relay:tiktok"}, "unknown_leg", "relay:first"),
        ("take_scene", {"scene": "moon"}, "unknown_scene", "hall"),
        ("take_scene", {"scene": "site:moon"}, "unknown_site", "moon"),
        ("give_floor", {"site": "kurchatov"}, "no_link", "conference link"),
    ):
        status, answer = await client.command(meeting, command, **args)
        assert status == 202, answer
        look = partial(_refusal, client, meeting, answer["command_id"])
        error = await until(look, 15, command)
        assert code in (None, error["code"]), error
        assert word in error["message"], error
    status, answer = await client.command(meeting, "mute")
    assert (status, answer["error"]["code"]) == (422, "wrong_fields")


async def _refusal(client: Client, meeting: str, id_: str) -> dict[str, Any] | None:
    events = await client.as_run(meeting)
    return next(
        (e["data"]["error"] for e in events
         if e["name"] == "command_refused" and e["data"]["id"] == id_), None,
    )  # fmt: skip


async def test_cancelled_in_line_up_everything_closes(house: House) -> None:
    client = house.client
    meeting = await client.plan_in(3600, 600, destinations=["first"])
    await client.command(meeting, "prepare")
    await until(lambda: _has_run(client, meeting), 20, "a run has the meeting")
    await client.does(meeting, "line_up")
    await client.reaches(meeting, "LINE_UP")
    await client.leg_runs(meeting, "relay:first")
    await client.does(meeting, "cancel", reason="the akim is ill")
    await client.reaches(meeting, "CANCELLED")
    assert await refused(client, meeting, "go_live") == []

    async def run_is_gone() -> bool:
        names = [e["name"] for e in await client.as_run(meeting)]
        return "run_finished" in names

    await until(run_is_gone, 30, "the run of a cancelled meeting ends")
    status, _ = await client.ask("GET", f"/api/archive/meetings/{meeting}")
    assert status == 404, "a meeting that did not take place is not in the archive"


async def test_postponed_and_planned_again_it_takes_place(house: House) -> None:
    client = house.client
    meeting = await client.plan_in(3600, 600, destinations=["first"])
    status, _ = await client.command(meeting, "postpone", reason="snow storm")
    assert status == 202
    await client.reaches(meeting, "POSTPONED", 10)
    assert (await client.meeting(meeting))["reason"] == "snow storm"
    assert await refused(client, meeting, "prepare") == ["cancel"]
    start = time.time() + 3
    status, answer = await client.ask(
        "PATCH", f"/api/meetings/{meeting}", {"starts": wall(start), "end_by_schedule": False}
    )
    assert (status, answer["state"]) == (200, "PLANNED"), answer
    await client.reaches(meeting, "LIVE", 30)
    await client.does(meeting, "end")
    await client.reaches(meeting, "ARCHIVED", 60)
