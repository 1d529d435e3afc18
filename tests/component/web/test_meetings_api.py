"""The API of meetings over HTTP, with real stores."""

from typing import Any

import pytest

from streamer.domain.meeting import MeetingState
from streamer.domain.roles import Role
from tests.component.web.world import Client, World, bearer, sign_in

pytestmark = pytest.mark.component

PLAN: dict[str, Any] = {
    "region": "abai", "title": {"kk": "Есеп", "ru": "Отчёт"}, "starts": "2127-02-19T10:00",
    "ends": 120,
}  # fmt: skip


async def post(client: Client, token: str, path: str, body: object) -> tuple[int, Any]:
    async with client.post(path, json=body, headers=bearer(token)) as answer:
        return answer.status, await answer.json()


async def patch(client: Client, token: str, path: str, body: object) -> tuple[int, Any]:
    async with client.patch(path, json=body, headers=bearer(token)) as answer:
        return answer.status, await answer.json()


async def get(client: Client, token: str, path: str) -> tuple[int, Any]:
    async with client.get(path, headers=bearer(token)) as answer:
        return answer.status, await answer.json()


async def test_a_meeting_is_planned_and_read_back(client: Client, token: str) -> None:
    status, made = await post(client, token, "/api/meetings", PLAN)
    assert status == 201, made
    assert made["id"].startswith("2127-02-19-abai-")
    assert made["starts_at"] == "2127-02-19T05:00:00+00:00"
    assert made["ends_at"] == "2127-02-19T07:00:00+00:00"
    assert made["destinations"] == ["youtube", "facebook"]
    assert made["state"] == "PLANNED"
    assert (await get(client, token, f"/api/meetings/{made['id']}"))[1]["id"] == made["id"]
    status, listed = await get(client, token, "/api/meetings?region=abai&state=PLANNED")
    assert [one["id"] for one in listed["meetings"]] == [made["id"]]
    assert (await get(client, token, "/api/meetings?state=LIVE"))[1] == {"meetings": []}


@pytest.mark.parametrize(
    ("change", "status", "code", "says"),
    [
        ({"region": "abia"}, 422, "unknown_region", "did you mean abai?"),
        ({"starts": "19.02.2127 10:00"}, 422, "wrong_date", "starts: "),
        ({"starts": "2127-02-30T10:00"}, 422, "wrong_date", "does not exist|that exists"),
        ({"ends": "2127-02-19T09:00"}, 422, "end_before_start", "ends: "),
        ({"ends": 0}, 422, "end_before_start", "1 to 1440"),
        ({"ends": 1441}, 422, "too_long", "1 to 1440"),
        ({"starts": "2020-02-19T10:00"}, 422, "in_the_past", "check the year"),
        ({"destinations": ["tiktok"]}, 422, "unknown_destination", "possible for abai: youtube"),
        ({"destinations": ["vk"]}, 422, "destination_disabled", "switched off"),
        ({"hall": "attic"}, 422, "unknown_hall", "possible: main"),
        ({"title": {"kk": "Есеп"}}, 422, "wrong_fields", "title.ru: is missing"),
        ({"titel": 1}, 422, "wrong_fields", "titel: is not known; known here: region"),
        ({"starts": None}, 422, "wrong_fields", "starts: "),
    ],
)
async def test_bad_input_names_the_field_and_what_is_right(
    client: Client, token: str, change: dict[str, Any], status: int, code: str, says: str
) -> None:
    got, body = await post(client, token, "/api/meetings", {**PLAN, **change})
    assert got == status, body
    assert body["error"]["code"] == code
    assert body["error"]["act"] == "correct_setting"
    assert any(part in body["error"]["message"] for part in says.split("|")), body


async def test_a_body_that_is_not_json_is_refused(client: Client, token: str) -> None:
    async with client.post("/api/meetings", data="hello", headers=bearer(token)) as answer:
        assert answer.status == 422
        assert (await answer.json())["error"]["code"] == "not_json"


async def test_a_body_too_large_is_refused(client: Client, token: str) -> None:
    async with client.post("/api/meetings", data="x" * 70_000, headers=bearer(token)) as answer:
        assert answer.status == 413
        assert (await answer.json())["error"]["code"] == "too_large"


