"""Serving recordings: the viewing copy of a meeting, and the files of its sealed package."""

from __future__ import annotations

import asyncio
import gzip
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
from streamer.web.renditions import INDEX, MASTER, NAMES, Rendition, read_all

PUBLIC = frozenset({MeetingState.LIVE, MeetingState.ENDING, MeetingState.ARCHIVED})
FOR_STAFF = PUBLIC | {MeetingState.LINE_UP}
FRESH_S = 0.25
"""Seconds for which the state and the playlists of a meeting are kept between requests; they are a
part of the delay of the picture."""
KEPT = 500
FOR_STAFF_ONLY = ("data/video/", "data/as-run.ndjson")
"""Files of a package that hold what was never public: the line-up, with whatever a microphone
heard before the start, and names of staff. The public watches the viewing copy from going live on.
"""
FOR_ALL_SITES = {"Access-Control-Allow-Origin": "*"}
"""Other sites' players may show what is public. Nobody is known there: no cookie goes along."""
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
TYPES = {
    ".m3u8": PLAYLIST_TYPE, ".m4s": "video/iso.segment", ".mp4": "video/mp4", ".ts": "video/mp2t",
    ".m4a": "audio/mp4", ".ndjson": "application/x-ndjson", ".vtt": "text/vtt",
    ".json": "application/json", ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8", ".xml": "application/xml",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recording:
    """What may be played of one meeting: `folder` holds the playlists of `renditions`.

    Each is known twice: whole, and from the moment of going live (empty before).
    """

    meeting: Meeting
    state: MeetingState
    folder: Path
    renditions: dict[str, Rendition]
    master: str = ""
    """The multivariant playlist; "" where there is none (recordings of older versions)."""

    @property
    def whole(self) -> hls.Playlist:
        return self.renditions[INDEX].whole

    @property
    def public(self) -> hls.Playlist:
        """From the moment of going live."""
        return self.renditions[INDEX].public

    def holds(self, file: str, *, staff: bool) -> bool:
        """Whether one of the playlists that are shown lists `file`, relative to `folder`."""
        return any(
            file in (one.whole_files if staff else one.public_files)
            for one in self.renditions.values()
        )


class Recordings:
    """Finds and reads the viewing copies; what was read is kept for a moment."""

    def __init__(self, context: WebContext, reader: MeetingReader) -> None:
        self._context = context
        self._reader = reader
        self._store = FolderStore(context.archive_folder)
        self._kept: dict[str, tuple[float, Recording]] = {}
        self._reading: dict[str, asyncio.Task[Recording]] = {}
        self._live_since: dict[str, float] = {}

    async def recording(self, id: str) -> Recording:
        """The recording of the meeting as it is now. NotFound."""
        known = self._kept.get(id)
        if known is not None and time.monotonic() - known[0] < FRESH_S:
            return known[1]
        # Many viewers ask at once; one reads for all of them.
        task = self._reading.get(id)
        if task is None:
            before = known[1].renditions if known is not None else {}
            task = asyncio.create_task(self._read(id, before), name=f"recording {id}")
            self._reading[id] = task
            task.add_done_callback(lambda _: self._reading.pop(id, None))
        return await asyncio.shield(task)

    async def _read(self, id: str, before: dict[str, Rendition]) -> Recording:
        meeting = await self._reader.meeting(id)
        try:
            state = await self._reader.state(meeting)
        except Unavailable:
            state = meeting.state
        folder = await self._folder(meeting)
        since = await self._went_live(meeting) if state in PUBLIC else None
        renditions = await asyncio.to_thread(
            read_all, folder, since if since is not None else float("inf"), before
        )
        master = await asyncio.to_thread(_text, folder / MASTER)
        found = Recording(meeting, state, folder, renditions, master)
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
    cache = "private" if staff else "public"
    name = path.removeprefix("hls/")
    if not path.startswith("hls/"):
        raise none_here(id_)
    if name == MASTER or (name.removesuffix(".m3u8") in NAMES and name.endswith(".m3u8")):
        return _playlist(request, recording, name, staff=staff)
    if not recording.holds(name, staff=staff):
        raise none_here(id_)
    response = await _file(recording.folder, name, f"{cache}, max-age=3600")
    response.headers.update(FOR_ALL_SITES)
    return response


def _playlist(
    request: web.Request, recording: Recording, name: str, *, staff: bool
) -> web.Response:
    """A playlist as it is for the caller; packed for whoever takes it so: it is long at the end."""
    rendition = recording.renditions.get(name.removesuffix(".m3u8"))
    if name == MASTER:
        some = recording.whole if staff else recording.public
        packed = gzip.compress(recording.master.encode()) if some.segments else b""
        packed = packed if recording.master else b""
    else:
        packed = b"" if rendition is None else rendition.text(staff=staff)
    if not packed:
        raise none_here(recording.meeting.id)
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding", **FOR_ALL_SITES}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=packed, content_type=PLAYLIST_TYPE, headers=headers)
    return web.Response(body=gzip.decompress(packed), content_type=PLAYLIST_TYPE, headers=headers)


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
