"""The limiter: the ceiling, and nothing below it touched."""

import numpy as np
import pytest

from streamer.programme.canvas import Block
from streamer.programme.limiter import ATTACK_MS, CEILING, RELEASE_MS, Limiter
from streamer.programme.sound_graph import SoundGraph
from tests.unit.programme.sounds import RATE, steps, tone


def through(limiter: Limiter, sound: Block, size: int = 1920) -> Block:
    return np.concatenate([limiter.run(sound[at : at + size]) for at in range(0, len(sound), size)])


def loud_and_soft(seconds: float = 6.0) -> Block:
    """Noise that goes over the ceiling at times, for moments and for half a second."""
    random = np.random.default_rng(3)
    sound = random.normal(0, 0.1, (round(seconds * RATE), 2)).clip(-0.5, 0.5)
    for at in (0.5, 0.52, 1.7, 1.7001, 3.0):
        sound[round(at * RATE)] = 2.5
    sound[round(4.2 * RATE) : round(4.7 * RATE)] *= 9
    return sound.astype(np.float32)


@pytest.mark.parametrize("size", [1920, 2000, 1600, 960, 800])
def test_below_the_ceiling_nothing_changes_but_the_time(size: int) -> None:
    limiter = Limiter(RATE)
    sound = np.random.default_rng(1).uniform(-0.88, 0.88, (48000, 2)).astype(np.float32)
    out = through(limiter, sound, size)
    assert limiter.delay == 239
    assert np.array_equal(out[239:], sound[:-239])
    assert not out[:239].any()
    assert limiter.reduction_db == 0


@pytest.mark.parametrize("size", [1920, 2000, 1600, 960, 800])
def test_it_is_the_filter_although_the_filter_mostly_rests(size: int) -> None:
    sound = loud_and_soft()
    graph = SoundGraph(
        RATE, "alimiter", f"limit={CEILING}:attack={ATTACK_MS}:release={RELEASE_MS}:level=disabled"
    )
    always = np.concatenate(
        [
            frame.to_ndarray().reshape(-1, 2)
            for at in range(0, len(sound), size)
            for frame in graph.push(sound[at : at + size])
        ]
    )
    out = through(Limiter(RATE), sound, size)
    assert np.abs(sound).max() > 2
    assert np.abs(out).max() <= np.float32(CEILING)
    assert np.allclose(out, always, atol=1e-6)


def test_what_is_too_loud_goes_down_softly_and_is_said() -> None:
    limiter = Limiter(RATE)
    sound = np.concatenate([tone(0.5, 0.5), tone(0.5, 1.8), tone(0.5, 0.5)])
    out, reductions = [], []
    for at in range(0, len(sound), 1920):
        out.append(limiter.run(sound[at : at + 1920]))
        reductions.append(limiter.reduction_db)
    heard = np.concatenate(out)
    assert np.abs(heard).max() <= np.float32(CEILING)
    assert steps(heard) <= steps(sound)
    assert max(reductions) == pytest.approx(20 * np.log10(1.8 / CEILING), abs=0.2)
    assert reductions[-1] == 0
    assert np.array_equal(heard[-4800:], sound[-4800 - 239 : -239])


def test_full_scale_noise_and_square_waves_stay_below() -> None:
    random = np.random.default_rng(5)
    for sound in (
        random.choice([-1.0, 1.0], (48000, 2)),
        np.sign(tone(1, 1, 100)),
        np.full((48000, 2), 8.0),
        random.normal(0, 3, (48000, 2)),
    ):
        out = through(Limiter(RATE), sound.astype(np.float32))
        assert np.abs(out).max() <= np.float32(CEILING)
        assert np.abs(out[4800:]).max() > 0.8


def test_without_the_filter_it_clips_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter, spared = Limiter(RATE), Limiter(RATE)
    sound = loud_and_soft()
    first = through(limiter, sound[:48000])
    assert np.array_equal(first, through(spared, sound[:48000]))

    def broken(self: SoundGraph, block: Block) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(SoundGraph, "push", broken)
    out = through(limiter, sound[48000:])
    assert np.array_equal(out, np.clip(sound[48000 - 239 : -239], -CEILING, CEILING))