async def test_an_account_cannot_be_in_two_meetings(client: Client, token: str) -> None:
    _, first = await post(client, token, "/api/meetings", {**PLAN, "destinations": ["youtube"]})
    later = {**PLAN, "starts": "2127-02-19T11:00", "destinations": ["youtube"]}
    status, body = await post(client, token, "/api/meetings", later)
    assert status == 409
    assert body["error"]["code"] in ("account_busy", "hall_busy")
    assert first["id"] in body["error"]["message"]


async def test_a_new_date_leaves_postponed_in_the_history(
    client: Client, token: str, world: World
) -> None:
    _, made = await post(client, token, "/api/meetings", PLAN)
    path = f"/api/meetings/{made['id']}"
    status, moved = await patch(client, token, path, {"starts": "2127-02-26T11:00"})
    assert (status, moved["state"]) == (200, "PLANNED")
    assert moved["starts_at"] == "2127-02-26T06:00:00+00:00"
    assert moved["ends_at"] == "2127-02-26T08:00:00+00:00", "the length stays"
    rows = await world.records.audit_log()
    said = [(row.detail.get("from"), row.detail.get("to")) for row in rows]
    assert ("PLANNED", "POSTPONED") in said
    assert ("POSTPONED", "PLANNED") in said


async def test_a_postponed_meeting_becomes_planned_by_a_new_date(
    client: Client, token: str, world: World
) -> None:
    await world.meeting(state=MeetingState.POSTPONED)
    path = "/api/meetings/2027-02-19-abai-k3f9"
    status, body = await patch(client, token, path, {"speaker": "Ә. Кім"})
    assert (status, body["state"], body["speaker"]) == (200, "POSTPONED", "Ә. Кім")
    status, body = await patch(client, token, path, {"starts": "2127-03-01T10:00"})
    assert (status, body["state"]) == (200, "PLANNED")


async def test_the_plan_is_fixed_once_the_meeting_runs(
    client: Client, token: str, world: World
) -> None:
    meeting = await world.meeting(state=MeetingState.LIVE)
    status, body = await patch(client, token, f"/api/meetings/{meeting.id}", {"speaker": "x"})
    assert (status, body["error"]["code"]) == (409, "plan_fixed")


async def test_a_refused_change_changes_nothing(client: Client, token: str, world: World) -> None:
    _, made = await post(client, token, "/api/meetings", PLAN)
    path = f"/api/meetings/{made['id']}"
    status, body = await patch(client, token, path, {"starts": "2127-02-31T10:00"})
    assert (status, body["error"]["tried"]["field"]) == (422, "starts")
    assert (await get(client, token, path))[1]["wall_start"] == PLAN["starts"]


async def test_commands_are_checked_against_the_snapshot(
    client: Client, token: str, world: World
) -> None:
    meeting = await world.meeting(state=MeetingState.PREPARING)
    await world.snapshot(meeting.id, MeetingState.LIVE)  # SQL lags behind
    path = f"/api/meetings/{meeting.id}/commands"
    status, body = await post(client, token, path, {"command": "go_live"})
    assert status == 409
    assert body["allowed"] == body["error"]["tried"]["allowed"]
    assert "end" in body["allowed"]
    assert "sealed" not in body["allowed"]
    status, body = await post(client, token, path, {"command": "end", "reason": "done"})
    assert status == 202
    [(_, sent)] = await world.live.commands(meeting.id, "0", 1)
    assert (sent.id, str(sent.command), sent.args, sent.by) == (
        body["command_id"], "end", {"reason": "done"}, "token:tests",
    )  # fmt: skip


