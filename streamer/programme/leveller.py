"""The leveller: moves the programme slowly to the wanted loudness.

It remembers how loud each set of heard feeds is, so the gain is right in the moment in which the
floor goes back to a site that is too loud or too quiet. It holds still while nobody speaks, and
while nobody can be heard (mute, slate).
"""

from __future__ import annotations

from collections import OrderedDict, deque

import numpy as np

from streamer.programme.loudness import GATE_LUFS, Reading, to_lufs, to_power

MOST_DB = 15.0
"""How far it goes either way. More would make the noise of a room as loud as speech."""
UP_DB_S = 1.0
DOWN_DB_S = 3.0
"""dB per second. Down is faster: too loud hurts, too quiet does not."""
NEW_UP_DB_S = 3.0
NEW_DOWN_DB_S = 10.0
"""The same in the first seconds of speech of a set of feeds."""
NEW_READINGS = 50
KNOWN_READINGS = 5
"""Readings (tenths of a second) of speech after which a set is not new, and is known at all."""
WINDOW = 100
"""Readings of speech that a level is made of: 10 s."""
BELOW_DB = 10.0
"""What is further than this below the level is a pause in it (as the standard gates)."""
QUIET_READINGS = 150
QUIET_SPREAD_DB = 6.0
"""Sound below the gate for 15 s is the level from now on when it goes up and down like speech;
the steady noise of a room never is."""
SKIP_READINGS = 5
"""Readings left out after a change: the 400 ms of the first ones still hold what was before."""
TRIM_DB = 2.0
TRIM_DB_S = 0.05
TRIM_AFTER = 300
"""The error of the whole meeting is made good by at most so much, so slowly, after 30 s."""
SETS = 64
"""Sets of feeds that are remembered; the one longest unheard is forgotten."""


class _Level:
    """How loud one set of feeds is before the gain, LUFS."""

    def __init__(self) -> None:
        self.readings = 0
        self._powers: deque[float] = deque(maxlen=WINDOW)
        self._quiet: deque[float] = deque(maxlen=QUIET_READINGS)
        self.lufs: float | None = None

    def put(self, lufs: float) -> bool:
        """One reading; True when it counts as speech."""
        if lufs < GATE_LUFS:
            if self._quiet:
                self._quiet.append(GATE_LUFS)
            return False
        if self.lufs is not None and lufs < self.lufs - BELOW_DB and not self._lower(lufs):
            return False
        self._quiet.clear()
        self._powers.append(to_power(lufs))
        self.readings += 1
        self.lufs = to_lufs(sum(self._powers) / len(self._powers))
        return True

    def _lower(self, lufs: float) -> bool:
        """True when they have become quieter for good."""
        self._quiet.append(lufs)
        if len(self._quiet) < QUIET_READINGS:
            return False
        low, middle, high = np.percentile(self._quiet, (10, 50, 90))
        if high - low < QUIET_SPREAD_DB or middle <= GATE_LUFS:
            return False
        self._powers.clear()
        return True


class Leveller:
    """For one language; used by the mixer's thread only."""

    def __init__(self, target_lufs: float, tick_s: float) -> None:
        self.gain_db = 0.0
        self._target = target_lufs
        self._tick_s = tick_s
        self._trim_db = 0.0
        self._levels: OrderedDict[frozenset[str], _Level] = OrderedDict()
        self._now: frozenset[str] = frozenset()
        self._speech = False
        self._skip = 0
        self._total = 0
        # The gain at the last readings: the newest one is the mean of 400 ms.
        self._gains: deque[float] = deque(maxlen=4)

    def turn(self, heard: frozenset[str]) -> bool:
        """`heard` are the feeds that can be heard from now on; True when nothing is known of them.

        Nobody: everything is held as it is.
        """
        if heard == self._now:
            return False
        self._now, self._speech, self._skip = heard, False, SKIP_READINGS
        if not heard:
            return False
        level = self._levels.setdefault(heard, _Level())
        self._levels.move_to_end(heard)
        if len(self._levels) > SETS:
            self._levels.popitem(last=False)
        if level.lufs is None or level.readings < KNOWN_READINGS:
            return True
        self.gain_db = self._wanted(level.lufs)
        return False

    def begin(self, guess_lufs: float | None) -> None:
        """Start new feeds from a guess of how loud they are; without one, with no gain."""
        self.gain_db = 0.0 if guess_lufs is None else self._wanted(guess_lufs)

    def read(self, reading: Reading) -> None:
        """A new reading of the finished sound: the gain is in it."""
        self._gains.append(self.gain_db)
        if not self._now:
            return
        if self._skip:
            self._skip -= 1
            return
        level = self._levels[self._now]
        before = (reading.momentary or -120.0) - sum(self._gains) / len(self._gains)
        self._speech = level.put(before)
        if self._speech:
            self._total += 1
            self._correct(reading.integrated)

    def hold(self) -> None:
        """Nothing is measured any more: what is known stays."""
        self._speech = False

    def tick(self) -> float:
        """The gain for this tick in dB."""
        level = self._levels.get(self._now)
        if self._speech and level and level.lufs is not None and level.readings >= KNOWN_READINGS:
            new = level.readings < NEW_READINGS
            up, down = (NEW_UP_DB_S, NEW_DOWN_DB_S) if new else (UP_DB_S, DOWN_DB_S)
            way = self._wanted(level.lufs) - self.gain_db
            self.gain_db += min(max(way, -down * self._tick_s), up * self._tick_s)
        return self.gain_db

    def _wanted(self, lufs: float) -> float:
        return _held(self._target + self._trim_db - lufs, MOST_DB)

    def _correct(self, integrated: float | None) -> None:
        if integrated is None or self._total < TRIM_AFTER:
            return
        way = _held(self._target - integrated, TRIM_DB) - self._trim_db
        self._trim_db += _held(way, TRIM_DB_S / 10)


def _held(value: float, most: float) -> float:
    return min(max(value, -most), most)
