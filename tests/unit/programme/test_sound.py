import numpy as np
import pytest

from streamer.programme.sound import Ramp, SampleRing, Splice, decibels, to_s16

FADE = 1440


def ones(count: int, level: float = 1.0) -> np.ndarray:
    return np.full((count, 2), level, dtype=np.float32)


@pytest.mark.parametrize("block", [1920, 960, 800])
def test_a_ramp_takes_its_time_across_blocks(block: int) -> None:
    ramp = Ramp(FADE)
    ramp.target = 1.0
    out = np.concatenate([ramp.apply(ones(block)) for _ in range(4)])[:, 0]
    assert out[FADE // 2] == pytest.approx(0.5, abs=0.01)
    assert np.all(out[FADE:] == 1.0)
    assert np.abs(np.diff(out)).max() < 0.001
    ramp.target = 0.0
    down = np.concatenate([ramp.apply(ones(block)) for _ in range(4)])[:, 0]
    assert np.all(down[FADE:] == 0.0)


def test_a_ramp_turned_round_half_way_has_no_step() -> None:
    ramp = Ramp(FADE)
    ramp.target = 1.0
    first = ramp.apply(ones(700))
    ramp.target = 0.0
    out = np.concatenate([first, ramp.apply(ones(2000))])[:, 0]
    assert np.abs(np.diff(out)).max() < 0.001
    assert out[-1] == 0.0


def test_a_splice_leaves_no_step_between_loud_sounds() -> None:
    splice = Splice(FADE)
    parts = [splice.run(ones(1920, 0.9))]
    for level in (-0.9, 0.9, 0.0, -0.9):
        splice.cut()
        parts += [splice.run(ones(500, level)), splice.run(ones(1920, level))]
    steps = np.abs(np.diff(np.concatenate(parts), axis=0))
    assert steps.max() < 0.002


def test_a_splice_without_cut_changes_nothing() -> None:
    block = np.random.default_rng(1).normal(0, 0.2, (1920, 2)).astype(np.float32)
    assert np.array_equal(Splice(FADE).run(block), block)
    assert len(Splice(FADE).run(block[:0])) == 0


def test_the_ring_gives_what_lies_at_a_position() -> None:
    ring = SampleRing(4000)
    for at in range(10_000, 16_000, 1000):
        counted = np.arange(at, at + 1000, dtype=np.int16)
        ring.put(at, np.stack([counted, counted], axis=1))
    assert (ring.start, ring.end) == (12_000, 16_000)
    block, first, last = ring.read(11_900, 300)
    assert (first, last) == (100, 300)
    assert np.array_equal(np.rint(block[100:, 0] * 32768), np.arange(12_000, 12_200))
    assert not block[:100].any()
    assert ring.read(16_000, 100)[1:] == (0, 0)


def test_the_ring_fills_holes_and_leaves_out_what_came_twice() -> None:
    ring = SampleRing(4000)
    ring.put(0, np.full((100, 2), 1, dtype=np.int16))
    ring.put(50, np.full((100, 2), 2, dtype=np.int16))
    ring.put(200, np.full((100, 2), 3, dtype=np.int16))
    ring.put(0, np.full((100, 2), 9, dtype=np.int16))
    values = np.rint(ring.read(0, 300)[0][:, 0] * 32768).astype(int)
    assert [values[0], values[99], values[100], values[149]] == [1, 1, 2, 2]
    assert not values[150:200].any()
    assert set(values[200:]) == {3}


def test_a_block_larger_than_the_ring_keeps_its_end() -> None:
    ring = SampleRing(100)
    counted = np.arange(250, dtype=np.int16)
    ring.put(0, np.stack([counted, counted], axis=1))
    assert (ring.start, ring.end) == (150, 250)
    assert np.rint(ring.read(249, 1)[0][0, 0] * 32768) == 249


def test_full_scale_is_held_and_meters_have_a_floor() -> None:
    assert to_s16(ones(1, 1.5))[0, 0] == 32767
    assert to_s16(ones(1, -1.5))[0, 0] == -32768
    assert decibels(0.5) == pytest.approx(-6.02, abs=0.01)
    assert decibels(0.0) == -90.0
