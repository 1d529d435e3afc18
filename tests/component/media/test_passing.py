"""Pass mode with a real source: receiver, splicer, hub, relay, recorders; what arrives is read."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.config.models import Source
from streamer.demo.accounts import free_port
from streamer.demo.hall import Form, HallEncoder
from streamer.demo.measure import timestamps
from streamer.domain.errors import Act
from streamer.domain.legs import LegKind, LegState
from streamer.domain.meeting import Names
from streamer.media import hls
from streamer.media.child import Child
from streamer.media.commands import ffmpeg_path
from streamer.media.ingest import RtmpIngest
from streamer.media.recorder import HlsRecorder
from streamer.programme.canvas import Canvas
from streamer.programme.passing import Passing
from streamer.programme.scenes import (
    HALL,
    SLATE,
    Change,
    Scene,
    SceneShown,
    SourceBack,
    SourceChanged,
    SourceLost,
)
from streamer.programme.slate import Slate
from streamer.run.passing import PassFeed, Splicing
from streamer.run.receiving import Receiver
from streamer.run.secrets import Secrets
from tests.component.media.stage import Stage, given, until
from tests.standins import rtmp_wire as wire
from tests.standins.rtmp_sink import Push, RtmpSink

pytestmark = pytest.mark.component

CANVAS = Canvas(640, 360, 25)
SMALL = Form(640, 360, video_kbps=800, gop_s=1)
OTHER = Form(480, 272, video_kbps=600, gop_s=1)
SECRET = "quiet-hall-7391-passphrase"
SLATE_Y, HALL_Y = 45, 210
"""Brightness at the left edge: the slate's dark blue, and the test hall's yellow frame."""


def draw(canvas: Canvas) -> NDArray[np.uint8]:
    names = Names("Абай", "Абай")
    return Slate(canvas, region=names, title=names, zone="Asia/Almaty").still()


class Passed(Stage):
    """A stage whose bytes come from the splicer. `told`: what the programme told."""

    def begin(self, kind: str) -> None:
        self.told: list[Change] = []
        self.passing = Passing(CANVAS, draw, epoch=0.0, on_change=self.told.append)
        self.port = free_port(socket.SOCK_DGRAM if kind == "srt" else socket.SOCK_STREAM)
        secret = self.folder / "hall-secret"
        secret.write_text(SECRET)
        reference = f"file:{secret}"
        source = Source.model_validate(
            {"kind": kind, "port": self.port, "host": "127.0.0.1",
             "passphrase" if kind == "srt" else "key": reference}
        )  # fmt: skip
        secrets = Secrets(self.redactor, None, self.folder / "secret.key")
        self.ingest: RtmpIngest | None = None
        if kind == "rtmp":
            self.ingest = RtmpIngest(
                "hall", "127.0.0.1", self.port, self.folder,
                key=lambda: secrets.value(reference), on_refused=lambda *_: None,
            )  # fmt: skip
            self.leg("ingest:hall", LegKind.INGEST, self.ingest.attempt, stall_s=6.0, start_s=20.0)
        receiver = Receiver(source, ffmpeg_path(), secrets, ingest=self.ingest)
        self.leg("receiver:hall", LegKind.INGEST, receiver.attempt, stall_s=4.0, start_s=None)
        self.feed = self.leg(
            "feed:hall", LegKind.FEED, PassFeed(receiver, self.passing).attempt,
            stall_s=4.0, start_s=None,
        )  # fmt: skip
        self.viewing = HlsRecorder(self.hub, self.folder / "hls", ffmpeg_path(), 1)
        self.recorder = self.leg(
            "recorder:b", LegKind.RECORDER, self.viewing.attempt, stall_s=6.0, start_s=20.0
        )
        self.recording = self.master()
        self.passing.start()
        splicing = Splicing(self.passing, self.hub, self.viewing.cut)
        self.leg("encoder", LegKind.ENCODER, splicing.attempt, stall_s=2.0, start_s=20.0)

    def hall(self, form: Form) -> HallEncoder:
        if self.ingest is not None:
            address = f"rtmp://127.0.0.1:{self.port}/live/{SECRET}"
            return HallEncoder(address, form=form)
        return HallEncoder(f"srt://127.0.0.1:{self.port}", passphrase=SECRET, form=form)

    async def shows(self, scene: Scene) -> float:
        return await until(lambda: self.passing.state().shown == scene)

    async def goes_on(self, seconds: float) -> None:
        goal = self.passing.state().programme_s + seconds
        await until(lambda: self.passing.state().programme_s >= goal)


@asynccontextmanager
async def passed(folder: Path, kind: str = "srt") -> AsyncIterator[Passed]:
    it = Passed(folder)
    it.begin(kind)
    try:
        yield it
    finally:
        for what in ("feed:", "receiver:", "ingest:", "relay:"):
            await it.legs.stop(it.legs.ids(what))
        if it.ingest is not None:
            await it.ingest.close()
        await it.legs.stop(["encoder"])
        await it.finish()
        it.passing.stop()


def runs(data: bytes, form: str) -> list[tuple[int, int]]:
    """(width, brightness at the left edge) of what a decoder sees, each run once."""
    found: list[tuple[int, int]] = []
    with av.open(io.BytesIO(data), format=form) as media:
        for frame in media.decode(video=0):
            y = int(np.median(frame.to_ndarray()[: frame.height // 2, :4]))
            near = min((SLATE_Y, HALL_Y), key=lambda known: abs(known - y))
            assert abs(near - y) < 12, (y, frame.width)
            if found[-1:] != [(frame.width, near)]:
                found.append((frame.width, near))
    return found


def largest_gap(push: Push) -> float:
    return max(after - before for before, after in pairwise(push.arrived))


async def test_hall_slate_hall_and_another_size_on_one_connection(tmp_path: Path) -> None:
    async with RtmpSink(keep=True) as sink, passed(tmp_path) as it:
        relay = it.relay("account", given(sink.url))
        await it.running(relay)
        it.passing.take(HALL)
        hall = it.hall(SMALL)
        await hall.start()
        await it.shows(HALL)
        await it.goes_on(4)
        await hall.kill()
        died = it.passing.state().programme_s
        await it.shows(SLATE)
        assert it.passing.state().programme_s - died < 1.0
        await it.goes_on(3)
        await hall.start()
        await it.shows(HALL)
        await it.goes_on(3)
        await hall.stop()
        await it.shows(SLATE)
        other = it.hall(OTHER)
        await other.start()
        await it.shows(HALL)
        await it.goes_on(4)
        it.passing.take(SLATE)
        await it.shows(SLATE)
        await it.goes_on(3)
        await other.stop()

        (push,) = sink.pushes
        assert sink.connections == 1
        assert relay.tries == 1
        assert push.monotonic
        assert largest_gap(push) < 1.0
        seen = await asyncio.to_thread(runs, push.flv(), "flv")
        big, small = (640, HALL_Y), (480, HALL_Y)
        dark = (640, SLATE_Y)
        assert seen == [dark, big, dark, big, dark, small, (480, SLATE_Y)]
        assert len(push.headers[wire.VIDEO]) >= 7
        await it.finish()

        feeds = [type(change) for change in it.told if not isinstance(change, SceneShown)]
        assert feeds[:3] == [SourceLost, SourceBack, SourceLost]
        (changed,) = [change for change in it.told if isinstance(change, SourceChanged)]
        assert (changed.before[:7], changed.after[:7]) == ("640x360", "480x272")
        # The master simply goes on.
        (master,) = sorted((tmp_path / "master").iterdir())
        times = timestamps(master)
        assert times["video"].monotonic
        assert times["video"].largest_gap < 0.5
        assert times["audio"].monotonic
        assert times["audio"].largest_gap < 0.6
        assert await asyncio.to_thread(runs, master.read_bytes(), "mpegts") == seen
        await asyncio.to_thread(viewing_copy_is_whole, tmp_path, seen, times["video"])


def viewing_copy_is_whole(folder: Path, seen: list[tuple[int, int]], master: object) -> None:
    """Each part is of one form and plays by itself; together they are the programme."""
    parts = sorted((folder / "hls").glob("part-*"))
    assert len(parts) == len(seen)
    lengths = 0.0
    for part, run in zip(parts, seen, strict=True):
        segments = sorted(part.glob("*.m4s"))
        data = (part / "init.mp4").read_bytes() + b"".join(s.read_bytes() for s in segments)
        assert runs(data, "mp4") == [run], part
        lengths += hls.parse((part / "index.m3u8").read_text()).seconds
    hls.write_composed(folder, True)
    playlist = (folder / "hls" / "index.m3u8").read_text()
    assert playlist.count("#EXT-X-DISCONTINUITY\n") == len(parts) - 1
    first, last = getattr(master, "first"), getattr(master, "last")  # noqa: B009
    assert lengths == pytest.approx(last - first, abs=1.5)


async def test_an_rtmp_hall_comes_back_within_two_seconds(tmp_path: Path) -> None:
    async with RtmpSink(keep=True) as sink, passed(tmp_path, "rtmp") as it:
        relay = it.relay("account", given(sink.url))
        it.passing.take(HALL)
        hall = it.hall(Form(640, 360, video_kbps=800, gop_s=2))
        await hall.start()
        await it.running(relay)
        await it.shows(HALL)
        await it.goes_on(3)
        await hall.kill()
        assert await it.shows(SLATE) < 1.5
        await hall.start()
        await it.shows(HALL)
        await it.goes_on(2)
        await hall.stop()
        (push,) = sink.pushes
        assert await asyncio.to_thread(runs, push.flv(), "flv") in (
            [(640, SLATE_Y), (640, HALL_Y), (640, SLATE_Y), (640, HALL_Y)],
            [(640, HALL_Y), (640, SLATE_Y), (640, HALL_Y)],
        )
        assert largest_gap(push) < 1.0


async def test_a_source_that_cannot_be_copied_is_told_and_a_good_one_is_taken(
    tmp_path: Path,
) -> None:
    async with passed(tmp_path) as it:
        it.passing.take(HALL)
        wrong = await Child.start(
            "wrong",
            [ffmpeg_path(), "-v", "error", "-nostdin", "-re", "-f", "lavfi",
             "-i", "testsrc2=size=320x240:rate=25", "-c:v", "mpeg2video", "-g", "25",
             "-f", "mpegts",
             f"srt://127.0.0.1:{it.port}?mode=caller&passphrase={SECRET}&pbkeylen=16"],
        )  # fmt: skip
        await until(lambda: it.feed.act is Act.CORRECT_SETTING)
        assert "MPEG-2" in it.feed.error
        assert "mode: mix" in it.feed.error
        assert it.passing.state().shown == SLATE
        await wrong.kill()
        hall = it.hall(SMALL)
        await hall.start()
        await it.shows(HALL)
        await it.running(it.feed)
        assert it.feed.error == ""
        await until(lambda: it.passing.preview())
        await until(lambda: it.passing.state().peak_db[0] > -40)
        with av.open(io.BytesIO(it.passing.preview(320)), format="mjpeg") as image:
            assert next(image.decode(video=0)).width == 320
        told = [c for c in it.changes if c.status.id == "feed:hall"]
        assert sum(c.status.state is LegState.BACKING_OFF for c in told) <= 2
        await hall.stop()
