"""The hall's encoder: a separate ffmpeg that sends as OBS or a hardware encoder would.

Its picture can be read by a machine: a strip along the bottom carries the number of the frame in
black and white squares, and a white box flashes once a second together with a beep. So loss,
standstill and the offset of sound and picture can be counted wherever the picture arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from dataclasses import dataclass
from urllib.parse import quote

import imageio_ffmpeg

from streamer.media.child import Child

BITS = 16
"""Bits of the counter, lowest first: 43 minutes at 25 frames a second until it begins again."""
CELLS = BITS + 4
"""The strip: white, black, the bits, even parity, white."""
STRIP_HEIGHT = 1 / 9
"""Height of the strip, as a share of the picture's."""
FLASH = (0.70, 0.10, 0.20, 0.20)
"""The flash: left, top, width, height, as shares of the picture's."""
FLASH_S = 0.08
RETRY_S = 0.5
"""Seconds between two tries after a loss, as OBS can be set to."""
LADDER = ((signal.SIGINT, 1.0), (signal.SIGINT, 1.0), (signal.SIGKILL, 5.0))


@dataclass(frozen=True, slots=True)
class Form:
    """What the encoder sends. Rates in kbit/s."""

    width: int = 1280
    height: int = 720
    fps: int = 25
    video: bool = True
    audio: bool = True
    variable_rate: bool = False
    """Leave out frames irregularly, with timestamps that say so."""
    video_kbps: int = 3000
    audio_kbps: int = 128
    gop_s: int = 2


class HallEncoder:
    """Sends to one address, and tries again after every loss until it is stopped."""

    def __init__(
        self,
        address: str,
        *,
        passphrase: str = "",
        form: Form | None = None,
        latency_ms: int = 120,
        name: str = "hall encoder",
    ) -> None:
        """`address`: `srt://HOST:PORT` (we call) or `rtmp://HOST:PORT/APP/KEY`.

        `passphrase` is for SRT. It and the key stand in ffmpeg's argv: the encoder stands for a
        device of another house and hides nothing of its own.
        """
        self.form = form or Form()
        self.name = name
        self._address = address
        self._passphrase = passphrase
        self._latency_ms = latency_ms
        self._began = time.monotonic()
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self.tries = 0
        """Connections tried so far."""

    @property
    def fps(self) -> int:
        return self.form.fps

    @property
    def size(self) -> tuple[int, int]:
        return self.form.width, self.form.height

    @property
    def pid(self) -> int | None:
        """The ffmpeg that runs just now."""
        return self._child.pid if self._child and self._child.returncode is None else None

    @property
    def last_words(self) -> str:
        """What ffmpeg said last, without secrets."""
        return self._child.last_words if self._child else ""

    async def start(self) -> None:
        """Begin to send. Safe to call while it sends."""
        if self._task is None or self._task.done():
            self._stop.clear()
            self._task = asyncio.create_task(self._send_until_stopped(), name=self.name)

    async def stop(self) -> None:
        """Say goodbye and end."""
        await self._end(LADDER)

    async def kill(self) -> None:
        """The power fails: nothing more is sent, nobody is told, until `start` or `restart`."""
        await self._end(((signal.SIGKILL, 5.0),))

    async def restart(self) -> None:
        """Switch off and on."""
        await self.kill()
        await self.start()

    async def _end(self, ladder: tuple[tuple[signal.Signals, float], ...]) -> None:
        task, self._task = self._task, None
        self._stop.set()
        while task is not None and not task.done():
            # A child that was just being started when we came is met in the next round.
            if self._child is not None:
                await self._child.stop(ladder)
            await asyncio.wait({task}, timeout=0.1)
        if task is not None:
            task.result()

    async def _send_until_stopped(self) -> None:
        while not self._stop.is_set():
            self.tries += 1
            self._child = await Child.start(self.name, self.argv(), clean=self._clean)
            await self._child.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S):
                    await self._stop.wait()

    def _clean(self, line: str) -> str:
        for secret in (self._passphrase, self._address.rpartition("/")[2]):
            if secret:
                line = line.replace(secret, "***")
        return line

    def argv(self) -> list[str]:
        """The command line of one connection; the counter goes on where time is."""
        form = self.form
        # ffmpeg begins half a second ahead of time; a second for each try keeps numbers apart.
        first = round((time.monotonic() - self._began + self.tries) * form.fps)
        graphs = []
        if form.video:
            graphs.append(picture_graph(form, first) + "[out0]")
        if form.audio:
            graphs.append(sound_graph() + f"[out{len(graphs)}]")
        argv = [
            str(imageio_ffmpeg.get_ffmpeg_exe()), "-nostdin", "-nostats", "-hide_banner",
            "-v", "warning", "-filter_threads", "1", "-re", "-f", "lavfi", "-i", ";".join(graphs),
        ]  # fmt: skip
        if form.video:
            argv += video_options(form)
        if form.audio:
            argv += ["-c:a", "aac", "-b:a", f"{form.audio_kbps}k", "-ac", "2"]
        return [*argv, *self._output()]

    def _output(self) -> list[str]:
        if not self._address.startswith("srt:"):
            return ["-flvflags", "no_duration_filesize", "-f", "flv", self._address]
        query = f"mode=caller&latency={self._latency_ms * 1000}&pkt_size=1316"
        if self._passphrase:
            query += f"&passphrase={quote(self._passphrase, safe='')}&pbkeylen=16"
        return ["-f", "mpegts", "-flush_packets", "1", f"{self._address}?{query}"]


