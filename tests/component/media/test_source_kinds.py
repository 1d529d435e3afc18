"""Each kind of source: sound and picture arrive together, it may go and come, no secret shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from aiohttp import web

from streamer.config.models import Source
from streamer.demo.hall import Form, picture_graph, sound_graph, video_options
from streamer.domain.legs import LegState
from streamer.media.child import Child
from streamer.media.commands import ffmpeg_path
from tests.component.media.kinds import Tap, kinds, site, udp_port
from tests.component.media.stage import all_argv, until
from tests.standins.rtsp_camera import G711, H264, RtspCamera, even_port, rtp_sender

pytestmark = pytest.mark.component
SMALL = Form(640, 360, video_kbps=1000, gop_s=1)
SECRET = "quiet-7391 it's/@secret"
NEEDLE = "7391"
TICK = 1920
"""Samples of one picture."""


def source(**values: object) -> Source:
    return Source.model_validate(values)


def sending(form: Form, *output: str) -> list[str]:
    """The hall's picture and sound, encoded, to `output`."""
    return [
        ffmpeg_path(), "-nostdin", "-v", "error", "-filter_threads", "1", "-re", "-f", "lavfi",
        "-i", f"{picture_graph(form)}[out0];{sound_graph()}[out1]", *video_options(form),
        "-c:a", "aac", "-ac", "2", *output,
    ]  # fmt: skip


@asynccontextmanager
async def running(argv: list[str]) -> AsyncIterator[Child]:
    child = await Child.start("sender", argv)
    try:
        yield child
    finally:
        await child.kill()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds of the hall as a file: longer than any test reads it."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    argv = [word for word in sending(SMALL, "-t", "25", "-y", str(path)) if word != "-re"]
    asyncio.run(_made(argv))
    return path


async def _made(argv: list[str]) -> None:
    child = await Child.start("film", argv)
    assert await child.wait() == 0, child.last_words


def nowhere_in_argv() -> None:
    """No command line of ours holds the secret, as it is or as part of an address."""
    ours = [
        line for line in all_argv(NEEDLE) if "sender" not in line and "mode=listener" not in line
    ]
    assert not ours


async def test_an_srt_encoder_that_listens_is_called_and_called_again(tmp_path: Path) -> None:
    port, passphrase = udp_port(), "quiet-7391-passphrase"
    async with kinds(tmp_path) as it:
        it.begin(source(
            kind="srt_caller", address=f"srt://127.0.0.1:{port}",
            passphrase=it.secret("phrase", passphrase), token=it.secret("id", "hall,7391"),
        ))  # fmt: skip
        argv = sending(
            SMALL, "-f", "mpegts",
            f"srt://127.0.0.1:{port}?mode=listener&passphrase={passphrase}&pbkeylen=16",
        )  # fmt: skip
        async with running(argv):
            await it.shows()
            nowhere_in_argv()
        assert await it.shows("slate", 6) < 4
        async with running(argv):
            await it.shows()
            assert abs(await it.offset()) <= 80
    for change in it.changes:
        assert NEEDLE not in f"{change.status.error}{change.status.target}"


@pytest.mark.parametrize("audio", [H264, G711], ids=["aac", "g711"])
async def test_a_camera_by_rtsp(tmp_path: Path, audio: tuple[str, ...]) -> None:
    camera = RtspCamera(tmp_path, login=f"admin:{SECRET}", form=SMALL, audio=audio)
    await camera.start()
    try:
        async with kinds(tmp_path) as it:
            it.begin(source(
                kind="rtsp", address=f"rtsp://127.0.0.1:{camera.port}/stream1",
                login=it.secret("login", f"admin:{SECRET}"),
            ))  # fmt: skip
            await it.shows()
            nowhere_in_argv()
            assert abs(await it.offset()) <= 80
    finally:
        await camera.stop()


