"""The public archive: its list, and everything of one meeting."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from streamer.domain.errors import BadInput
from streamer.domain.events import Event, EventName
from streamer.domain.meeting import Meeting, MeetingState
from streamer.store.rows import PackageRow
from streamer.web import models
from streamer.web import playlist as hls
from streamer.web.context import CONTEXT, READER
from streamer.web.endpoints import Endpoint, Query
from streamer.web.media import FOR_STAFF_ONLY, RECORDINGS, is_staff
from streamer.web.meetings import none_here

SHOWN = frozenset({MeetingState.ENDING, MeetingState.ARCHIVED})
"""A meeting is in the archive from its end; its package follows."""

PUBLIC_DATA: dict[EventName, tuple[str, ...]] = {
    EventName.MEETING_STATE_CHANGED: ("from", "to"),
    EventName.RELAY_CONNECTED: ("destination",),
    EventName.RELAY_LOST: ("destination", "seconds", "bytes"),
    EventName.RECORDING_PART_STARTED: ("recorder", "part"),
    EventName.RECORDING_PART_FINISHED: ("recorder", "part", "bytes"),
    EventName.SOURCE_LOST: ("feed",),
    EventName.SOURCE_BACK: ("feed", "seconds"),
    EventName.SCENE_TAKEN: ("scene", "automatic"),
    EventName.MUTED: ("muted",),
    EventName.OFF_AIR_CONFIRMED: ("seconds",),
    EventName.PACKAGE_SEALED: ("files", "bytes", "manifest_sha256"),
}
"""What the page shows of the as-run log: no names of staff, no addresses of callers."""


PAGE = 100
"""Meetings on one page of the list."""


async def list_archive(request: web.Request) -> web.Response:
    """A page of the meetings that took place in a year, newest first."""
    query = request.query
    year, page = year_of(query.get("year")), page_of(query.get("page"))
    rows, pages = await archived(request, year, query.get("region"), page)
    return _json({"meetings": rows, "page": page, "pages": pages})


async def archived(
    request: web.Request, year: int, region: str | None, page: int
) -> tuple[list[dict[str, Any]], int]:
    """`ArchivedMeeting` of one page of a year, newest first, and the number of pages."""
    records = request.app[CONTEXT].records
    rows = await records.meetings(
        region=region or None, states=SHOWN, since=datetime(year, 1, 1, tzinfo=UTC),
        until=datetime(year + 1, 1, 1, tzinfo=UTC), limit=5000,
    )  # fmt: skip
    shown = rows[::-1][(page - 1) * PAGE : page * PAGE]
    found = [_summary(request, one, await records.package(one.id)) for one in shown]
    return found, max((len(rows) + PAGE - 1) // PAGE, 1)


async def one_archived(request: web.Request) -> web.Response:
    """Everything of one meeting: as-run log, parts, gaps, files."""
    return _json(await details(request, request.match_info["id"]))


async def details(request: web.Request, id_: str) -> dict[str, Any]:
    """`ArchivedMeetingAnswer` of one meeting. NotFound when it is not in the archive."""
    context = request.app[CONTEXT]
    meeting = await request.app[READER].meeting(id_)
    recording = await request.app[RECORDINGS].recording(id_)
    if recording.state not in SHOWN:
        raise none_here(id_)
    package = await context.records.package(id_)
    folder = await request.app[RECORDINGS].package(id_) if package else None
    segments = recording.public.segments
    staff = await is_staff(request, meeting)
    files = await asyncio.to_thread(manifest, folder, id_, staff) if folder else []
    return {
        **_summary(request, meeting, package),
        "as_run": [
            {**_public(event), "offset": _rounded(hls.offset(segments, event.at))}
            for event in await _whole_log(request, id_) if event.name in PUBLIC_DATA
        ],
        "parts": [
            {"recorder": part.recorder, "part": part.part, "path": part.path,
             "bytes": part.bytes, "reason": part.reason}
            for part in await context.records.parts(id_)
        ],
        "gaps": [
            {"at": at, "offset": round(place, 3), "seconds": round(seconds, 3)}
            for at, place, seconds in hls.gaps(segments)
        ],
        "files": files,
    }  # fmt: skip


def manifest(folder: Path, id_: str, staff: bool) -> list[dict[str, Any]]:
    """Every file that the manifest of the package names, with its size (bytes) and SHA-256.

    `address` is None where the caller may not have the file; its hash is public all the same.
    """
    try:
        lines = (folder / "manifest-sha256.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        digest, _, path = line.partition(" ")
        path = path.strip().lstrip("*").replace("%0A", "\n").replace("%0D", "\r")
        file = folder / path
        if not path or not file.is_file():
            continue
        found.append({
            "path": path, "bytes": file.stat().st_size, "sha256": digest,
            "address": (
                f"/archive/{id_}/files/{quote(path)}"
                if staff or not path.startswith(FOR_STAFF_ONLY) else None
            ),
        })  # fmt: skip
    return found


async def _whole_log(request: web.Request, id_: str) -> list[Event]:
    records = request.app[CONTEXT].records
    found: list[Event] = []
    while page := await records.as_run(id_, after_seq=found[-1].seq if found else 0):
        found += page
    return found


def _public(event: Event) -> dict[str, Any]:
    kept = PUBLIC_DATA[event.name]
    data = {key: event.data[key] for key in kept if key in event.data}
    return {
        "meeting": event.meeting, "seq": event.seq, "at": event.at, "name": str(event.name),
        "data": data,
    }  # fmt: skip


def _summary(request: web.Request, meeting: Meeting, package: PackageRow | None) -> dict[str, Any]:
    return {
        "meeting": {**request.app[READER].answer(meeting), "reason": "", "allowed": []},
        "package": None if package is None else {
            "files": package.files, "bytes": package.bytes,
            "manifest_sha256": package.manifest_sha256,
        },
        "watch": f"/media/{meeting.id}/hls/index.m3u8",
    }  # fmt: skip


def year_of(raw: str | None) -> int:
    """The year of a query; this year when none is given. BadInput."""
    if not raw:
        return datetime.now(UTC).year
    if not raw.isdecimal() or not 2000 <= int(raw) <= 2200:
        raise BadInput(
            f"year: '{raw}' is not a year; write it as 2027",
            code="wrong_fields", field="year", fields={"year": "is not a year"},
        )  # fmt: skip
    return int(raw)


def page_of(raw: str | None) -> int:
    """The page of a query, from 1. BadInput."""
    if not raw:
        return 1
    if not raw.isdecimal() or not 1 <= int(raw) <= 1000:
        raise BadInput(
            f"page: '{raw}' is not a page; pages begin with 1",
            code="wrong_fields", field="page", fields={"page": "is not a page"},
        )  # fmt: skip
    return int(raw)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _json(value: Any) -> web.Response:
    return web.json_response(value, headers={"Cache-Control": "no-cache"})


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET", "/api/archive/meetings", list_archive, "The archive of a year, newest first", None,
        answer=models.ArchiveAnswer, errors=(422,), tag="archive",
        query=(
            Query("year", "such as 2027; left out: this year", "integer"),
            Query("region", "slug of a region"),
            Query("page", "page of the list, from 1", "integer"),
        ),
    ),
    Endpoint(
        "GET", "/api/archive/meetings/{id:[a-z0-9-]+}", one_archived, "One archived meeting", None,
        answer=models.ArchivedMeetingAnswer, errors=(404,), tag="archive",
    ),
)  # fmt: skip
