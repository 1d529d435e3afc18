"""Every fault of the RTMP sink, shown to a real ffmpeg."""

import asyncio
import re
from pathlib import Path

import pytest

from streamer.media.child import Child
from tests.standins.pushing import SMALL, push
from tests.standins.rtmp_sink import Mode, RtmpSink

pytestmark = pytest.mark.component


async def ends(child: Child, *, within: float = 8.0) -> str:
    """The last words of a push that must fail."""
    async with asyncio.timeout(within):
        assert await child.wait() != 0
    return child.last_words


async def test_ok_counts_frames_timestamps_and_keyframes(recording: Path) -> None:
    async with RtmpSink() as sink, push(recording, sink.url, "-t", "3") as child:
        async with asyncio.timeout(10):
            assert await child.wait() == 0, child.last_words
        await sink.until(lambda s: s.pushes[0].ended)
    (taken,) = sink.pushes
    assert taken.video_frames == 3 * SMALL.fps
    assert taken.audio_frames == pytest.approx(3 * 48000 / 1024, abs=3)
    assert set(taken.keyframe_spacing_ms) == {1000}
    assert taken.monotonic
    assert taken.last == pytest.approx(3000, abs=60)


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (Mode.REFUSE, "Connection refused"),
        (Mode.CLOSE_ACCEPT, "handshake|reset by peer"),
        (Mode.REJECT_CONNECT, "Server error|Input/output error"),
        (Mode.BADNAME, "Server error: Stream name is not known"),
    ],
)
async def test_a_refusal_ends_the_push_at_once(recording: Path, mode: Mode, says: str) -> None:
    async with RtmpSink(mode) as sink, push(recording, sink.url) as child:
        words = await ends(child)
    assert re.search(says, words), words
    assert sink.pushes == []


async def test_a_wrong_key_is_refused_in_every_mode(recording: Path) -> None:
    async with (
        RtmpSink(key="right") as sink,
        push(recording, sink.url.replace("right", "wrong")) as child,
    ):
        assert "Server error" in await ends(child)


async def test_reset_comes_in_the_middle_of_the_stream(recording: Path) -> None:
    async with (
        RtmpSink(Mode.RESET, reset_after=100_000) as sink,
        push(recording, sink.url) as child,
    ):
        assert "reset by peer" in await ends(child)
    assert 100_000 <= sink.pushes[0].bytes < 200_000


async def test_a_stall_takes_the_publish_and_nothing_more(recording: Path) -> None:
    async with (
        RtmpSink(Mode.STALL) as sink,
        # The sender's own buffer would hide the stall for many seconds.
        push(recording, sink.url, "-send_buffer_size", "65536", "-rw_timeout", "2000000") as child,
    ):
        await sink.until(lambda s: bool(s.pushes))
        assert "timed out" in await ends(child)
    assert sink.pushes[0].bytes == 0


async def test_half_speed_reads_slower_than_the_stream_comes(recording: Path) -> None:
    rate = SMALL.video_kbps * 1000 // 8 // 2
    async with RtmpSink(Mode.HALF_SPEED, rate=rate) as sink, push(recording, sink.url) as child:
        await sink.until(lambda s: bool(s.pushes) and s.pushes[0].bytes > 3 * rate)
        assert child.returncode is None
        taken = sink.pushes[0].bytes
        loop = asyncio.get_running_loop()
        began = loop.time()
        await sink.until(lambda s: s.pushes[0].bytes > taken + 2 * rate)
        assert loop.time() - began == pytest.approx(2.0, abs=0.7)


async def test_a_sink_that_comes_back_takes_the_same_port(recording: Path) -> None:
    async with RtmpSink(Mode.REFUSE) as sink:
        async with push(recording, sink.url) as child:
            await ends(child)
        await sink.switch(Mode.OK)
        async with push(recording, sink.url):
            await sink.until(lambda s: bool(s.pushes) and s.pushes[0].video_frames > 10)