async def test_a_camera_that_freezes_is_noticed_and_one_that_refuses_is_said(
    tmp_path: Path,
) -> None:
    camera = RtspCamera(tmp_path, login=f"admin:{SECRET}", form=SMALL)
    await camera.start()
    try:
        async with kinds(tmp_path) as it:
            address = f"rtsp://127.0.0.1:{camera.port}/stream1"
            wrong = source(kind="rtsp", address=address, login=it.secret("w", "admin:other-7391"))
            it.begin(
                source(kind="rtsp", address=address, login=it.secret("login", f"admin:{SECRET}")),
                sites=(site("abai", wrong),),
            )
            refused = it.get("receiver:site:abai")
            await until(lambda: "refuses our login" in refused.error)
            await it.shows()
            receiver = it.get("receiver:hall")
            camera.frozen = True
            assert await until(lambda: receiver.state is not LegState.RUNNING, 10) <= 4.5
            camera.frozen = False
            await it.shows("slate", 5)
            await it.shows()
        for change in it.changes:
            assert NEEDLE not in f"{change.status.error}{change.status.target}"
    finally:
        await camera.stop()


@asynccontextmanager
async def web_server(folder: Path, token: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Serves `folder`; playlists only to who knows the token. Also the paths asked for."""
    asked: list[str] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        name = request.match_info["name"]
        if name.endswith("m3u8") and request.query.get("token", "") != token:
            return web.Response(status=403)
        return web.FileResponse(folder / name)

    app = web.Application()
    app.router.add_get("/{name}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    assert listener._server is not None
    port = listener._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield f"http://127.0.0.1:{port}", asked
    finally:
        await runner.cleanup()


async def test_hls_with_a_token(tmp_path: Path, film: Path) -> None:
    hls = tmp_path / "hls"
    hls.mkdir()
    await _made([
        ffmpeg_path(), "-nostdin", "-v", "error", "-i", str(film), "-c", "copy", "-f", "hls",
        "-hls_time", "2", "-hls_list_size", "0", str(hls / "a.m3u8"),
    ])  # fmt: skip
    async with web_server(hls, SECRET) as (base, asked), kinds(tmp_path) as it:
        it.begin(
            source(
                kind="url", address=f"{base}/a.m3u8",
                token=it.secret("token", f"token={quote(SECRET, safe='')}"),
            ),
            sites=(site("abai", source(kind="url", address=f"{base}/a.m3u8")),),
        )  # fmt: skip
        await it.shows()
        nowhere_in_argv()
        await until(lambda: "refuses our login or token" in it.get("receiver:site:abai").error)
        assert abs(await it.offset()) <= 80
    assert "/a2.ts" in asked


async def test_a_playlist_names_no_file_of_ours(tmp_path: Path, film: Path) -> None:
    hls = tmp_path / "hls"
    hls.mkdir()
    (tmp_path / "ours.ts").write_bytes(b"x")
    await _made([ffmpeg_path(), "-nostdin", "-v", "error", "-i", str(film), "-c", "copy",
                 "-y", str(tmp_path / "ours.ts")])  # fmt: skip
    (hls / "a.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://"
        f"{tmp_path}/ours.ts\n#EXT-X-ENDLIST\n"
    )
    async with web_server(hls, "") as (base, asked), kinds(tmp_path) as it:
        it.begin(source(kind="url", address=f"{base}/a.m3u8"))
        receiver = it.get("receiver:hall")
        await until(lambda: asked and receiver.tries >= 2)
        assert receiver.bytes == 0


async def test_a_file_again_and_again(tmp_path: Path, film: Path) -> None:
    async with kinds(tmp_path) as it:
        it.begin(source(kind="file", path=str(film)))
        await it.shows()
        assert abs(await it.offset()) <= 80


class Line:
    """The link's part: hands on RTP and RTCP from `port` on to a participant's ports.

    Sender reports are repeated twice a second (ffmpeg sends one in five). `lossy`: every 60th
    packet is lost.
    """

    def __init__(self, to: int, *, lossy: bool = False) -> None:
        self.port, self._to, self._lossy = even_port(), to, lossy
        self.lost = self._count = 0
        self._ears: list[asyncio.DatagramTransport] = []
        self._reports: dict[int, bytes] = {}

    async def __aenter__(self) -> Line:
        loop = asyncio.get_running_loop()
        for channel in range(4):
            ear, _ = await loop.create_datagram_endpoint(
                partial(_Hop, self, channel), local_addr=("127.0.0.1", self.port + channel)
            )
            self._ears.append(ear)
        self._repeating = asyncio.create_task(self._repeat(), name="sender reports")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._repeating.cancel()
        await asyncio.gather(self._repeating, return_exceptions=True)
        for ear in self._ears:
            ear.close()

    def packet(self, channel: int, data: bytes) -> None:
        self._count += 1
        if channel % 2:
            self._reports[channel] = data
        if self._lossy and self._count % 60 == 0:
            self.lost += 1
            return
        self._ears[channel].sendto(data, ("127.0.0.1", self._to + channel))

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            for channel, report in self._reports.items():
                self._ears[channel].sendto(report, ("127.0.0.1", self._to + channel))


class _Hop(asyncio.DatagramProtocol):
    def __init__(self, line: Line, channel: int) -> None:
        self._line, self._channel = line, channel

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._line.packet(self._channel, data)


class Media:
    """A participant of the link, sent by ffmpeg."""

    def __init__(self, folder: Path) -> None:
        self.port, self._file = even_port(), folder / "participant.sdp"
        self.sdp = ""
        self.flowing, self.gone = asyncio.Event(), asyncio.Event()
        self.gone.set()
        self.asked = 0

    def want_keyframe(self) -> None:
        self.asked += 1

    @asynccontextmanager
    async def sends(self, form: Form, *video: str, lossy: bool = False) -> AsyncIterator[Line]:
        self._file.unlink(missing_ok=True)
        async with Line(self.port, lossy=lossy) as line:
            argv = rtp_sender(
                form, line.port, self._file, audio=("-c:a", "libopus", "-ac", "2"), video=video
            )
            async with running(argv):
                await until(lambda: self._file.exists() and "m=audio" in self._file.read_text())
                text = self._file.read_text()
                for at in (0, 2):
                    text = text.replace(f" {line.port + at} ", f" {self.port + at} ")
                self.sdp = text[text.index("v=0") :]
                self.gone.clear()
                self.flowing.set()
                try:
                    yield line
                finally:
                    self.flowing.clear()
                    self.gone.set()


VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-b:v", "1M")


@pytest.mark.parametrize("video", [(), VP8], ids=["h264", "vp8"])
async def test_a_participant_of_the_link(tmp_path: Path, video: tuple[str, ...]) -> None:
    async with kinds(tmp_path) as it:
        it.begin(source(kind="link"))
        media = Media(tmp_path)
        it.intakes._seats["feed:hall"].put(media)
        async with media.sends(SMALL, *video):
            await it.shows()
            assert media.asked >= 1
        await it.shows("slate", 5)
        async with media.sends(replace(SMALL, width=480, height=270, fps=15), *video):
            await it.shows()
            assert abs(await it.offset(7.0)) <= 80


async def test_the_test_pattern_flashes_beeps_and_speaks(tmp_path: Path) -> None:
    async with kinds(tmp_path) as it:
        it.begin(source(kind="test"))
        await it.shows("hall")
        assert it.get("feed:hall").detail == ""
        with Tap(it.mixer) as tap:
            await until(lambda: tap.ticks >= 160)
    luma = np.array([float(np.mean(picture[::7])) for picture in tap.lumas[:160]])
    flashes = np.flatnonzero(np.diff(luma) >= 40) + 1
    assert len(flashes) >= 3
    assert set(np.diff(flashes)) == {50}
    heard = np.concatenate(tap.sounds[:160])
    beeps = [beep_near(heard, int(flash)) for flash in flashes[1:]]
    assert max(map(abs, beeps)) <= 0.08
    between = heard[int(flashes[0]) * TICK + 4800 : int(flashes[1]) * TICK - 4800]
    assert np.abs(between).max() > 0.05  # it speaks; the hum alone is 0.02


def beep_near(heard: np.ndarray[Any, np.dtype[np.float32]], flash: int) -> float:
    """Seconds from the flash of a tick to the beginning of 1 kHz."""
    start = max(0, flash * TICK - 12_000)
    part = heard[start : start + 24_000]
    turn = np.exp(-2j * np.pi * 1000 * np.arange(len(part)) / 48_000)
    power = np.abs(np.add.reduceat(part * turn, np.arange(0, len(part), 240))) / 240
    loud = int(np.flatnonzero(power > 0.1)[0]) * 240
    return (start + loud - flash * TICK) / 48_000


async def test_more_sources_than_the_machine_decodes_are_stills_until_they_are_wanted(
    tmp_path: Path, film: Path
) -> None:
    async with web_server(film.parent, "") as (base, _), kinds(tmp_path) as it:
        film_source = source(kind="url", address=f"{base}/{film.name}")
        it.begin(
            source(kind="file", path=str(film)),
            sites=tuple(site(name, film_source) for name in ("a", "b", "c")), feeds=2,
        )  # fmt: skip

        def pictures(name: str) -> int:
            feed = it.mixer._feeds.get(f"feed:{name}")
            return feed.buffer.counts.pictures if feed else 0

        async def rates() -> dict[str, float]:
            """Pictures a second of each feed, over 1.6 s."""
            names = ("hall", "site:a", "site:b", "site:c")
            before = {name: pictures(name) for name in names}
            await it.goes_on(1.6)
            return {name: (pictures(name) - before[name]) / 1.6 for name in names}

        await until(lambda: len(it.intakes.reduced) == 2 and pictures("site:c") > 3)
        assert it.intakes.reduced == ("feed:site:b", "feed:site:c")
        assert it.get("feed:site:c").detail.startswith("still pictures: 4 sources send")
        rate = await rates()
        assert min(rate["hall"], rate["site:a"]) > 20, rate
        assert max(rate["site:b"], rate["site:c"]) < 4, rate
        assert it.mixer.state().feeds["feed:site:c"] == "ALIVE"

        it.intakes.want(["feed:hall", "feed:site:c"])
        assert it.intakes.reduced == ("feed:site:a", "feed:site:b")
        seen = pictures("site:c")
        assert await until(lambda: pictures("site:c") > seen + 12, 10) <= 2.5
        await until(lambda: it.get("feed:site:c").detail == "")
        rate = await rates()
        assert rate["site:c"] > 20, rate
        assert rate["site:a"] < 4, rate
        assert set(it.mixer.state().feeds.values()) == {"ALIVE"}, it.changes
        told = [data["feeds"] for name, data in it.recorded if name == "feeds_reduced"]
        assert told[-1] == ["feed:site:a", "feed:site:b"]
        assert len({tuple(feeds) for feeds in told}) == len(told), "each change once"
        assert it.get("receiver:site:c").tries == 1, "the connection was not touched"


async def test_a_participant_may_come_late_lose_packets_and_start_again(tmp_path: Path) -> None:
    async with kinds(tmp_path) as it:
        it.begin(sites=(site("abai"),))
        assert not it.legs.ids("feed:")
        media = Media(tmp_path)
        it.intakes.add_participant("abai", media)
        async with media.sends(SMALL, lossy=True) as line:
            await until(lambda: it.legs.running("feed:site:abai"))
            await it.goes_on(2.0)
            counts = it.mixer._feeds["feed:site:abai"].buffer.counts
            before = counts.pictures
            await it.goes_on(2.0)
            assert counts.pictures - before > 30
            assert line.lost > 10
        await until(lambda: not it.legs.running("feed:site:abai"), 5)
        it.intakes.remove_participant("abai")
        again = Media(tmp_path)
        it.intakes.add_participant("abai", again)
        before = counts.pictures
        async with again.sends(replace(SMALL, width=480, height=270)):
            await until(lambda: counts.pictures > before + 25)
