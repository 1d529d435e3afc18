"""Two languages from the encoder to accounts and renditions; nothing is mixed up on the way."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import av
import pytest

from streamer.media import hls
from streamer.media.parts import PartList
from streamer.web import playlist
from tests.component.media.stage import accounts, given, until
from tests.component.media.tongues import TONES, Tongues, tone_of, tongues

pytestmark = pytest.mark.component
NAMES = ("index", "video", "sound", "sound2", "low")


async def segments(folder: Path, name: str, count: int) -> None:
    path = folder / f"{name}.m3u8"
    await until(lambda: path.exists() and path.read_text().count(".m4s") >= count)


def joined(folder: Path, name: str) -> Path:
    """All that a composed playlist lists, as one file."""
    found = hls.listed((folder / f"hls/{name}.m3u8").read_text())
    path = folder / f"{name}.mp4"
    path.write_bytes(b"".join((folder / "hls" / file).read_bytes() for file in found.files))
    return path


def kinds(path: Path) -> list[tuple[str, int]]:
    with av.open(str(path)) as media:
        return [(s.type, s.height if isinstance(s, av.VideoStream) else 0) for s in media.streams]


async def test_each_account_and_each_rendition_has_its_language(tmp_path: Path) -> None:
    async with tongues(tmp_path) as it, accounts(tmp_path, "kazakh", "russian") as both:
        master = it.master()
        relays = [
            it.relay_of(account.name, given(account.url), sound)
            for sound, account in enumerate(both)
        ]
        await it.running(it.encoder, master, it.copy, it.low, *relays)
        assert [relay.detail for relay in relays] == ["kk", "ru"]
        part = tmp_path / "hls/part-0001"
        await segments(part, "index", 3)
        await segments(part, "low-1", 3)
        for relay in relays:
            await it.moves_on(relay)
        await it.end()
        await asyncio.to_thread(_judge, it, [account.recordings() for account in both])


def _judge(it: Tongues, recordings: list[list[Path]]) -> None:
    with av.open(str(it.folder / "master/part-0001.ts")) as media:
        assert [s.language for s in media.streams.audio] == ["kaz", "rus"]
    for (recording,), hertz in zip(recordings, TONES, strict=True):
        assert kinds(recording) == [("video", 720), ("audio", 0)]
        assert tone_of(recording) == pytest.approx(hertz, abs=2)

    hls.write_composed(it.folder, closed=True, viewing=it.viewing)
    assert kinds(joined(it.folder, "index")) == [("video", 720), ("audio", 0)]
    assert kinds(joined(it.folder, "video")) == [("video", 720)]
    assert kinds(joined(it.folder, "low")) == [("video", 360)]
    for name, hertz in (("index", TONES[0]), ("sound", TONES[0]), ("sound2", TONES[1])):
        assert tone_of(joined(it.folder, name)) == pytest.approx(hertz, abs=2), name
    assert kinds(joined(it.folder, "sound2")) == [("audio", 0)]

    read = {name: playlist.parse((it.folder / f"hls/{name}.m3u8").read_text()) for name in NAMES}
    for name in NAMES:
        assert read[name].closed
        assert len(read[name].segments) == len(read["index"].segments), name
        assert read[name].seconds == pytest.approx(read["index"].seconds, abs=0.5), name
        assert [s.at for s in read[name].segments] == [s.at for s in read["index"].segments]
        assert sum(s.gap for s in read[name].segments) <= 1, name  # the tail of a sound
    video = [one.begins for one in lists(it.folder, "index", "video", "low-1")]
    assert video[0][:-1] == pytest.approx(video[1][:-1], abs=0.2)
    assert video[2][:3] == pytest.approx(video[1][-len(video[2]) :][:3], abs=0.05)

    text = (it.folder / "hls/master.m3u8").read_text()
    assert 'NAME="Қазақша",LANGUAGE="kk",DEFAULT=YES' in text
    assert 'LANGUAGE="ru",DEFAULT=NO' in text
    assert "RESOLUTION=1280x720,FRAME-RATE=25.000" in text
    assert "RESOLUTION=640x360" in text
    assert 'CODECS="avc1.64001f,mp4a.40.2"' in text


def lists(folder: Path, *names: str) -> list[PartList]:
    found = [PartList(folder / f"hls/part-0001/{name}.m3u8") for name in names]
    for one in found:
        one.refresh(None)
    return found


async def test_one_language_has_its_sound_with_the_picture(tmp_path: Path) -> None:
    async with tongues(tmp_path, ("ru",)) as it:
        await it.running(it.encoder, it.copy, it.low)
        part = tmp_path / "hls/part-0001"
        await segments(part, "index", 2)
        await segments(part, "low-1", 2)
        await it.end()
        hls.write_composed(tmp_path, closed=True, viewing=it.viewing)
        assert not (tmp_path / "hls/video.m3u8").exists()
        assert kinds(joined(tmp_path, "low")) == [("video", 360), ("audio", 0)]
        assert tone_of(joined(tmp_path, "low")) == pytest.approx(TONES[0], abs=2)
        text = (tmp_path / "hls/master.m3u8").read_text()
        assert "EXT-X-MEDIA" not in text
        assert text.splitlines()[4::2] == ["index.m3u8", "low.m3u8", "sound.m3u8"]


async def test_a_killed_low_rendition_is_a_gap_in_it_and_nowhere_else(tmp_path: Path) -> None:
    async with tongues(tmp_path) as it:
        part = tmp_path / "hls/part-0001"
        await it.running(it.encoder, it.copy, it.low)
        await segments(part, "low-1", 2)
        composer = hls.Composer(tmp_path, it.viewing)
        await asyncio.to_thread(composer.write, False)
        early = (tmp_path / "hls/low.m3u8").read_text()
        assert it.low.pid
        os.kill(it.low.pid, signal.SIGKILL)
        await until(lambda: it.low.tries == 2)
        await segments(part, "low-2", 2)
        await asyncio.to_thread(composer.write, False)
        # A playlist that was given out is only ever added to.
        assert (tmp_path / "hls/low.m3u8").read_text().startswith(early)
        await it.end()
        assert it.copy.tries == 1
        hls.write_composed(tmp_path, closed=True, viewing=it.viewing)
        text = (tmp_path / "hls/low.m3u8").read_text()
        assert "DISCONTINUITY" not in text
        assert 'MAP:URI="part-0001/low-2-init.mp4"' in text
        index = (tmp_path / "hls/index.m3u8").read_text()
        assert "GAP" not in index
        assert text.count("#EXTINF") == index.count("#EXTINF")
        assert text.count("#EXT-X-GAP") <= 2  # it joins the group of pictures under way
