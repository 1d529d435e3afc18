"""The pages of everybody: the live page of a meeting, and the archive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from streamer.domain.errors import StreamerError
from streamer.domain.meeting import Meeting
from streamer.web import archive, media, models, words
from streamer.web.auth import Identity
from streamer.web.context import CONTEXT, GATE, LANGUAGES, READER
from streamer.web.endpoints import Endpoint
from streamer.web.i18n import LANGUAGE
from streamer.web.media import PUBLIC, RECORDINGS
from streamer.web.render import page

FIRST_YEAR = 2026
"""The archive begins here."""


async def public_state(request: web.Request) -> web.Response:
    """What everybody may know of a meeting now; the live page asks every few seconds."""
    recording = await request.app[RECORDINGS].recording(request.match_info["id"])
    return web.json_response(_state(recording), headers={"Cache-Control": "no-cache"})


def _state(recording: media.Recording) -> dict[str, Any]:
    ready = recording.state in PUBLIC and bool(recording.public.segments)
    id_ = recording.meeting.id
    return {
        "state": str(recording.state),
        "starts_at": recording.meeting.starts_at.isoformat(),
        "watch": f"/media/{id_}/hls/index.m3u8" if ready else None,
    }


async def live_page(request: web.Request) -> web.StreamResponse:
    """The public page on which a meeting is watched live."""
    recording = await request.app[RECORDINGS].recording(request.match_info["id"])
    values = {
        **_named(request, recording.meeting),
        "now": _state(recording),
        "accounts": _accounts(request, recording.meeting),
        "states": words.tables(request.app[LANGUAGES], request[LANGUAGE])["states"],
    }
    return await page(request, "live.html", values, who=await _who(request))


async def archive_list(request: web.Request) -> web.StreamResponse:
    """The public list of meetings that took place."""
    year = archive.year_of(request.query.get("year"))
    number = archive.page_of(request.query.get("page"))
    region = request.query.get("region", "")
    regions = request.app[CONTEXT].configuration.regions
    known = region if region in regions else None
    rows, pages = await archive.archived(request, year, known, number)
    values = {
        "rows": rows,
        "page": number,
        "pages": pages,
        "year": year,
        "years": list(range(max(datetime.now(UTC).year, year), FIRST_YEAR - 1, -1)),
        "region": region,
        "regions": dict(sorted(regions.items())),
        "as_instant": datetime.fromisoformat,
    }
    return await page(request, "archive.html", values, who=await _who(request))


async def archive_page(request: web.Request) -> web.StreamResponse:
    """One archived meeting: player, as-run log, files, how to verify."""
    id_ = request.match_info["id"]
    found = await archive.details(request, id_)
    meeting = await request.app[READER].meeting(id_)
    languages, language = request.app[LANGUAGES], request[LANGUAGE]
    lines = [
        {
            "text": words.event_text(languages, language, line["name"], line["data"]),
            "at": datetime.fromtimestamp(line["at"], UTC),
            "offset": line["offset"],
            "name": line["name"],
        }
        for line in found["as_run"]
    ]
    videos = [file for file in found["files"] if file["path"].startswith("data/video/hls/")]
    values = {
        **_named(request, meeting),
        "found": found,
        "lines": lines,
        "files": [file for file in found["files"] if file not in videos],
        "videos": videos,
        "gaps": [{**gap, "at": datetime.fromtimestamp(gap["at"], UTC)} for gap in found["gaps"]],
        "ready": bool((await request.app[RECORDINGS].recording(id_)).public.segments),
    }
    return await page(request, "archived.html", values, who=await _who(request))


def _named(request: web.Request, meeting: Meeting) -> dict[str, Any]:
    region = request.app[CONTEXT].configuration.regions.get(meeting.region)
    language = request[LANGUAGE]
    return {
        "meeting": meeting,
        "title": meeting.title.in_language(language),
        "region_name": region.names.in_language(language) if region else meeting.region,
    }


def _accounts(request: web.Request, meeting: Meeting) -> list[dict[str, str]]:
    """Public pages of the accounts on which the meeting is shown."""
    region = request.app[CONTEXT].configuration.regions.get(meeting.region)
    if region is None:
        return []
    return [
        {"name": one.name, "page": one.page}
        for one in region.destinations if one.id in meeting.destinations and one.page
    ]  # fmt: skip


async def _who(request: web.Request) -> Identity | None:
    """The person that is signed in, if any: public pages never fail over it."""
    try:
        return await request.app[GATE].identify(request)
    except StreamerError:
        return None


def setup(app: web.Application) -> None:
    """Add the public pages and the recordings."""
    meeting = "{id:[a-z0-9-]+}"
    app.router.add_get(f"/live/{meeting}", live_page)
    app.router.add_get("/archive", archive_list)
    app.router.add_get(f"/archive/{meeting}", archive_page)
    app.router.add_get(f"/media/{meeting}/{{path:.+}}", media.meeting_media)
    app.router.add_get(f"/archive/{meeting}/files/{{path:.+}}", media.package_file)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET", "/api/public/meetings/{id:[a-z0-9-]+}", public_state,
        "What everybody may know of a meeting now", None, answer=models.PublicState,
        errors=(404,), tag="public",
    ),
)  # fmt: skip