def video_options(form: Form) -> list[str]:
    """H.264 as an encoder of a hall sends it: constant rate, closed groups of pictures."""
    gop = str(form.fps * form.gop_s)
    rate = f"{form.video_kbps}k"
    return [
        "-c:v", "libx264", "-preset", "superfast", "-threads", "1", "-profile:v", "high",
        "-bf", "0", "-pix_fmt", "yuv420p", "-b:v", rate, "-maxrate", rate, "-bufsize", rate,
        "-g", gop, "-keyint_min", gop, "-sc_threshold", "0",
        "-fps_mode", "vfr" if form.variable_rate else "cfr",
    ]  # fmt: skip


def picture_graph(form: Form, first: int = 0) -> str:
    """The filter graph of the picture; its first frame carries the number `first`."""
    left, top, width, height = FLASH
    box = f"x=iw*{left}:y=ih*{top}:w=iw*{width}:h=ih*{height}:t=fill"
    strip = f"y=ih*{1 - STRIP_HEIGHT}:h=ih*{STRIP_HEIGHT}+1:t=fill"
    bits = [f"mod(floor((n+{first})/{1 << bit}),2)" for bit in range(BITS)]
    cells = ["1", "0", *bits, f"mod({'+'.join(bits)},2)", "1"]
    edge = form.height // 48 * 2  # even, as 4:2:0 wants it
    filters = [
        f"testsrc2=size={form.width - 2 * edge}x{form.height - 2 * edge}:rate={form.fps}",
        "format=yuv420p",
        # A bright frame around it: the slate's is dark.
        f"pad={form.width}:{form.height}:{edge}:{edge}:color=yellow",
        f"drawbox={box}:color=black",
        f"drawbox={box}:color=white:enable='lt(mod(t+0.0001,1),{FLASH_S})'",
        f"drawbox=x=0:w=iw:{strip}:color=black",
    ]
    filters += [
        f"drawbox=x=iw*{cell}/{CELLS}:w=iw/{CELLS}:{strip}:color=white:enable='{when}'"
        for cell, when in enumerate(cells)
        if when != "0"
    ]
    if form.variable_rate:
        # Never around a flash, whose beginning is measured.
        filters.append("select='lt(mod(t,1),0.2)+gt(mod(n*n+3*n,7),2)'")
    return ",".join(filters)


def sound_graph() -> str:
    """A quiet hum, so that it is never silent, and a beep of 1 kHz with each flash."""
    beep = f"0.4*sin(2*PI*1000*t)*lt(mod(t,1),{FLASH_S})"
    return f"aevalsrc=exprs='{beep}+0.02*sin(2*PI*300*t)':sample_rate=48000"
