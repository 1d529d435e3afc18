"""The API of meetings: plan, commands, live view, events, preview."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web

from streamer.domain.errors import BadInput, NotAllowed, NotFound, StreamerError
from streamer.domain.meeting import Meeting, MeetingState, instant
from streamer.domain.roles import Right
from streamer.web import commands, models, planning
from streamer.web.auth import IDENTITY
from streamer.web.context import CONTEXT, FAN, GATE, READER
from streamer.web.endpoints import Endpoint, Query
from streamer.web.fan import Subscriber
from streamer.web.models import body_of

log = structlog.get_logger(__name__)

HEARTBEAT_S = 10.0
RECHECK_S = 60.0
"""Seconds after which an open event stream must still have its right."""
WRITE_S = 20.0
"""Seconds a page may take to read what was sent, before it is cut off."""
NO_STORE = {"Cache-Control": "no-store"}
TRIES_FOR_ID = 5
FEED = re.compile(r"feed:[a-z0-9:-]{1,100}")


async def list_meetings(request: web.Request) -> web.Response:
    """Meetings in the order of their start, filtered by the query."""
    context, who = request.app[CONTEXT], request[IDENTITY]
    query = request.query
    region = query.get("region") or who.region
    if region is not None:
        who.need(Right.VIEW, region)
    rows = await context.records.meetings(
        region=region, states=_states(query.getall("state", [])),
        since=_instant(query.get("since"), "since"), until=_instant(query.get("until"), "until"),
        limit=_limit(query.get("limit")),
    )  # fmt: skip
    reader = request.app[READER]
    return _json({"meetings": [reader.answer(meeting) for meeting in rows]})


async def create_meeting(request: web.Request) -> web.Response:
    """Plan a meeting."""
    context, who = request.app[CONTEXT], request[IDENTITY]
    body = await body_of(request, models.PlanBody)
    planned = planning.plan(body, context.configuration, datetime.now(UTC))
    who.need(Right.PLAN, planned.region)
    made = await _created(request, planned, who.name)
    return _json(
        request.app[READER].answer(made), status=201,
        headers={"Location": f"/api/meetings/{made.id}"},
    )  # fmt: skip


async def _created(request: web.Request, planned: Meeting, by: str) -> Meeting:
    records = request.app[CONTEXT].records
    for left in reversed(range(TRIES_FOR_ID)):
        try:
            return await records.create_meeting(planned, by)
        except BadInput as error:
            if error.code != "id_taken" or not left:
                raise
            fresh = planning.new_id(planned.wall_start[:10], planned.region)
            planned = replace(planned, id=fresh)
    raise AssertionError("the last try returns or raises")


async def one_meeting(request: web.Request) -> web.Response:
    """The plan of a meeting and its present state."""
    reader = request.app[READER]
    meeting = await reader.seen_by(request.match_info["id"], request[IDENTITY])
    return _json(await reader.present(meeting))


async def change_meeting(request: web.Request) -> web.Response:
    """Change a plan. A new date leaves POSTPONED and PLANNED in the meeting's history."""
    context, who = request.app[CONTEXT], request[IDENTITY]
    reader, records = request.app[READER], context.records
    meeting = await reader.seen_by(request.match_info["id"], who)
    who.need(Right.PLAN, meeting.region)
    body = await body_of(request, models.PatchBody)
    if meeting.state not in commands.NO_RUN:
        raise NotAllowed(
            f"the plan cannot be changed while the meeting is {meeting.state}",
            code="plan_fixed", state=str(meeting.state), allowed=[],
        )  # fmt: skip
    wanted = planning.changed(meeting, body, context.configuration, datetime.now(UTC))
    # The plan first: it may be refused, and then nothing has happened to the meeting.
    await records.update_plan(wanted, who.name)
    moved = wanted.starts_at != meeting.starts_at
    if moved and meeting.state is MeetingState.PLANNED:
        reason = body.reason or f"{meeting.wall_start} → {wanted.wall_start}"
        await records.set_state(
            meeting.id, MeetingState.PLANNED, MeetingState.POSTPONED, by=who.name, reason=reason
        )
    if moved or (meeting.state is MeetingState.POSTPONED and body.starts is not None):
        await records.set_state(
            meeting.id, MeetingState.POSTPONED, MeetingState.PLANNED, by=who.name, reason=""
        )
    return _json(reader.answer(await reader.meeting(meeting.id)))


