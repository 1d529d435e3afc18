"""Serving recordings: the viewing copy of a meeting, and the files of its sealed package."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from streamer.domain.errors import StreamerError, Unavailable
from streamer.domain.events import EventName
from streamer.domain.meeting import Meeting, MeetingState
from streamer.domain.roles import Right
from streamer.store.archive_store import FolderStore
from streamer.web import playlist as hls
from streamer.web.auth import Gate
from streamer.web.context import CONTEXT, GATE, READER, WebContext
from streamer.web.faults import NotSignedIn
from streamer.web.meetings import MeetingReader, none_here

PUBLIC = frozenset({MeetingState.LIVE, MeetingState.ENDING, MeetingState.ARCHIVED})
FOR_STAFF = PUBLIC | {MeetingState.LINE_UP}
FRESH_S = 1.0
"""Seconds for which the state and the cut playlist of a meeting are kept between requests."""
KEPT = 500
FOR_STAFF_ONLY = ("data/video/", "data/as-run.ndjson")
"""Files of a package that hold what was never public: the line-up, with whatever a microphone
heard before the start, and names of staff. The public watches the viewing copy from going live on.
"""
INDEX = "hls/index.m3u8"
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
TYPES = {
    ".m3u8": PLAYLIST_TYPE, ".m4s": "video/iso.segment", ".mp4": "video/mp4", ".ts": "video/mp2t",
    ".m4a": "audio/mp4", ".ndjson": "application/x-ndjson", ".vtt": "text/vtt",
    ".json": "application/json", ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8", ".xml": "application/xml",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recording:
    """What may be played of one meeting: `folder` holds `index.m3u8`."""

    meeting: Meeting
    state: MeetingState
    folder: Path
    whole: hls.Playlist
    public: hls.Playlist
    """From the moment of going live; empty before."""


class Recordings:
    """Finds and reads the viewing copies; what was read is kept for a second."""

    def __init__(self, context: WebContext, reader: MeetingReader) -> None:
        self._context = context
        self._reader = reader
        self._store = FolderStore(context.archive_folder)
        self._kept: dict[str, tuple[float, Recording]] = {}
        self._live_since: dict[str, float] = {}

    async def recording(self, id: str) -> Recording:
        """The recording of the meeting as it is now. NotFound."""
        known = self._kept.get(id)
        if known is not None and time.monotonic() - known[0] < FRESH_S:
            return known[1]
        meeting = await self._reader.meeting(id)
        try:
            state = await self._reader.state(meeting)
        except Unavailable:
            state = meeting.state
        folder = await self._folder(meeting)
        whole = hls.parse(await asyncio.to_thread(_text, folder / "index.m3u8"))
        since = await self._went_live(meeting) if state in PUBLIC else None
        public = hls.cut(whole, since if since is not None else float("inf"))
        found = Recording(meeting, state, folder, whole, public)
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[id] = (time.monotonic(), found)
        return found

    async def package(self, id: str) -> Path | None:
        """The folder of the sealed package on this machine."""
        row = await self._context.records.package(id)
        return None if row is None else await self._store.path(row.path)

    async def _folder(self, meeting: Meeting) -> Path:
        """The meeting's own folder; the package's copy when the former was cleared."""
        own = self._context.meeting_folder(meeting.id) / "hls"
        if meeting.state is MeetingState.ARCHIVED and not await asyncio.to_thread(own.is_dir):
            package = await self.package(meeting.id)
            if package is not None:
                return package / "data" / "video" / "hls"
        return own

    async def _went_live(self, meeting: Meeting) -> float | None:
        """When the meeting went live: by its run's snapshot, else by the as-run log."""
        if meeting.id in self._live_since:
            return self._live_since[meeting.id]
        since: float | None = None
        try:
            snapshot = await self._context.live.snapshot(meeting.id)
            since = (snapshot or {}).get("on_air_since")
        except Unavailable:
            pass  # the as-run log knows it too
        after = 0
        while since is None:
            lines = await self._context.records.as_run(meeting.id, after_seq=after)
            if not lines:
                return None
            since = next(
                (line.at for line in lines if line.name is EventName.MEETING_STATE_CHANGED
                 and line.data.get("to") == MeetingState.LIVE), None,
            )  # fmt: skip
            after = lines[-1].seq
        self._live_since[meeting.id] = float(since)
        return float(since)


RECORDINGS: web.AppKey[Recordings] = web.AppKey("recordings", Recordings)


async def meeting_media(request: web.Request) -> web.StreamResponse:
    """`/media/{id}/hls/…`: the public from going live on, staff from line-up on."""
    id_, path = request.match_info["id"], request.match_info["path"]
    recording = await request.app[RECORDINGS].recording(id_)
    staff = recording.state in FOR_STAFF and await is_staff(request, recording.meeting)
    if not staff and recording.state not in PUBLIC:
        raise none_here(id_)
    shown = recording.whole if staff else recording.public
    if path == INDEX:
        text = hls.write(shown) if shown.head else ""
        if not text:
            raise none_here(id_)
        return web.Response(
            text=text, content_type=PLAYLIST_TYPE, headers={"Cache-Control": "no-cache"}
        )
    if not path.startswith("hls/") or path.removeprefix("hls/") not in shown.files:
        raise none_here(id_)
    cache = "private" if staff else "public"
    return await _file(recording.folder, path.removeprefix("hls/"), f"{cache}, max-age=3600")


async def package_file(request: web.Request) -> web.StreamResponse:
    """`/archive/{id}/files/…`: the files of the sealed package, some of them for staff only."""
    id_, path = request.match_info["id"], request.match_info["path"]
    folder = await request.app[RECORDINGS].package(id_)
    if folder is None or (inside := await asyncio.to_thread(_inside, folder, path)) is None:
        raise none_here(id_)
    real = inside.relative_to(folder.resolve()).as_posix()
    if not real.startswith(FOR_STAFF_ONLY):
        return await _file(folder, path, "public, max-age=3600")
    if not await is_staff(request, await request.app[READER].meeting(id_)):
        raise NotSignedIn(
            "this file holds what was recorded before the meeting was public; sign in as staff",
            code="for_staff",
        )
    return await _file(folder, path, "private, max-age=3600")


async def is_staff(request: web.Request, meeting: Meeting) -> bool:
    """Whether the caller may see what is not public of this meeting."""
    gate: Gate = request.app[GATE]
    try:
        who = await gate.identify(request)
    except StreamerError:
        return False
    return who is not None and who.may(Right.VIEW, meeting.region)


async def _file(root: Path, path: str, cache: str) -> web.StreamResponse:
    found = await asyncio.to_thread(_inside, root, path)
    if found is None:
        raise none_here(path)
    headers = {"Cache-Control": "no-cache" if found.suffix == ".m3u8" else cache}
    kind = TYPES.get(found.suffix)
    if kind is not None:
        headers["Content-Type"] = kind
    return web.FileResponse(found, headers=headers)


def _inside(root: Path, path: str) -> Path | None:
    """The file `path` under `root`; None when it is not one, or leads out of it."""
    if "\0" in path or "\\" in path:
        return None
    try:
        base, found = root.resolve(), (root / path).resolve()
    except (OSError, RuntimeError):
        return None
    return found if found.is_relative_to(base) and found.is_file() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def setup(app: web.Application) -> None:
    """Make the reader of recordings available to the handlers."""
    app[RECORDINGS] = Recordings(app[CONTEXT], app[READER])
