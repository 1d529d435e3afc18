"""Meetings, events and folders as the archive finds them."""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamer.config.models import (
    Destination,
    LocalNames,
    ProgrammeSettings,
    RecordingSettings,
    RelaySettings,
    ScheduleSettings,
)
from streamer.config.spec import MeetingSpec
from streamer.domain.events import Event, EventName
from streamer.domain.meeting import Meeting, Names
from streamer.store.archive_store import FolderStore

ID = "2027-02-19-abai-k3f9"
T0 = 1_803_000_000.0
"""POSIX seconds of programme time 0."""
TITLE = Names(kk="Облыс әкімінің есебі", ru="Отчёт акима области", en="Report of the akim")


def meeting() -> Meeting:
    return Meeting(
        id=ID, region="abai", title=TITLE,
        starts_at=datetime(2027, 2, 19, 5, tzinfo=UTC),
        ends_at=datetime(2027, 2, 19, 8, tzinfo=UTC),
        zone="Asia/Almaty", wall_start="2027-02-19T10:00", destinations=("youtube",),
        speaker="Ә. Қасымов", hall="main",
    )  # fmt: skip


def spec(home: Path = Path("/srv/streamer")) -> MeetingSpec:
    plan = meeting()
    youtube = Destination(
        id="youtube", name="YouTube", enabled=True, url="rtmps://a.rtmps.youtube.com:443/live2",
        key="file:/etc/streamer/keys/abai-youtube", page="https://www.youtube.com/@abai",
    )  # fmt: skip
    return MeetingSpec(
        id=plan.id, region="abai", region_names=LocalNames(kk="Абай облысы", ru="Область Абай"),
        title=LocalNames.of(plan.title), speaker=plan.speaker, hall="main", hall_names=None,
        starts_at=plan.starts_at, ends_at=plan.ends_at, give_up_at=plan.give_up_at,
        zone=plan.zone, wall_start=plan.wall_start, end_by_schedule=False,
        programme=ProgrammeSettings(), schedule=ScheduleSettings(),
        recording=RecordingSettings(), relay=RelaySettings(), sources=(),
        destinations=(youtube,), home=home,
    )  # fmt: skip


def events(*said: tuple[float, EventName, dict[str, Any]]) -> list[Event]:
    """Events at seconds after T0, numbered from 1."""
    return [Event(ID, seq, T0 + at, name, data) for seq, (at, name, data) in enumerate(said, 1)]


def a_meetings_events() -> list[Event]:
    """A short meeting in two parts: the run was killed at 8 s and taken over at 15 s."""
    e = EventName
    target = "rtmps://a.rtmps.youtube.com:443/live2/***"
    relay = {"leg": "relay:youtube", "destination": "youtube", "target": target}
    return events(
        (0.0, e.RUN_STARTED, {"run": "r1", "worker": "w", "resumed": False}),
        (1.0, e.RECORDING_PART_STARTED,
         {"leg": "recorder:a", "recorder": "a", "part": 1, "path": "master/part-0001.ts",
          "programme_s": 1.0}),
        (1.2, e.RECORDING_PART_STARTED,
         {"leg": "recorder:b", "recorder": "b", "part": 1, "path": "hls/part-0001",
          "programme_s": 1.0}),
        (2.0, e.MEETING_STATE_CHANGED, {"from": "LINE_UP", "to": "LIVE", "command": "go_live"}),
        (2.5, e.RELAY_CONNECTED, {**relay, "backup": False}),
        (15.0, e.RUN_STARTED, {"run": "r2", "worker": "w", "resumed": True}),
        (15.0, e.RECORDING_PART_STARTED,
         {"leg": "recorder:a", "recorder": "a", "part": 2, "path": "master/part-0002.ts",
          "programme_s": 15.0}),
        (15.2, e.RECORDING_PART_STARTED,
         {"leg": "recorder:b", "recorder": "b", "part": 2, "path": "hls/part-0002",
          "programme_s": 15.0}),
        (15.5, e.RELAY_CONNECTED, {**relay, "backup": True}),
        (19.5, e.MEETING_STATE_CHANGED, {"from": "LIVE", "to": "ENDING", "command": "end"}),
        (20.0, e.RELAY_LOST, {**relay, "bytes": 1234567, "seconds": 4.5, "reason": "ended, by us",
                              "act": None}),
        (20.5, e.OFF_AIR_CONFIRMED, {"seconds": 2.0}),
        (21.0, e.RUN_FINISHED, {"run": "r2"}),
    )  # fmt: skip


def write_journal(folder: Path, said: Iterable[Event]) -> Path:
    path = folder / "as-run.ndjson"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(event.to_json() + "\n" for event in said), encoding="utf-8")
    return path


def a_part(folder: Path, number: int, seconds: Iterable[float], *, ended: bool = True) -> Path:
    """A part of the viewing copy with segments of nonsense, and its playlist."""
    part = folder / f"hls/part-{number:04d}"
    part.mkdir(parents=True)
    (part / "init.mp4").write_bytes(b"init")
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:1",
             "#EXT-X-PLAYLIST-TYPE:EVENT", "#EXT-X-INDEPENDENT-SEGMENTS",
             '#EXT-X-MAP:URI="init.mp4"']  # fmt: skip
    for index, length in enumerate(seconds, 1):
        (part / f"seg-{index:05d}.m4s").write_bytes(b"segment %d" % index)
        lines += [f"#EXTINF:{length:.6f},",
                  f"#EXT-X-PROGRAM-DATE-TIME:2027-02-19T10:00:{index:02d}.000+0500",
                  f"seg-{index:05d}.m4s"]  # fmt: skip
    if ended:
        lines.append("#EXT-X-ENDLIST")
    (part / "index.m3u8").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return part


def a_folder(folder: Path) -> Path:
    """The folder of a finished meeting; its media are nonsense, its structure is true."""
    write_journal(folder, a_meetings_events())
    (folder / "master").mkdir()
    for number in (1, 2):
        (folder / f"master/part-{number:04d}.ts").write_bytes(b"G" * (188 * 500 * number))
        a_part(folder, number, (2.0, 2.0, 1.0))
    (folder / "run.log").write_text("not for the archive\n")
    (folder / "hls/index.m3u8.tmp").write_text("left by a kill")
    return folder


class DyingStore:
    """A folder store that dies in the middle of taking a package, as often as it is told."""

    def __init__(self, root: Path, deaths: int) -> None:
        self.inner = FolderStore(root)
        self.deaths = deaths

    async def put_tree(self, local: Path, key: str) -> None:
        if self.deaths > 0:
            self.deaths -= 1
            half = self.inner.root / ".incoming/half"
            shutil.copytree(local / "data", half, dirs_exist_ok=True)
            raise ConnectionAbortedError("killed")
        await self.inner.put_tree(local, key)

    async def path(self, key: str) -> Path | None:
        return await self.inner.path(key)

    async def exists(self, key: str) -> bool:
        return await self.inner.exists(key)
