"""A programme whose sources are made by the run's own `Intakes`, with a second site beside."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from streamer.config.models import (
    LocalNames,
    RecordingSettings,
    RelaySettings,
    ScheduleSettings,
    Site,
    Source,
)
from streamer.config.spec import MeetingSpec
from streamer.demo.accounts import free_port
from streamer.demo.measure import av_offset, read_picture, read_sound
from streamer.demo.measure.picture import Picture
from streamer.domain.events import EventName
from streamer.domain.legs import LegKind
from streamer.domain.meeting import Names
from streamer.media.commands import ffmpeg_path
from streamer.media.hub import Hub
from streamer.media.leg import Leg
from streamer.programme.canvas import Canvas
from streamer.programme.mixer import Mixer
from streamer.programme.scenes import HALL
from streamer.programme.slate import Slate
from streamer.run.encoding import Encoding
from streamer.run.intakes import Intakes
from streamer.run.secrets import Secrets
from streamer.run.surroundings import Surroundings
from tests.component.media.programme import SETTINGS
from tests.component.media.stage import Stage, until


class Kinds(Stage):
    """A stage with `intakes`; `recorded` are the events they put on record."""

    def begin(
        self, *sources: Source, sites: tuple[Site, ...] = (), feeds: int | None = None
    ) -> None:
        canvas = Canvas(SETTINGS.width, SETTINGS.height, SETTINGS.fps)
        names = Names("Абай облысы", "область Абай")
        self.recorded: list[tuple[EventName, dict[str, Any]]] = []
        self.mixer = Mixer(
            canvas, Slate(canvas, region=names, title=names, zone="Asia/Almaty"), start_tick=25
        )
        self.mixer.start()
        self.mixer.take(HALL)
        secrets = Secrets(self.redactor, None, self.folder / "secret.key")
        around = Surroundings(
            _spec(self.folder, sources, sites), self.folder, ffmpeg_path(), secrets, self.redactor,
            lambda name, data: self.recorded.append((name, data)), lambda: None, feeds,
        )  # fmt: skip
        self.intakes = Intakes(around, self.mixer, self._add, self.legs.start)
        for source in sources:
            self.intakes.add(source, source.id)
        for site in sites:
            if site.source is not None:
                self.intakes.add(site.source, f"site:{site.id}")
        for what in ("ingest:", "receiver:", "feed:"):
            for leg_id in self.legs.ids(what):
                self.legs.start(leg_id)

    def _add(self, leg_id: str, kind: LegKind, attempt: Any, **more: Any) -> None:
        self.legs.add(Leg(leg_id, kind, attempt, on_change=self.changes.append, **more))

    def record(self) -> None:
        """Encode the programme into the master from now on."""
        self.master()
        encoding = Encoding(SETTINGS, self.mixer, self.hub, ffmpeg_path())
        self.leg("encoder", LegKind.ENCODER, encoding.attempt, stall_s=2.0, start_s=20.0)

    def get(self, leg_id: str) -> Leg:
        return next(leg for leg in self.legs if leg.id == leg_id)

    async def shows(self, scene: str = "hall", seconds: float = 20.0) -> float:
        return await until(lambda: str(self.mixer.state().shown) == scene, seconds)

    async def goes_on(self, seconds: float) -> None:
        goal = self.mixer.state().programme_s + seconds
        await until(lambda: self.mixer.state().programme_s >= goal, seconds + 20)

    async def offset(self, seconds: float = 4.5) -> float:
        """Record for so long; the sound against the picture in ms, the worst of all flashes."""
        self.record()
        await until(lambda: self.legs.running("recorder:a"))
        await self.goes_on(seconds)
        master = await self.end()
        picture, sound = await asyncio.to_thread(
            lambda: (read_picture(master), read_sound(master))
        )  # fmt: skip
        self.picture: Picture = picture
        found = av_offset(picture, sound)
        assert len(found.each_ms) >= 2, (picture.flashes(), sound.beeps)
        worst = found.worst_ms
        assert worst is not None
        return worst

    async def end(self) -> Path:
        for what in ("feed:", "receiver:", "ingest:"):
            await self.legs.stop(self.legs.ids(what))
        await self.intakes.close()
        await self.legs.stop(self.legs.ids("encoder"))
        await self.finish()
        await asyncio.to_thread(self.mixer.stop)
        return self.folder / "master" / "part-0001.ts"

    def secret(self, name: str, value: str) -> str:
        path = self.folder / name
        path.write_text(value)
        return f"file:{path}"


class Tap:
    """Takes the programme as it leaves the mixer: the luma plane and the sound of each tick."""

    def __init__(self, mixer: Mixer) -> None:
        self._mixer = mixer
        self.lumas: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
        self.chromas: list[tuple[int, int]] = []
        """U and V in the middle of the picture."""
        self.sounds: list[np.ndarray[Any, np.dtype[np.float32]]] = []

    @property
    def ticks(self) -> int:
        return min(len(self.lumas), len(self.sounds))

    def __enter__(self) -> Tap:
        (video, video_w), (audio, audio_w) = os.pipe(), os.pipe()
        self._output = self._mixer.attach_output(video_w, audio_w, name="tap")
        self._threads = [
            threading.Thread(target=self._pictures, args=(video,), daemon=True),
            threading.Thread(target=self._hear, args=(audio,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._mixer.detach_output(self._output, drain=0.2)
        for thread in self._threads:
            thread.join(5)

    def _pictures(self, fd: int) -> None:
        canvas = self._mixer.canvas
        count = canvas.width * canvas.height
        with os.fdopen(fd, "rb") as file:
            while len(data := file.read(canvas.picture_bytes)) == canvas.picture_bytes:
                flat = np.frombuffer(data, np.uint8)
                middle = (canvas.height // 4) * (canvas.width // 2) + canvas.width // 4
                self.chromas.append((int(flat[count + middle]), int(flat[count * 5 // 4 + middle])))
                self.lumas.append(flat[:count].reshape(canvas.height, canvas.width))

    def _hear(self, fd: int) -> None:
        with os.fdopen(fd, "rb") as file:
            size = self._mixer.canvas.samples_per_tick * 4
            while len(data := file.read(size)) == size:
                both = np.frombuffer(data, "<i2").reshape(-1, 2).mean(axis=1)
                self.sounds.append((both / 32768).astype(np.float32))


@asynccontextmanager
async def kinds(folder: Path) -> AsyncIterator[Kinds]:
    it = Kinds(folder, Hub())
    try:
        yield it
    finally:
        await it.end()


def udp_port() -> int:
    return free_port(socket.SOCK_DGRAM)


def site(id_: str, source: Source | None = None) -> Site:
    names = LocalNames(kk=id_, ru=id_)
    return Site.model_validate(
        {"id": id_, "code": "101000000", "kind": "district", "names": names, "centre": names,
         "source": source}
    )  # fmt: skip


def _spec(folder: Path, sources: tuple[Source, ...], sites: tuple[Site, ...]) -> MeetingSpec:
    start = datetime.now(UTC)
    names = LocalNames(kk="Абай облысы", ru="область Абай")
    hall = LocalNames(kk="негізгі зал", ru="главный зал")
    return MeetingSpec(
        id="x", region="abai", region_names=names, title=names, speaker="", hall="main",
        hall_names=hall, starts_at=start, ends_at=start + timedelta(hours=2),
        give_up_at=start + timedelta(hours=3), zone="Asia/Almaty", wall_start="2027-02-19T10:00",
        end_by_schedule=False, programme=SETTINGS, schedule=ScheduleSettings(),
        recording=RecordingSettings(), relay=RelaySettings(), sources=sources, sites=sites,
        destinations=(), home=folder,
    )  # fmt: skip
