"""The hall's encoder, received by a real RTMP server and by a real SRT listener."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streamer.demo.accounts import Account, free_port
from streamer.demo.hall import Form, HallEncoder
from streamer.demo.measure import Shown, av_offset, read_picture, read_sound, timestamps
from streamer.media.child import Child
from streamer.media.commands import ffmpeg_path
from tests.standins.pushing import SMALL

pytestmark = pytest.mark.component


async def until(reached: Callable[[], object], *, timeout: float = 15.0) -> None:
    async with asyncio.timeout(timeout):
        while not reached():  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.05)


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    account = Account("ingest", tmp_path / "ingest", key="hall")
    await account.start()
    yield account
    await account.stop()


def written(path: Path, kilobytes: int) -> Callable[[], bool]:
    """Whether the file has so many kilobytes."""
    return lambda: path.exists() and path.stat().st_size > kilobytes * 1000


def grown(account: Account, number: int, kilobytes: int) -> Callable[[], bool]:
    """Whether recording `number` (from 1) has so many kilobytes."""

    def reached() -> bool:
        files = account.recordings()
        return len(files) >= number and written(files[number - 1], kilobytes)()

    return reached


async def test_counter_flash_and_beep_can_be_read_at_the_receiver(account: Account) -> None:
    hall = HallEncoder(account.url, form=SMALL)
    await hall.start()
    await until(grown(account, 1, 800))
    await hall.stop()
    (file,) = account.recordings()
    picture = read_picture(file)
    counters = [frame.counter for frame in picture.frames]
    first = counters[0]
    assert first is not None
    assert counters == list(range(first, first + len(counters)))
    assert {frame.shown for frame in picture.frames} == {Shown.HALL}
    offset = av_offset(picture, read_sound(file))
    assert len(offset.each_ms) >= 2
    assert offset.worst_ms == pytest.approx(0, abs=25)


async def test_killed_it_stays_away_and_restarted_its_counter_goes_on(account: Account) -> None:
    hall = HallEncoder(account.url, form=SMALL)
    await hall.start()
    await until(grown(account, 1, 200))
    await hall.kill()
    assert hall.pid is None
    assert hall.tries == 1
    await hall.restart()
    await until(grown(account, 2, 200))
    await hall.stop()
    before, after = (read_picture(file).frames for file in account.recordings())
    assert before[-1].counter is not None
    assert after[0].counter is not None
    assert after[0].counter > before[-1].counter


async def test_after_a_loss_it_connects_again_by_itself(account: Account) -> None:
    hall = HallEncoder(account.url, form=SMALL)
    await hall.start()
    await until(grown(account, 1, 100))
    await account.stop()
    await until(lambda: hall.tries >= 2)
    await account.start()
    await until(grown(account, 2, 100))
    await hall.stop()


@pytest.mark.parametrize(
    ("form", "kinds"),
    [
        (Form(640, 360, video=False), {"audio"}),
        (Form(640, 360, audio=False, video_kbps=1500), {"video"}),
        (Form(638, 358, video_kbps=1500), {"video", "audio"}),
        (Form(640, 360, fps=50, video_kbps=1500), {"video", "audio"}),
        (Form(640, 360, variable_rate=True, video_kbps=1500), {"video", "audio"}),
    ],
    ids=["audio only", "video only", "odd size", "50 fps", "variable rate"],
)
async def test_other_forms(account: Account, form: Form, kinds: set[str]) -> None:
    hall = HallEncoder(account.url, form=form)
    await hall.start()
    await until(grown(account, 1, 300 if form.video else 20))
    await hall.stop()
    (file,) = account.recordings()
    assert set(timestamps(file)) == kinds
    read = read_picture(file).frames
    assert all(frame.shown is Shown.HALL for frame in read)
    if form.variable_rate:
        assert len({round(frame.seconds, 2) for frame in read}) > 1
    elif form.video:
        assert read[0].seconds == pytest.approx(1 / form.fps, abs=0.002)


@asynccontextmanager
async def srt_listener(port: int, passphrase: str, path: Path) -> AsyncIterator[Child]:
    address = f"srt://127.0.0.1:{port}?mode=listener&passphrase={passphrase}&timeout=2000000"
    child = await Child.start(
        "listener",
        [ffmpeg_path(), "-nostdin", "-v", "error", "-y", "-f", "mpegts", "-i", address,
         "-c", "copy", "-flush_packets", "1", "-f", "mpegts", str(path)],
    )  # fmt: skip
    try:
        yield child
    finally:
        await child.kill()


async def test_srt_with_passphrase_and_a_listener_that_dies(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    hall = HallEncoder(f"srt://127.0.0.1:{port}", passphrase="one-two-three", form=SMALL)
    files = [tmp_path / "first.ts", tmp_path / "second.ts"]
    await hall.start()
    try:
        for path in files:
            async with srt_listener(port, "one-two-three", path):
                await until(written(path, 200))
    finally:
        await hall.stop()
    assert hall.tries >= 2
    assert "one-two-three" not in hall.last_words
    assert read_picture(files[1]).frames[0].shown is Shown.HALL


async def test_srt_with_a_wrong_passphrase_never_gets_in(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    hall = HallEncoder(f"srt://127.0.0.1:{port}", passphrase="not-the-right-one", form=SMALL)
    path = tmp_path / "nothing.ts"
    async with srt_listener(port, "one-two-three", path):
        await hall.start()
        await until(lambda: hall.tries >= 3)
        await hall.stop()
    assert not path.exists()
