"""Prepared pictures of a hall, and a plain ffmpeg that sends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from streamer.demo.hall import Form, picture_graph, sound_graph, video_options
from streamer.media.child import Child
from streamer.media.commands import ffmpeg_path

SMALL = Form(640, 360, video_kbps=1500, gop_s=1)


async def ffmpeg(*argv: str, deadline: float = 60.0) -> None:
    """Run ffmpeg to its end; AssertionError with its last words when it fails."""
    child = await Child.start("ffmpeg", [ffmpeg_path(), "-nostdin", "-v", "error", "-y", *argv])
    try:
        async with asyncio.timeout(deadline):
            assert await child.wait() == 0, child.last_words
    finally:
        await child.kill()


async def make(
    path: Path, seconds: float, form: Form = SMALL, *, picture: str = "", sound: str = ""
) -> Path:
    """A file as the hall would send it, as fast as it encodes; its format by the name's ending.

    `picture` and `sound` are filters that make a fault, such as a slate in the middle.
    """
    video = ",".join(filter(None, [picture_graph(form), picture]))
    audio = ",".join(filter(None, [sound_graph(), sound]))
    await ffmpeg(
        "-f", "lavfi", "-i", f"{video}[out0];{audio}[out1]", "-t", str(seconds),
        *video_options(form), "-c:a", "aac", "-b:a", "128k", "-ac", "2", str(path),
    )  # fmt: skip
    return path


@asynccontextmanager
async def push(
    recording: Path, url: str, *options: str, source: Sequence[str] = ("-re",)
) -> AsyncIterator[Child]:
    """A real ffmpeg that sends `recording` to `url`, in real time unless `source` says else."""
    argv = [
        ffmpeg_path(), "-nostdin", "-nostats", "-v", "error", *source, "-i", str(recording),
        "-c", "copy", *options, "-f", "flv", "-flvflags", "no_duration_filesize", url,
    ]  # fmt: skip
    child = await Child.start("push", argv)
    try:
        yield child
    finally:
        await child.kill()
