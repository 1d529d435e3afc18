"""The pauses between tries, with dice that show what we want."""

import random

import pytest

from streamer.domain.reconnect import GOOD_AFTER, JITTER, PAUSES, Reconnect


class Dice(random.Random):
    """Shows the same share of every range: 0 the lowest, 1 the highest."""

    share = 0.5

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.share


def test_at_once_then_growing_to_the_cap() -> None:
    tries = Reconnect(dice=Dice())
    assert [tries.lost(0.0) for _ in range(9)] == pytest.approx([0, 1, 2, 4, 8, 15, 30, 30, 30])
    assert PAUSES == (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


@pytest.mark.parametrize(("share", "factor"), [(0.0, 1 - JITTER), (1.0, 1 + JITTER)])
def test_a_pause_varies_by_a_fifth(share: float, factor: float) -> None:
    dice = Dice()
    dice.share = share
    tries = Reconnect(dice=dice)
    assert [tries.lost(0.0) for _ in PAUSES] == pytest.approx([p * factor for p in PAUSES])


def test_sixty_meetings_do_not_knock_together() -> None:
    pauses = {Reconnect(failures=4, dice=random.Random(n)).lost(0.0) for n in range(60)}
    assert len(pauses) == 60
    assert 8 * 0.8 <= min(pauses) < 7.5
    assert 8.5 < max(pauses) <= 8 * 1.2


def test_a_minute_of_data_begins_again() -> None:
    tries = Reconnect(dice=Dice())
    for _ in range(5):
        tries.lost(1.0)
    assert tries.lost(GOOD_AFTER - 0.1) == pytest.approx(15)
    assert tries.lost(GOOD_AFTER) == 0.0
    assert tries.lost(0.0) == pytest.approx(1)


def test_a_person_begins_again() -> None:
    tries = Reconnect(dice=Dice())
    for _ in range(5):
        tries.lost(0.0)
    tries.reset()
    assert tries.lost(0.0) == 0.0
