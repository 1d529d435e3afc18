"""A whole programme: a source of the hall, mixer, encoder, hub and master."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from streamer.config.models import ProgrammeSettings, Source
from streamer.demo.accounts import free_port
from streamer.demo.hall import Form
from streamer.domain.legs import LegKind
from streamer.domain.meeting import Names
from streamer.media.commands import ffmpeg_path
from streamer.media.hub import Hub
from streamer.media.ingest import RtmpIngest
from streamer.media.leg import Leg
from streamer.programme.canvas import Canvas
from streamer.programme.mixer import Mixer
from streamer.programme.scenes import HALL
from streamer.programme.slate import Slate
from streamer.run.encoding import Encoding
from streamer.run.receiving import Receiver
from streamer.run.secrets import Secrets
from streamer.run.sources import Feed
from tests.component.media.stage import Stage, until

SETTINGS = ProgrammeSettings(width=640, height=360, fps=25, video_kbps=1000, gop_s=1)
SECRET = "quiet-hall-7391-passphrase"
SMALL = Form(640, 360, video_kbps=1000, gop_s=1)


class Programme(Stage):
    """A stage whose bytes are a real programme. `refused`: callers that were not let in."""

    mixer: Mixer
    encoder: Leg
    recorder: Leg

    def begin(self, kind: str, port: int = 0) -> None:
        """Start everything for a source of `kind`; it listens on `port`."""
        canvas = Canvas(SETTINGS.width, SETTINGS.height, SETTINGS.fps)
        slate = Slate(
            canvas, region=Names("Абай", "Абай"), title=Names("Есеп", "Отчёт"), zone="Asia/Almaty"
        )  # fmt: skip
        self.refused: list[tuple[str, str]] = []
        self.mixer = Mixer(canvas, slate, start_tick=25)
        self.mixer.start()
        self.mixer.take(HALL)
        self.recorder = self.master()
        self.encoder = self.leg(
            "encoder", LegKind.ENCODER,
            Encoding(SETTINGS, self.mixer, self.hub, ffmpeg_path()).attempt,
            stall_s=2.0, start_s=20.0,
        )  # fmt: skip
        self.port = port or free_port(
            socket.SOCK_DGRAM if kind == "srt" else socket.SOCK_STREAM
        )  # fmt: skip
        self.source(kind)

    def source(self, kind: str) -> None:
        secret_file = self.folder / "hall-secret"
        secret_file.write_text(SECRET)
        reference = f"file:{secret_file}"
        secret = {"srt": "passphrase", "rtmp": "key"}.get(kind)
        more = (
            {secret: reference, "port": self.port, "host": "127.0.0.1"} if secret else {}
        )  # fmt: skip
        source = Source(kind=kind, **more)  # type: ignore[arg-type]
        secrets = Secrets(self.redactor, None, self.folder / "secret.key")
        self.ingest: RtmpIngest | None = None
        if kind == "rtmp":
            self.ingest = RtmpIngest(
                "hall", "127.0.0.1", self.port, self.folder,
                key=lambda: secrets.value(reference), on_refused=self._refused,
            )  # fmt: skip
            self.leg("ingest:hall", LegKind.INGEST, self.ingest.attempt, stall_s=6.0, start_s=20.0)
        receiver = None
        if secret:
            receiver = Receiver(
                source, ffmpeg_path(), secrets, ingest=self.ingest, on_refused=self._refused,
                clean=self.redactor.clean,
            )  # fmt: skip
            self.leg(
                "receiver:hall", LegKind.INGEST, receiver.attempt, stall_s=4.0, start_s=None
            )  # fmt: skip
        feed = Feed(
            source, SETTINGS, self.mixer, ffmpeg_path(), receiver=receiver,
            clean=self.redactor.clean,
        )  # fmt: skip
        self.feed = self.leg("feed:hall", LegKind.FEED, feed.attempt, stall_s=4.0, start_s=None)

    def _refused(self, address: str, reason: str) -> None:
        self.refused.append((address, reason))

    @property
    def address(self) -> str:
        """Where the hall's encoder sends to, with the key where the address carries it."""
        if self.ingest is not None:
            return f"rtmp://127.0.0.1:{self.port}/live/{SECRET}"
        return f"srt://127.0.0.1:{self.port}"

    @property
    def shown(self) -> str:
        return str(self.mixer.state().shown)

    async def shows(self, scene: str, seconds: float = 30.0) -> float:
        return await until(lambda: self.shown == scene, seconds)

    async def goes_on(self, seconds: float) -> None:
        """Wait until so much more of the programme was made."""
        goal = self.mixer.state().programme_s + seconds
        await until(lambda: self.mixer.state().programme_s >= goal, seconds + 20)

    async def end(self) -> Path:
        """Close in the order of a meeting; the master's file."""
        for what in ("feed:", "receiver:", "ingest:"):
            await self.legs.stop(self.legs.ids(what))
        if self.ingest is not None:
            await self.ingest.close()
        await self.legs.stop(self.legs.ids("relay:"))
        await self.legs.stop(["encoder"])
        await self.finish()
        await asyncio.to_thread(self.mixer.stop)
        return self.folder / "master" / "part-0001.ts"


@asynccontextmanager
async def programme(folder: Path, kind: str, port: int = 0) -> AsyncIterator[Programme]:
    it = Programme(folder, Hub())
    it.begin(kind, port)
    try:
        yield it
    finally:
        await it.end()