async def send_command(request: web.Request) -> web.Response:
    """Send a command; 202 with its id, or 409 with the reason and what would be possible."""
    who = request[IDENTITY]
    meeting = await request.app[READER].seen_by(request.match_info["id"], who)
    body = await body_of(request, models.CommandBody)
    id_ = await commands.send(request.app[CONTEXT], meeting, body, who)
    return _json({"command_id": id_}, status=202)


async def live_view(request: web.Request) -> web.Response:
    """The snapshot of the run and what follows from it."""
    reader = request.app[READER]
    meeting = await reader.seen_by(request.match_info["id"], request[IDENTITY])
    return _json(await reader.view(meeting))


async def as_run(request: web.Request) -> web.Response:
    """Lines of the as-run log."""
    reader = request.app[READER]
    meeting = await reader.seen_by(request.match_info["id"], request[IDENTITY])
    after = _number(request.query.get("after"), "after", 0)
    return _json(
        {"events": await reader.as_run(meeting.id, after, _limit(request.query.get("limit")))}
    )


async def preview(request: web.Request) -> web.Response:
    """The picture of the programme or of a feed, at most ten seconds old.

    Pictures of feeds are made while somebody asks: the first answer may be that there is none.
    """
    reader, live = request.app[READER], request.app[CONTEXT].live
    meeting = await reader.seen_by(request.match_info["id"], request[IDENTITY])
    feed = _feed(request.query.get("feed"))
    if feed:
        await live.say_watched(meeting.id)
    picture = await live.preview(meeting.id, feed)
    if picture is None:
        raise NotFound("there is no picture of this meeting now", code="no_preview")
    return web.Response(body=picture, content_type="image/jpeg", headers=NO_STORE)


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: `as_run` (id: its seq), `live` (at most two a second), `trouble`, and
    with `?meters=1` also `meters` (five a second while the meeting has a run)."""
    meeting = await request.app[READER].seen_by(request.match_info["id"], request[IDENTITY])
    last = _last_seq(request)
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", **NO_STORE}
    )
    await response.prepare(request)
    # Subscribe before reading what was, so that nothing falls between the two.
    meters = request.query.get("meters") == "1"
    with request.app[FAN].subscribe(meeting.id, meters=meters) as subscriber:
        try:
            await _write(response, f"retry: 1000\n\nevent: hello\ndata: {time.time()}\n\n")
            if last is not None:
                last = await _catch_up(request, response, meeting.id, last)
            await _pump(request, response, subscriber, last if last is not None else -1)
        except (ConnectionError, TimeoutError, StreamerError) as error:
            # The page went away, reads too slowly, or lost its right: it comes back by itself.
            log.info("event_stream_ended", meeting=meeting.id, reason=type(error).__name__)
    return response


def _last_seq(request: web.Request) -> int | None:
    """The seq the page has: by its Last-Event-ID, else by `?after=`; None: only what is new."""
    raw = request.headers.get("Last-Event-ID") or request.query.get("after")
    return None if raw is None else _number(raw, "Last-Event-ID", 0)


async def _catch_up(
    request: web.Request, response: web.StreamResponse, meeting: str, last: int
) -> int:
    """Send what the page missed: from SQL, then what SQL does not have yet."""
    reader = request.app[READER]
    while page := await reader.as_run(meeting, last, 500):
        for line in page:
            await _write(response, _as_run(line))
        last = page[-1]["seq"]
    for event in request.app[FAN].recent(meeting, last):
        if event.seq > last:
            await _write(response, _as_run(reader.event(event)))
            last = event.seq
    return last


async def _pump(
    request: web.Request, response: web.StreamResponse, subscriber: Subscriber, last: int
) -> None:
    checked = time.monotonic()
    while True:
        item = await subscriber.next(HEARTBEAT_S)
        if subscriber.closed:
            return
        if time.monotonic() - checked > RECHECK_S:
            who = await request.app[GATE].identify(request)
            if who is None or not who.may(Right.VIEW):
                return
            checked = time.monotonic()
        if item is None:
            await _write(response, ": still here\n\nevent: beat\ndata: 0\n\n")
            continue
        kind, data = item
        if kind != "as_run":
            await _write(response, f"event: {kind}\ndata: {_compact(data)}\n\n")
        elif data["seq"] > last:
            last = data["seq"]
            await _write(response, _as_run(data))


def _as_run(line: dict[str, Any]) -> str:
    return f"id: {line['seq']}\nevent: as_run\ndata: {_compact(line)}\n\n"


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_S):
        await response.write(text.encode())


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _json(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(
        value, status=status, headers={**NO_STORE, **(headers or {})}, dumps=_compact
    )


def _states(names: list[str]) -> list[MeetingState] | None:
    wanted = [name for names_ in names for name in names_.split(",") if name]
    try:
        return [MeetingState(name) for name in wanted] or None
    except ValueError:
        known = ", ".join(MeetingState)
        raise BadInput(
            f"state: '{', '.join(wanted)}' is not known; possible: {known}",
            code="wrong_fields", field="state", fields={"state": "is not known"},
        ) from None  # fmt: skip


def _instant(raw: str | None, field: str) -> datetime | None:
    if not raw:
        return None
    try:
        found = datetime.fromisoformat(raw)
    except ValueError:
        raise BadInput(
            f"{field}: '{raw}' is not a date; write 2027-02-19 or 2027-02-19T10:00+05:00",
            code="wrong_date", field=field, wall=raw,
        ) from None  # fmt: skip
    return found if found.tzinfo else instant(found.isoformat(timespec="minutes"), "Asia/Almaty")


def _number(raw: str | None, field: str, least: int) -> int:
    if raw is None:
        return least
    if not raw.isdecimal() or len(raw) > 12:
        raise BadInput(
            f"{field}: '{raw}' is not a whole number from {least}",
            code="wrong_fields", field=field, fields={field: "is not a number"},
        )  # fmt: skip
    return int(raw)


def _feed(raw: str | None) -> str:
    """Id of a feed; empty for the programme."""
    if not raw or raw == "programme":
        return ""
    if not FEED.fullmatch(raw):
        raise BadInput(
            f"feed: '{raw}' is not the id of a feed, such as feed:hall",
            code="wrong_fields", field="feed", fields={"feed": "is not the id of a feed"},
        )  # fmt: skip
    return raw


def _limit(raw: str | None) -> int:
    return min(max(_number(raw, "limit", 500) if raw else 500, 1), 1000)


ID = "{id:[a-z0-9-]+}"
ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET", "/api/meetings", list_meetings, "Meetings in the order of their start", Right.VIEW,
        answer=models.MeetingsAnswer, errors=(422,),
        query=(
            Query("region", "slug of a region"),
            Query("state", "states, separated by commas"),
            Query("since", "earliest start, ISO 8601"),
            Query("until", "latest start, ISO 8601"),
            Query("limit", "at most so many (1 to 1000)", "integer"),
        ),
    ),
    Endpoint(
        "POST", "/api/meetings", create_meeting, "Plan a meeting", Right.PLAN, status=201,
        body=models.PlanBody, answer=models.MeetingAnswer, errors=(409, 422),
    ),
    Endpoint(
        "GET", f"/api/meetings/{ID}", one_meeting, "One meeting", Right.VIEW,
        answer=models.MeetingAnswer, errors=(404,),
    ),
    Endpoint(
        "PATCH", f"/api/meetings/{ID}", change_meeting, "Change the plan of a meeting", Right.PLAN,
        body=models.PatchBody, answer=models.MeetingAnswer, errors=(404, 409, 422),
    ),
    Endpoint(
        "POST", f"/api/meetings/{ID}/commands", send_command, "Send a command to a meeting",
        Right.VIEW, status=202, body=models.CommandBody, answer=models.CommandAnswer,
        errors=(404, 409, 422, 503),
    ),
    Endpoint(
        "GET", f"/api/meetings/{ID}/live", live_view, "Snapshot of a live meeting", Right.VIEW,
        answer=models.LiveAnswer, errors=(404, 503),
    ),
    Endpoint(
        "GET", f"/api/meetings/{ID}/as-run", as_run, "Lines of the as-run log", Right.VIEW,
        answer=models.EventsAnswer, errors=(404, 422),
        query=(
            Query("after", "seq of the last line that is known", "integer"),
            Query("limit", "at most so many (1 to 1000)", "integer"),
        ),
    ),
    Endpoint(
        "GET", f"/api/meetings/{ID}/events", events,
        "Events as they happen (SSE; resumes by Last-Event-ID)", Right.VIEW,
        media="text/event-stream", errors=(404,),
        query=(
            Query("after", "seq of the last line that is known", "integer"),
            Query("meters", "1: events of type `meters` as well, five a second", "integer"),
        ),
    ),
    Endpoint(
        "GET", f"/api/meetings/{ID}/preview.jpg", preview,
        "Picture of the programme or of a feed", Right.VIEW,
        media="image/jpeg", errors=(404, 422, 503),
        query=(Query("feed", "id of a feed; without it the programme"),),
    ),
)  # fmt: skip
