"""The hall's encoder: let in, refused, coming back, and in every form an encoder can have."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.demo.hall import Form, HallEncoder
from streamer.demo.measure import av_offset, read_picture, read_sound, timestamps
from streamer.demo.measure.picture import Picture, Shown
from streamer.demo.measure.sound import Sound
from streamer.domain.legs import LegState
from tests.component.media.programme import SECRET, SMALL, Programme, programme
from tests.component.media.stage import until

pytestmark = pytest.mark.component


def hall(
    it: Programme, form: Form = SMALL, *, address: str = "", passphrase: str = SECRET
) -> HallEncoder:
    return HallEncoder(
        address or it.address, passphrase="" if it.ingest else passphrase, form=form
    )  # fmt: skip


async def measured(master: Path) -> tuple[Picture, Sound]:
    return await asyncio.to_thread(lambda: (read_picture(master), read_sound(master)))


@pytest.mark.parametrize("kind", ["srt", "rtmp"])
async def test_only_who_knows_the_secret_comes_in_and_may_come_back_at_any_time(
    tmp_path: Path, kind: str
) -> None:
    async with programme(tmp_path, kind) as it:
        await it.running(it.encoder)
        if kind == "rtmp":
            await until(lambda: it.legs.running("ingest:hall"))
        wrong = (
            hall(it, passphrase="not-the-passphrase")
            if kind == "srt"
            else hall(it, address=it.address.replace(SECRET, "not-the-key"))
        )
        await wrong.start()
        try:
            await until(lambda: it.refused)
        finally:
            await wrong.stop()
        assert it.shown == "slate"
        assert it.refused[0][1] == {"srt": "wrong passphrase", "rtmp": "wrong key"}[kind]

        right = hall(it)
        await right.start()
        try:
            await it.shows("hall")
            await it.goes_on(1.0)
            await right.kill()  # the power fails: nobody says goodbye
            await it.shows("slate", 10)
            await right.start()
            await it.shows("hall")
            await it.goes_on(1.0)
        finally:
            await right.stop()
        await it.shows("slate", 10)
        picture, _ = await measured(await it.end())

        times = timestamps(tmp_path / "master/part-0001.ts")["video"]
        assert times.monotonic
        assert times.largest_gap == pytest.approx(0.04, abs=0.005)  # not one picture is missing
        outages = picture.outages()
        assert len(outages) == 2
        assert all(outage.to_slate <= 1.2 for outage in outages), outages
        assert picture.seconds(Shown.OTHER) == picture.seconds(Shown.BLACK) == 0
        for change in it.changes:
            assert "7391" not in f"{change.status.error}{change.status.target}"


async def test_a_second_encoder_with_the_right_key_does_not_end_the_first(tmp_path: Path) -> None:
    """nginx refuses it, and its end was taken for the end of the one that publishes."""
    async with programme(tmp_path, "rtmp") as it:
        assert it.ingest
        await it.running(it.encoder)
        await until(lambda: it.legs.running("ingest:hall"))
        first, second = hall(it), hall(it)
        await first.start()
        try:
            await it.shows("hall")
            await second.start()
            await until(lambda: it.ingest and len(it.ingest._publishers) == 2)
            await until(lambda: it.ingest and len(it.ingest._publishers) == 1)
            assert it.ingest.published.is_set()
            await it.goes_on(1.0)
            assert it.shown == "hall"
        finally:
            await second.stop()
            await first.stop()
        await until(lambda: it.ingest and not it.ingest.published.is_set(), 10)
        await it.end()


@pytest.mark.parametrize("kind", ["srt", "rtmp"])
async def test_a_port_that_is_taken_is_said(tmp_path: Path, kind: str) -> None:
    form = socket.SOCK_DGRAM if kind == "srt" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, form) as other:
        other.bind(("127.0.0.1", 0))
        if kind == "rtmp":
            other.listen()
        port = other.getsockname()[1]
        async with programme(tmp_path, kind, port) as it:
            leg_id = {"srt": "receiver:hall", "rtmp": "ingest:hall"}[kind]
            leg = next(leg for leg in it.legs if leg.id == leg_id)
            await until(lambda: any("is taken" in c.status.error for c in it.changes))
            errors = [c.status.error for c in it.changes if c.status.id == leg_id]
            assert any(f"port {port} is taken by another program" in error for error in errors)
            assert not {LegState.FAILED, LegState.RUNNING} & set(it.states(leg))
            other.close()
            if kind == "rtmp":
                await it.running(leg)
            else:
                await until(lambda: leg.state is LegState.STARTING)
            await it.end()


FORMS = {
    "sound only": replace(SMALL, video=False),
    "picture only": replace(SMALL, audio=False),
    "638x358": replace(SMALL, width=638, height=358),
    "50 a second": replace(SMALL, fps=50),
    "variable rate": replace(SMALL, variable_rate=True),
}


@pytest.mark.parametrize("form", FORMS)
async def test_whatever_the_hall_sends_the_programme_is_whole(tmp_path: Path, form: str) -> None:
    video, audio = FORMS[form].video, FORMS[form].audio
    async with programme(tmp_path, "srt") as it:
        await it.running(it.encoder)
        encoder = hall(it, FORMS[form])
        await encoder.start()
        try:
            await until(lambda: it.feed.state is LegState.RUNNING)
            if video:
                await it.shows("hall")
            else:
                await until(lambda: max(it.mixer.state().peak_db) > -50)
            began = it.mixer.state().programme_s
            await it.goes_on(3.0)
            ended = it.mixer.state().programme_s
        finally:
            await encoder.stop()
        picture, sound = await measured(await it.end())

    times = timestamps(tmp_path / "master/part-0001.ts")
    assert times["video"].largest_gap == pytest.approx(0.04, abs=0.005)
    assert times["audio"].monotonic
    during = Picture(tuple(f for f in picture.frames if began + 0.5 <= f.pts <= ended - 0.5))
    shown = {frame.shown for frame in during.frames}
    assert shown == {Shown.HALL if video else Shown.SLATE}
    if video:
        counters = [frame.counter for frame in during.frames if frame.counter is not None]
        assert counters == sorted(counters)
        step = FORMS[form].fps / 25
        expected = (counters[-1] - counters[0]) / step
        assert expected == pytest.approx(len(during.frames), rel=0.1)
    beeps = [beep for beep in sound.beeps if began <= beep <= ended]
    assert len(beeps) >= 2 if audio else not beeps
    if not audio:
        assert sound.peak_dbfs < -50
    if video and audio:
        worst = av_offset(during, sound).worst_ms
        assert worst is not None
        assert abs(worst) <= 80
