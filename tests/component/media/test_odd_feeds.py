"""Whatever form a source has: its colours, shape and times arrive right, and nothing dies of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from streamer.config.models import Source
from streamer.domain.legs import LegState
from streamer.media.child import Child
from streamer.media.commands import ffmpeg_path
from tests.component.media.kinds import Kinds, Tap, kinds, udp_port
from tests.component.media.stage import until

pytestmark = pytest.mark.component

RED = (63, 102, 240)
"""Y, U, V of pure red in BT.709, TV range."""
IN_601, IN_FULL = (81, 90, 240), (54, 99, 255)
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-qp", "4")
TAGS = {
    "bt709": ("-colorspace", "bt709", "-color_range", "tv"),
    "bt601": ("-colorspace", "smpte170m", "-color_range", "tv"),
    "full": ("-colorspace", "bt709", "-color_range", "pc"),
}


def plain(colour: tuple[int, int, int], size: str = "320x180", rate: int = 25) -> str:
    """A picture of one colour, given as it stands in the file."""
    y, u, v = colour
    return (
        f"color=c=black:s={size}:r={rate},format=yuv420p,geq=lum={y}:cb={u}:cr={v}"
    )  # fmt: skip


async def made(path: Path, *words: str) -> Path:
    """A file of three seconds."""
    child = await Child.start(
        "film", [ffmpeg_path(), "-nostdin", "-v", "error", *words, "-t", "3", "-y", str(path)]
    )
    assert await child.wait() == 0, child.last_words
    return path


def file(path: Path) -> Source:
    return Source.model_validate({"kind": "file", "path": str(path)})


async def tapped(it: Kinds, ticks: int = 20) -> Tap:
    with Tap(it.mixer) as tap:
        await until(lambda: tap.ticks >= ticks)
    return tap


def colour(tap: Tap, x: float = 0.5, y: float = 0.5) -> tuple[int, int, int]:
    """The colour at a point of the last picture (U and V of its middle)."""
    luma = tap.lumas[-1]
    return (int(luma[int(y * luma.shape[0]), int(x * luma.shape[1])]), *tap.chromas[-1])


FORMS: dict[str, tuple[str, ...]] = {
    "bt709": ("-f", "lavfi", "-i", plain(RED) + ",setparams=colorspace=bt709:range=tv",
              *X264, *TAGS["bt709"]),
    "bt601": ("-f", "lavfi", "-i", plain(IN_601) + ",setparams=colorspace=smpte170m:range=tv",
              *X264, *TAGS["bt601"]),
    "full range": ("-f", "lavfi", "-i", plain(IN_FULL) + ",setparams=colorspace=bt709:range=pc",
                   *X264, *TAGS["full"]),
    "untagged": ("-f", "lavfi", "-i", plain(RED), *X264),
    "10 bit 4:2:2": ("-f", "lavfi", "-i", plain(RED) + ",setparams=colorspace=bt709:range=tv",
                     *X264, "-pix_fmt", "yuv422p10le", *TAGS["bt709"]),
    "200 a second": ("-f", "lavfi", "-i", plain(RED, rate=200), *X264),
    "1 a second": ("-f", "lavfi", "-i", plain(RED, rate=1), *X264, "-g", "1"),
    "b-frames": ("-f", "lavfi", "-i", plain(RED), *X264, "-bf", "3"),
    "interlaced": ("-f", "lavfi", "-i", plain(RED), *X264, "-flags", "+ildct+ilme",
                   "-x264-params", "tff=1"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
async def test_colours_arrive_as_bt709(tmp_path: Path, form: str) -> None:
    path = await made(tmp_path / "film.mkv", *FORMS[form])
    async with kinds(tmp_path) as it:
        it.begin(file(path))
        await it.shows()
        tap = await tapped(it, 15)
    assert colour(tap) == pytest.approx(RED, abs=3)


SHAPES = {
    # name: size, what else, share of the canvas that is picture (across, down)
    "4:3": ("320x240", (), (0.75, 1.0)),
    "anamorphic": ("352x288", ("-aspect", "16:9"), (1.0, 1.0)),
    "tall": ("180x320", (), (0.316, 1.0)),
    "wide": ("640x160", (), (1.0, 0.444)),
    "odd": ("321x181", ("-pix_fmt", "yuv444p"), (1.0, 1.0)),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_picture_keeps_its_shape(tmp_path: Path, shape: str) -> None:
    size, more, (across, down) = SHAPES[shape]
    graph = f"color=c=white:s={size}:r=25"
    path = await made(tmp_path / "film.mkv", "-f", "lavfi", "-i", graph, *X264, *more)
    async with kinds(tmp_path) as it:
        it.begin(file(path))
        await it.shows()
        bright = (await tapped(it, 15)).lumas[-1] > 128
    assert bright[180].mean() == pytest.approx(across, abs=0.02)
    assert bright[:, 320].mean() == pytest.approx(down, abs=0.02)


async def test_a_turned_picture_is_turned_back(tmp_path: Path) -> None:
    await made(tmp_path / "a.mp4", "-f", "lavfi", "-i", "color=c=white:s=320x180:r=25", *X264)
    path = await made(
        tmp_path / "b.mp4", "-display_rotation", "90", "-i", str(tmp_path / "a.mp4"), "-c", "copy"
    )
    async with kinds(tmp_path) as it:
        it.begin(file(path))
        await it.shows()
        bright = (await tapped(it, 15)).lumas[-1] > 128
    assert bright[180].mean() == pytest.approx(0.316, abs=0.02)


@pytest.mark.parametrize(
    "sound", [("-ac", "1", "-ar", "16000"), ("-ac", "6", "-ar", "44100")], ids=["mono 16k", "5.1"]
)
async def test_any_sound_is_heard(tmp_path: Path, sound: tuple[str, ...]) -> None:
    path = await made(
        tmp_path / "film.mkv", "-f", "lavfi", "-i", "sine=f=1000:r=48000,volume=8", "-c:a",
        "pcm_s16le", *sound,
    )  # fmt: skip
    async with kinds(tmp_path) as it:
        it.begin(file(path))
        await until(lambda: it.mixer.state().peak_db[0] > -30)
        assert str(it.mixer.state().shown) == "slate"  # no picture: the card
        heard = np.concatenate((await tapped(it, 25)).sounds[-20:])
    spectrum = np.abs(np.fft.rfft(heard))
    assert abs(int(spectrum.argmax()) * 48_000 / len(heard) - 1000) < 20


def streaming(path: Path, address: str, *more: str) -> list[str]:
    return [
        ffmpeg_path(), "-nostdin", "-v", "error", "-re", "-i", str(path), *more, "-c", "copy",
        "-f", "mpegts", f"{address}?mode=caller&latency=100000",
    ]  # fmt: skip


async def part(path: Path, luma: str, size: str, start_s: float) -> bytes:
    """A piece of a transport stream of one brightness with a tone, whose times begin at
    `start_s`."""
    await made(
        path, "-f", "lavfi", "-i", f"color=c={luma}:s={size}:r=25", "-f", "lavfi", "-i",
        "sine=f=1000:r=48000", *X264, "-c:a", "aac", "-output_ts_offset", str(start_s), "-f",
        "mpegts", "-muxdelay", "0",
    )  # fmt: skip
    return await asyncio.to_thread(path.read_bytes)


class Wire:
    """Sends bytes to an SRT source at the pace of a camera, as they are."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Wire:
        self._child = await asyncio.create_subprocess_exec(
            ffmpeg_path(), "-nostdin", "-v", "error", "-f", "data", "-i", "pipe:0", "-map", "0",
            "-c", "copy", "-f", "data", "-flush_packets", "1",
            f"srt://127.0.0.1:{self._port}?mode=caller&latency=100000&pkt_size=1316",
            stdin=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return self

    async def send(self, data: bytes, seconds: float = 3.0) -> None:
        assert self._child.stdin
        pieces = 75
        size = -(-len(data) // pieces // 188) * 188
        for at in range(0, len(data), size):
            self._child.stdin.write(data[at : at + size])
            await self._child.stdin.drain()
            await asyncio.sleep(seconds / pieces)  # the pace of the source itself

    async def __aexit__(self, *_: object) -> None:
        if self._child.returncode is None:
            self._child.kill()
        await self._child.wait()


@pytest.mark.parametrize("second", [3.0, 500.0, 200.0], ids=["on", "forward", "back"])
async def test_times_that_jump_and_a_size_that_changes(tmp_path: Path, second: float) -> None:
    """The second piece comes in the same connection, with another size and other times."""
    first_at = 400.0 if second == 200.0 else 0.0
    dark = await part(tmp_path / "a.ts", "0x303030", "320x180", first_at)
    bright = await part(tmp_path / "b.ts", "white", "640x480", second)
    port = udp_port()
    async with kinds(tmp_path) as it:
        it.begin(Source.model_validate({"kind": "srt", "port": port, "host": "127.0.0.1"}))
        with Tap(it.mixer) as tap:

            def middle() -> int:
                return int(tap.lumas[-1][180, 320]) if tap.lumas else 0

            async def send() -> None:
                async with Wire(port) as wire:
                    await wire.send(dark)
                    await wire.send(bright)
                    with_garbage = bytearray(bright)
                    with_garbage[20_000:21_000] = b"\x47garbage\xff" * 111 + b"x"
                    await wire.send(bytes(with_garbage))

            for _ in range(2):  # a jump back ends the connection; an encoder comes again
                sender = asyncio.create_task(send())
                await asyncio.wait({sender})
                if max((int(luma[180, 320]) for luma in tap.lumas), default=0) > 200:
                    break
        seen = np.array([int(luma[180, 320]) for luma in tap.lumas])
    assert (abs(seen - 56) < 8).sum() >= 20
    assert (seen > 200).sum() >= 20
    assert LegState.FAILED not in it.states(it.get("feed:hall"))
