"""The loudness of a whole meeting, in less time than it lasts: floors at very different levels."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.config.service import SoundSettings
from streamer.programme.bus import SoundBus
from streamer.programme.canvas import Block
from tests.unit.programme.sounds import CANVAS, CEILING, block, lufs, speech, steps

pytestmark = pytest.mark.component
SECONDS, TURN_S = 300, 20
LUFS = {"feed:quiet": -35.0, "feed:right": -23.0, "feed:loud": -12.0}


@pytest.fixture(scope="module")
def feeds() -> dict[str, Block]:
    made = {feed: speech(60, level, seed) for seed, (feed, level) in enumerate(LUFS.items())}
    for feed, sound in made.items():
        assert lufs(sound) == pytest.approx(LUFS[feed], abs=0.2)
    return made


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("always", [True, False], ids=["always there", "only with the floor"])
def test_a_meeting_of_many_levels_ends_at_its_loudness(
    feeds: dict[str, Block], order: tuple[int, ...], always: bool
) -> None:
    bus, out = SoundBus(CANVAS, SoundSettings()), []
    names = [list(feeds)[which] for which in order]
    for tick in range(SECONDS * CANVAS.fps):
        floor = names[tick // (TURN_S * CANVAS.fps) % 3]
        sounds = {
            feed: block(sound, tick) if always or feed == floor else np.zeros_like(block(sound, 0))
            for feed, sound in feeds.items()
        }
        out += bus.mix(sounds, frozenset({floor}), False)
    heard = np.concatenate(out)
    assert lufs(heard) == pytest.approx(-23, abs=1)
    assert np.abs(heard).max() <= np.float32(CEILING)
    told = bus.state().programme.integrated
    assert told == pytest.approx(lufs(heard), abs=0.2)
    # A step of the loudest feed is made no larger by what is done to it.
    assert steps(heard) <= max(steps(sound) for sound in feeds.values())
    for turn in range(3, SECONDS // TURN_S):
        at = turn * TURN_S * CANVAS.sample_rate
        assert lufs(heard[at : at + 3 * CANVAS.sample_rate]) == pytest.approx(-23, abs=2.5), (
            f"turn {turn} begins at its loudness"
        )
