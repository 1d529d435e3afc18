"""The pages of the staff: sign-in, list of meetings, console of one meeting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from streamer.config.models import RegionConfig
from streamer.domain.errors import StreamerError, Unavailable
from streamer.domain.meeting import Meeting, MeetingState
from streamer.domain.roles import Right
from streamer.web import words
from streamer.web.auth import IDENTITY, SignInLimit, address_of, check_csrf, guarded, open_session
from streamer.web.context import CONTEXT, GATE, LANGUAGES, READER
from streamer.web.faults import NotSignedIn, TooManyTries, status_of
from streamer.web.i18n import LANGUAGE
from streamer.web.render import page
from streamer.web.sessions import SESSION

LIMIT: web.AppKey[SignInLimit] = web.AppKey("limit", SignInLimit)
LOG_LINES = 200
"""Lines of the as-run log that the console begins with."""
UNFINISHED = tuple(state for state in MeetingState if not state.final)


async def login_form(request: web.Request) -> web.StreamResponse:
    """The form to sign in."""
    who = await request.app[GATE].identify(request)
    if who is not None:
        raise web.HTTPSeeOther(_safe_next(request.query.get("next", "/")))
    return await page(request, "login.html", {"next": request.query.get("next", "/"), "name": ""})


async def login(request: web.Request) -> web.StreamResponse:
    """Sign in. A wrong name and a wrong password are answered alike."""
    form = await request.post()
    name, password = str(form.get("name", "")).strip(), str(form.get("password", ""))
    target = _safe_next(str(form.get("next", "/")))
    address = address_of(request)
    limit, records = request.app[LIMIT], request.app[CONTEXT].records
    try:
        await check_csrf(request)
        limit.check(address, name)
        user = await records.verify_user(name, password)
        if user is None:
            limit.failed(address, name)
            await records.audit(name[:100], "sign_in_failed", {"address": address})
            raise NotSignedIn("the name or the password is wrong", code="wrong_password")
    except StreamerError as error:
        return await _refused(request, error, name, target)
    limit.succeeded(address, name)
    open_session(request, user.name)
    request.app[GATE].forget_users()
    await records.audit(user.name, "signed_in", {"address": address})
    raise web.HTTPSeeOther(target)


async def _refused(
    request: web.Request, error: StreamerError, name: str, target: str
) -> web.StreamResponse:
    language = request[LANGUAGE]
    text = words.error_text(request.app[LANGUAGES], language, error)
    response = await page(
        request, "login.html", {"next": target, "name": name, "error": text},
        status=status_of(error),
    )  # fmt: skip
    if isinstance(error, TooManyTries):
        response.headers["Retry-After"] = str(error.tried["seconds"])
    return response


async def logout(request: web.Request) -> web.StreamResponse:
    """Sign out."""
    await check_csrf(request)
    session = request[SESSION]
    name = session.get("user")
    session.invalidate()
    if isinstance(name, str):
        await request.app[CONTEXT].records.audit(name, "signed_out", {})
    raise web.HTTPSeeOther("/login")


async def meetings(request: web.Request) -> web.StreamResponse:
    """The list of meetings, and the form to plan one."""
    context, who = request.app[CONTEXT], request[IDENTITY]
    now = datetime.now(UTC)
    recent = await context.records.meetings(region=who.region, since=now - timedelta(days=3))
    unfinished = await context.records.meetings(region=who.region, states=UNFINISHED)
    every = {meeting.id: meeting for meeting in (*unfinished, *recent)}
    rows = sorted(every.values(), key=lambda meeting: (meeting.starts_at, meeting.id))
    states = await request.app[READER].states(rows)
    running = [m for m in rows if states[m.id].running]
    regions = {
        slug: region for slug, region in sorted(context.configuration.regions.items())
        if who.may(Right.PLAN, slug)
    }  # fmt: skip
    values = {
        "groups": _groups(rows, running, states),
        "states": states,
        "region_names": {
            slug: region.names for slug, region in context.configuration.regions.items()
        },
        "regions": regions,
        "choices": {slug: _choices(region, request[LANGUAGE]) for slug, region in regions.items()},
        "may_plan": bool(regions),
        "texts": words.tables(request.app[LANGUAGES], request[LANGUAGE]),
        "today": now,
    }
    return await page(request, "meetings.html", values, who=who)


def _groups(
    rows: list[Meeting], running: list[Meeting], states: dict[str, MeetingState]
) -> list[tuple[str, list[Meeting]]]:
    final = [m for m in rows if states[m.id].final]
    waiting = [m for m in rows if m not in running and m not in final]
    return [("running", running), ("waiting", waiting), ("final", final[::-1])]


def _choices(region: RegionConfig, language: str) -> dict[str, Any]:
    """What the form offers for a region: never an address, only names."""
    return {
        "zone": region.time_zone,
        "halls": [
            {"id": hall.id, "name": hall.names.in_language(language)} for hall in region.halls
        ],
        "destinations": [
            {"id": one.id, "name": one.name, "enabled": one.enabled} for one in region.destinations
        ],
    }


async def console(request: web.Request) -> web.StreamResponse:
    """The console of one meeting."""
    reader, who = request.app[READER], request[IDENTITY]
    meeting = await reader.seen_by(request.match_info["id"], who)
    region = request.app[CONTEXT].configuration.regions.get(meeting.region)
    trouble: dict[str, Any] | None = None
    try:
        view = await reader.view(meeting)
    except Unavailable as error:
        view, trouble = reader.joined(meeting, None), error.as_dict()
    lines = await reader.as_run(meeting.id, await _log_start(request, view), LOG_LINES)
    values = {
        "meeting": meeting,
        "region_name": region.names.in_language(request[LANGUAGE]) if region else meeting.region,
        "view": view,
        "trouble": trouble,
        "lines": lines,
        "last_seq": lines[-1]["seq"] if lines else 0,
        "texts": words.tables(request.app[LANGUAGES], request[LANGUAGE]),
        "rights": [str(right) for right in Right if who.may(right, meeting.region)],
        "target_lufs": request.app[CONTEXT].configuration.service.sound.loudness_lufs,
    }
    return await page(request, "console.html", values, who=who)


async def _log_start(request: web.Request, view: dict[str, Any]) -> int:
    """The seq after which the last LOG_LINES lines begin; the snapshot knows the last one."""
    last = int(view.get("seq") or 0)
    records = request.app[CONTEXT].records
    while not view.get("seq") and (found := await records.as_run(view["meeting"], after_seq=last)):
        last = found[-1].seq
    return max(last - LOG_LINES, 0)


def _safe_next(target: str) -> str:
    """Where to go after signing in: only to a page of ours."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\", "/login", "/logout"))
    return target if plain and target.isprintable() else "/"


def setup(app: web.Application) -> None:
    """Add the pages of the staff."""
    app[LIMIT] = SignInLimit()
    app.router.add_get("/login", login_form)
    app.router.add_post("/login", login)
    app.router.add_post("/logout", logout)
    app.router.add_get("/", guarded(meetings, Right.VIEW))
    app.router.add_get("/meetings/{id:[a-z0-9-]+}", guarded(console, Right.VIEW))