async def test_a_planned_meeting_is_prepared_and_cancelled_without_a_run(
    client: Client, token: str, world: World
) -> None:
    meeting = await world.meeting()
    path = f"/api/meetings/{meeting.id}/commands"
    assert (await post(client, token, path, {"command": "prepare"}))[0] == 202
    assert world.prepared == [(meeting.id, "token:tests")]
    assert (await post(client, token, path, {"command": "line_up"}))[0] == 409
    assert (await post(client, token, path, {"command": "postpone"}))[0] == 202
    assert (await post(client, token, path, {"command": "cancel", "reason": "storm"}))[0] == 202
    after = await world.records.meeting(meeting.id)
    assert (after.state, after.reason) == (MeetingState.CANCELLED, "storm")
    status, body = await post(client, token, path, {"command": "prepare"})
    assert (status, body["allowed"]) == (409, [])
    assert await world.live.commands(meeting.id, "0", 1) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"command": "explode"}, "command: "),
        ({"command": "sealed"}, "command: "),
        ({"command": "restart_leg"}, "leg: is missing"),
        ({"command": "mute"}, "muted: is missing"),
        ({"command": "slate", "leg": "relay:x"}, "leg: 'slate' does not take it"),
        ({}, "command: is missing"),
    ],
)
async def test_commands_with_wrong_arguments_are_refused(
    client: Client, token: str, world: World, body: dict[str, Any], says: str
) -> None:
    meeting = await world.meeting(state=MeetingState.LIVE)
    status, answer = await post(client, token, f"/api/meetings/{meeting.id}/commands", body)
    assert status == 422
    assert says in answer["error"]["message"]


async def test_unknown_meetings_and_addresses_are_404(client: Client, token: str) -> None:
    for path in ("meetings/2027-01-01-abai-zzzz", "nothing", "meetings/x/preview.jpg"):
        status, body = await get(client, token, f"/api/{path}")
        assert status == 404
        assert body["error"]["message"]
    async with client.delete("/api/meetings", headers=bearer(token)) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (405, "wrong_method")


async def test_rights_follow_the_role(client: Client, world: World) -> None:
    meeting = await world.meeting(state=MeetingState.LIVE)
    path = f"/api/meetings/{meeting.id}"
    auditor = await world.records.create_token("a", Role.AUDITOR, "test")
    press = await world.records.create_token("p", Role.PRESS_OFFICER, "test")
    reporter = await world.records.create_token("r", Role.REPORTER, "test")
    assert (await get(client, auditor, path))[0] == 200
    assert (await get(client, reporter, path))[0] == 403
    assert (await post(client, auditor, "/api/meetings", PLAN))[0] == 403
    assert (await post(client, press, "/api/meetings", PLAN))[0] == 201
    status, body = await post(client, press, f"{path}/commands", {"command": "end"})
    assert (status, body["error"]["code"]) == (403, "forbidden")


async def test_a_token_that_is_wrong_or_revoked_is_401(
    client: Client, token: str, world: World
) -> None:
    assert (await get(client, "mst_wrong", "/api/meetings"))[0] == 401
    [row] = await world.records.tokens()
    await world.records.revoke_token(row.id, "test")
    status, body = await get(client, token, "/api/meetings")
    assert (status, body["error"]["act"]) == (401, "sign_in")
    async with client.get("/api/meetings") as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_a_person_of_one_region_cannot_reach_another(client: Client, world: World) -> None:
    await world.records.create_user("dana", "correct horse battery", Role.TECHNICIAN, "akmola", "t")
    meeting = await world.meeting()
    csrf = await sign_in(client, "dana")
    async with client.get(f"/api/meetings/{meeting.id}") as answer:
        assert answer.status == 403
    async with client.get("/api/meetings") as answer:
        assert await answer.json() == {"meetings": []}
    headers = {"X-CSRF-Token": csrf}
    async with client.post("/api/meetings", json=PLAN, headers=headers) as answer:
        assert answer.status == 403


async def test_preview_and_live_view(client: Client, token: str, world: World) -> None:
    meeting = await world.meeting(state=MeetingState.LINE_UP)
    path = f"/api/meetings/{meeting.id}"
    assert (await get(client, token, f"{path}/preview.jpg"))[0] == 404
    await world.live.put_preview(meeting.id, b"\xff\xd8picture")
    async with client.get(f"{path}/preview.jpg", headers=bearer(token)) as answer:
        assert (answer.content_type, await answer.read()) == ("image/jpeg", b"\xff\xd8picture")
    status, view = await get(client, token, f"{path}/live")
    assert (status, view["state"], view["stale_s"], view["legs"]) == (200, "LINE_UP", None, [])
    await world.snapshot(meeting.id, MeetingState.LINE_UP)
    _, view = await get(client, token, f"{path}/live")
    assert (view["next"]["command"], view["next"]["due_at"]) == (
        "go_live", meeting.starts_at.timestamp(),
    )  # fmt: skip
    assert len(view["legs"]) == 7
