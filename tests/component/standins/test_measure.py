"""Measuring, on files whose faults are known because they were made."""

from pathlib import Path

import pytest

from streamer.demo.measure import (
    Shown,
    av_offset,
    compare,
    frames,
    read_picture,
    read_sound,
    timestamps,
)
from tests.standins.pushing import ffmpeg, make

pytestmark = pytest.mark.component

SLATE = "drawbox=x=0:y=0:w=iw:h=ih:t=fill:color=0x102030:enable='between(t,{},{})'"


async def test_standstill_slate_and_return(tmp_path: Path) -> None:
    # New pictures until 2.4 s, the last one stands until 3.0 s, then two seconds of slate.
    fault = f"select='not(between(t,2.41,2.99))',fps=25,{SLATE.format(2.99, 4.98)}"
    picture = read_picture(await make(tmp_path / "a.ts", 7, picture=fault))
    begin = picture.frames[0].pts
    (outage,) = picture.outages()
    assert outage.at - begin == pytest.approx(2.4, abs=0.001)
    assert outage.to_slate == pytest.approx(0.6, abs=0.001)
    assert outage.slate_seconds == pytest.approx(2.0, abs=0.001)
    assert outage.back_at == pytest.approx(begin + 5.0, abs=0.001)
    still = picture.longest_standstill()
    assert still is not None
    assert still.seconds == pytest.approx(0.6, abs=0.001)
    assert still.counter == 60
    assert picture.seconds(Shown.SLATE) == pytest.approx(2.0, abs=0.001)
    assert picture.seconds(Shown.HALL) == pytest.approx(5.0, abs=0.001)


async def test_black_is_not_a_slate(tmp_path: Path) -> None:
    black = SLATE.format(1, 1.98).replace("0x102030", "black")
    picture = read_picture(await make(tmp_path / "a.ts", 3, picture=black))
    assert picture.seconds(Shown.BLACK) == pytest.approx(1.0, abs=0.001)
    assert picture.seconds(Shown.SLATE) == 0
    assert picture.outages() == ()


async def test_late_sound_and_silence_are_found(tmp_path: Path) -> None:
    fault = "adelay=120,volume=0:enable='between(t,2.5,5)'"
    path = await make(tmp_path / "a.ts", 7, sound=fault)
    sound = read_sound(path)
    offset = av_offset(read_picture(path), sound)
    assert offset.median_ms == pytest.approx(120, abs=6)
    assert len(offset.each_ms) >= 3
    (silence,) = sound.silences
    assert silence.seconds == pytest.approx(2.5, abs=0.1)


async def test_lost_frames_are_counted_across_containers(tmp_path: Path) -> None:
    master = await make(tmp_path / "master.ts", 6)
    account = tmp_path / "account.flv"
    holes = "noise=drop='between(n,60,79)*eq(key,0)'"
    await ffmpeg("-i", str(master), "-c", "copy", "-bsf:v", holes, str(account))
    whole, arrived = frames(master), frames(account)
    delivery = compare(whole, [arrived])
    assert len(whole) == 150
    assert delivery.received == len(arrived)
    assert delivery.lost == 150 - len(arrived) == 19
    assert delivery.foreign == delivery.duplicated == 0
    (low, high) = delivery.missing[0].start, delivery.missing[-1].end
    assert whole[60].pts <= low <= high <= whole[79].pts
    assert delivery.lost_outside((low - 0.1, high + 0.1)) == 0
    assert timestamps(account)["video"].largest_gap > 0.4


def test_a_cut_file_is_read_as_far_as_it_goes(tmp_path: Path, recording: Path) -> None:
    cut = tmp_path / "cut.flv"
    data = recording.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    whole, half = frames(recording), frames(cut)
    assert 0 < len(half) < len(whole)
    assert compare(whole, [half[:-1]]).lost == 0
    assert read_picture(cut).frames
    assert read_sound(cut).seconds > 1


@pytest.mark.parametrize("content", [b"", b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"])
def test_an_empty_recording_is_no_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.flv"
    path.write_bytes(content)
    assert frames(path) == ()
    assert timestamps(path) == {}
    assert read_picture(path).frames == ()
    assert read_sound(path).beeps == ()
