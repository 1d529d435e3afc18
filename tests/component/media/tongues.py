"""A programme with a moving picture and one tone for each language, encoded as a meeting's is."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np

from streamer.config.models import ProgrammeSettings
from streamer.domain.legs import LegKind
from streamer.media.commands import ffmpeg_path
from streamer.media.hub import Hub
from streamer.media.leg import Leg
from streamer.media.recorder import HlsRecorder, LowRecorder
from streamer.media.relay import Address, Relay
from streamer.media.renditions import Viewing
from streamer.programme.canvas import Block, Canvas, FramePool, Picture
from streamer.programme.output import Output
from streamer.run.encoding import Encoding
from tests.component.media.stage import Stage

TONES = (400, 1000)
"""Hertz of the main and of the second language."""
LANGUAGES = ("kk", "ru")
LARGE = ProgrammeSettings(width=1280, height=720, fps=25, video_kbps=2000, gop_s=2)


class TwoTongues(threading.Thread):
    """Stands for the mixer: hands pictures and one tone for each language to its outputs."""

    def __init__(self, canvas: Canvas, tones: tuple[int, ...]) -> None:
        super().__init__(name="two tongues", daemon=True)
        self.canvas, self._tones = canvas, tones
        self._pool = FramePool(canvas)
        self._outputs: list[Output] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._tick = 0
        self.epoch = 0.0
        """POSIX time of the first tick."""

    def attach_output(self, video_fd: int, *audio_fds: int, name: str = "encoder") -> Output:
        with self._lock:
            output = Output(self.canvas, video_fd, audio_fds, name=name, first_tick=self._tick)
            self._outputs.append(output)
            return output

    def detach_output(self, output: Output, *, drain: float = 1.0) -> None:
        with self._lock:
            self._outputs.remove(output)
        output.close(drain)

    def stop(self) -> None:
        self._over.set()
        self.join(5)

    def run(self) -> None:
        began, self.epoch = time.monotonic(), time.time()
        while not self._over.wait(
            max(0.0, began + self._tick / self.canvas.fps - time.monotonic())
        ):
            frame = self._pool.take()
            self._paint(frame.picture)
            sounds = [self._tone(hertz) for hertz in self._tones]
            with self._lock:
                for output in self._outputs:
                    output.offer(frame, sounds)
                self._tick += 1
            frame.release()

    def _paint(self, picture: Picture) -> None:
        y, u, v = self.canvas.planes(picture)
        y[:], u[:], v[:] = 60, 110, 150
        at = (self._tick * 8) % (y.shape[1] - 80)
        y[:, at : at + 80] = 220

    def _tone(self, hertz: int) -> Block:
        samples = self.canvas.sample_rate // self.canvas.fps
        at = np.arange(self._tick * samples, (self._tick + 1) * samples) / self.canvas.sample_rate
        wave = (0.3 * np.sin(2 * np.pi * hertz * at)).astype(np.float32)
        return np.repeat(wave[:, None], 2, axis=1)


class Tongues(Stage):
    """A stage whose bytes are such a programme: encoder, and the viewing copy in all renditions."""

    mixer: TwoTongues
    encoder: Leg
    copy: Leg
    low: Leg

    def begin(
        self, settings: ProgrammeSettings = LARGE, languages: tuple[str, ...] = LANGUAGES
    ) -> None:
        self.viewing = Viewing(
            languages=languages, sound_only=True, low=True, fps=settings.fps,
            video_kbps=settings.video_kbps, audio_kbps=settings.audio_kbps,
        )  # fmt: skip
        canvas = Canvas(settings.width, settings.height, settings.fps)
        self.mixer = TwoTongues(canvas, TONES[: len(languages)])
        self.mixer.start()
        recorder = HlsRecorder(
            self.hub, self.folder / "hls", ffmpeg_path(), settings.gop_s, viewing=self.viewing
        )
        self.copy = self.leg("recorder:b", LegKind.RECORDER, recorder.attempt, stall_s=6.0)
        low = LowRecorder(self.hub, recorder, ffmpeg_path(), settings.gop_s, self.viewing)
        self.low = self.leg("recorder:low", LegKind.RECORDER, low.attempt, stall_s=8.0)
        encoding = Encoding(
            settings, self.mixer, self.hub, ffmpeg_path(), languages=languages  # type: ignore[arg-type]
        )  # fmt: skip
        self.encoder = self.leg(
            "encoder", LegKind.ENCODER, encoding.attempt, stall_s=2.0, start_s=20.0
        )

    def relay_of(self, name: str, address: Address, sound: int) -> Leg:
        async def known() -> tuple[Address, ...]:
            return (address,)

        relay = Relay(
            self.hub, known, self.redactor.clean, connect_timeout_s=10.0, sound=sound,
            language=self.viewing.languages[sound],
        )  # fmt: skip
        return self.leg(f"relay:{name}", LegKind.RELAY, relay.attempt, start_s=30.0)

    async def end(self) -> None:
        """Relays, encoder, recorders, as at the end of a meeting."""
        await self.legs.stop(self.legs.ids("relay:"))
        await self.legs.stop(["encoder"])
        await self.finish()
        await asyncio.to_thread(self.mixer.stop)


@asynccontextmanager
async def tongues(folder: Path, languages: tuple[str, ...] = LANGUAGES) -> AsyncIterator[Tongues]:
    it = Tongues(folder, Hub())
    it.begin(languages=languages)
    try:
        yield it
    finally:
        await it.end()


def tone_of(path: Path) -> float:
    """Hertz of the strongest tone of the (only) sound of a file."""
    with av.open(str(path)) as media:
        rate = media.streams.audio[0].rate
        pieces = [frame.to_ndarray().mean(axis=0) for frame in media.decode(audio=0)]
    wave = np.concatenate(pieces)[rate // 2 :]
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(np.fft.rfftfreq(len(wave), 1 / rate)[spectrum.argmax()])
