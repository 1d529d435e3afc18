"""The pages of everybody: the live page of a meeting, and the archive."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape
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
from streamer.web.render import FRAMED, page
from streamer.web.renditions import INDEX, MASTER, sounds_of

FIRST_YEAR = 2026
"""The archive begins here."""


async def public_state(request: web.Request) -> web.Response:
    """What everybody may know of a meeting now; the live page asks every few seconds."""
    recording = await request.app[RECORDINGS].recording(request.match_info["id"])
    return web.json_response(_state(recording), headers={"Cache-Control": "no-cache"})


def _state(recording: media.Recording) -> dict[str, Any]:
    ready = recording.state in PUBLIC and bool(recording.public.segments)
    return {
        "state": str(recording.state),
        "starts_at": recording.meeting.starts_at.isoformat(),
        "watch": _address(recording) if ready else None,
        "sounds": _sounds(recording) if ready else [],
    }


def _address(recording: media.Recording) -> str:
    """The playlist that a player takes: of all renditions where there are any."""
    name = MASTER if recording.master else f"{INDEX}.m3u8"
    return f"/media/{recording.meeting.id}/hls/{name}"


def _sounds(recording: media.Recording) -> list[dict[str, str]]:
    """Playlists of sound alone; without a language where there is one sound."""
    base = f"/media/{recording.meeting.id}/hls"
    several = sounds_of(recording.master)
    if several:
        return [
            {"language": one["language"], "name": one["name"],
             "address": f"{base}/{one['playlist']}"}
            for one in several
        ]  # fmt: skip
    if "sound" in recording.renditions:
        return [{"language": "", "name": "", "address": f"{base}/sound.m3u8"}]
    return []


async def live_page(request: web.Request) -> web.StreamResponse:
    """The public page on which a meeting is watched live."""
    recording = await request.app[RECORDINGS].recording(request.match_info["id"])
    values = {
        **_playing(request, recording),
        "accounts": _accounts(request, recording.meeting),
        "snippet": _snippet(request, recording.meeting),
    }
    return await page(request, "live.html", values, who=await _who(request))


async def embed_page(request: web.Request) -> web.StreamResponse:
    """The player alone, for a frame on another site; `?start=` seconds into a recording."""
    recording = await request.app[RECORDINGS].recording(request.match_info["id"])
    request[FRAMED] = True
    values = {**_playing(request, recording), "start": _start(request.query.get("start", ""))}
    return await page(request, "embed.html", values)


def _playing(request: web.Request, recording: media.Recording) -> dict[str, Any]:
    languages, language = request.app[LANGUAGES], request[LANGUAGE]
    return {
        **_named(request, recording.meeting),
        "now": _state(recording),
        "states": words.tables(languages, language)["states"],
        "player_words": _player_words(request),
    }


def _player_words(request: web.Request) -> dict[str, str]:
    languages, language = request.app[LANGUAGES], request[LANGUAGE]
    return {key: languages.text(language, text) for key, text in words.PLAYER.items()}


def _snippet(request: web.Request, meeting: Meeting) -> str:
    """What another site copies into its page."""
    base = request.app[CONTEXT].configuration.service.web.public_url or str(request.url.origin())
    address = f"{base.rstrip('/')}/embed/{meeting.id}?lang={request[LANGUAGE]}"
    title = escape(meeting.title.in_language(request[LANGUAGE]))
    return (
        f'<iframe src="{escape(address)}" title="{title}" width="960" height="600"'
        ' allow="autoplay; fullscreen; picture-in-picture" allowfullscreen></iframe>'
    )


def _start(text: str) -> float:
    """Seconds of `?start=`; what is none is the beginning."""
    return float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text) else 0.0


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
    recording = await request.app[RECORDINGS].recording(id_)
    ready = bool(recording.public.segments)
    videos = [file for file in found["files"] if file["path"].startswith("data/video/hls/")]
    values = {
        **_named(request, meeting),
        "found": found,
        "lines": lines,
        "files": [file for file in found["files"] if file not in videos],
        "videos": videos,
        "gaps": [{**gap, "at": datetime.fromtimestamp(gap["at"], UTC)} for gap in found["gaps"]],
        "ready": ready,
        "watch": _address(recording) if ready else None,
        "sounds": _sounds(recording) if ready else [],
        "player_words": _player_words(request),
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
    app.router.add_get(f"/embed/{meeting}", embed_page)
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
