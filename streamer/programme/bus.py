"""The sound bus: the sum of what may be heard, one block of it for each language of the programme.

A feed's way: its own gain (by hand) and the leveller's, faded in 30 ms; sum; splice; limiter. The
leveller's gain sits on the feeds and not on the sum, so that a loud site fades out with its own
gain while a quiet one fades in with another. What comes out is measured; the leveller takes its
gain off again. Everything is heard `SoundBus.delay` samples (5 ms) late, always: see the limiter.

`mix` is for the mixer's thread; everything else may be called from any thread.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from streamer.config.service import SoundSettings
from streamer.domain.errors import BadInput
from streamer.programme.canvas import Block, Canvas
from streamer.programme.interpreting import INTERPRETER_FEED, Ducking
from streamer.programme.leveller import Leveller
from streamer.programme.limiter import Limiter
from streamer.programme.loudness import Guesses, LoudnessMeter, together
from streamer.programme.sound import FADE_S, Ramp, Splice, from_decibels

GAIN_DB = (-40.0, 20.0)
"""Gains that may be set by hand, as in the configuration of a source."""
METER_S = 0.2
"""Seconds that the limiter's meter looks back."""
NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FeedSound:
    """What was set for one feed."""

    gain_db: float = 0.0
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Loudness:
    """One language of the programme. LUFS are None for silence."""

    momentary: float | None = None
    short_term: float | None = None
    integrated: float | None = None
    gain_db: float = 0.0
    """What the leveller adds just now (in the second language: to the interpreter)."""
    reduction_db: float = 0.0
    """How much the limiter took away at most in the last 200 ms, 0 or more."""


@dataclass(frozen=True, slots=True)
class SoundState:
    """What the bus does just now. `languages`: the main one first."""

    feeds: dict[str, FeedSound]
    languages: tuple[Loudness, ...]

    @property
    def programme(self) -> Loudness:
        return self.languages[0]


class SoundBus:
    """Gains and mutes of feeds; nothing of it ever makes a click.

    Without `sound` the loudness is not held, only limited. With two `languages` the second one is
    the interpreter over the ducked main one.
    """

    def __init__(
        self, canvas: Canvas, sound: SoundSettings | None = None, *, languages: int = 1
    ) -> None:
        if languages not in (1, 2):
            raise ValueError(f"{languages} languages")
        self._canvas = canvas
        self._sound = sound or SoundSettings(hold_loudness=False)
        self._fade = round(FADE_S * canvas.sample_rate)
        self._lock = threading.Lock()
        # Under the lock.
        self._set: dict[str, FeedSound] = {}
        self._ramps: dict[str, Ramp] = {}
        self._gone: list[str] = []
        self._cut = False
        # The mixer's thread only.
        self._guesses = Guesses(canvas)
        self._ducking = Ducking(canvas)
        self._languages = [_Language(canvas, self._sound, self._fade) for _ in range(languages)]

    @property
    def delay(self) -> int:
        """Samples by which everything is heard later than it came."""
        return self._languages[0].limiter.delay

    def set(
        self, feed: str, *, gain_db: float | None = None, muted: bool | None = None
    ) -> None:  # fmt: skip
        """Gain or mute of `feed`, also of one that is not there yet; what is None stays.

        BadInput for a gain out of -40 to 20 dB.
        """
        low, high = GAIN_DB
        if gain_db is not None and not (math.isfinite(gain_db) and low <= gain_db <= high):
            raise BadInput(
                f"a gain of {gain_db} dB is not possible; use {low:g} to {high:g}",
                code="wrong_gain", gain=gain_db,
            )  # fmt: skip
        with self._lock:
            was = self._set.get(feed, FeedSound())
            self._set[feed] = FeedSound(
                was.gain_db if gain_db is None else float(gain_db),
                was.muted if muted is None else muted,
            )

    def state(self) -> SoundState:
        """Gains and mutes of every feed that was heard of, and how loud the programme is."""
        with self._lock:
            names = sorted({*self._set, *self._ramps})
            feeds = {name: self._set.get(name, FeedSound()) for name in names}
        return SoundState(feeds, tuple(one.loudness for one in self._languages))

    def cut(self) -> None:
        """What follows does not continue what was: a feed's buffer was replaced or taken away."""
        with self._lock:
            self._cut = True

    def forget(self, feed: str) -> None:
        """The feed is gone. What was set for it is remembered for its return."""
        with self._lock:
            self._cut = self._ramps.pop(feed, None) is not None or self._cut
            self._gone.append(feed)

    def mix(
        self, sounds: Mapping[str, Block], heard: frozenset[str], muted: bool
    ) -> tuple[Block, ...]:
        """One tick: the main language first. `heard` are the feeds that the scene lets be heard.

        A lost feed is silent by itself. The interpreter's feed is never heard in the main language.
        """
        with self._lock:
            cut, self._cut = self._cut, False
            gone, self._gone = self._gone, []
            ramps = {feed: self._ramp(feed) for feed in sounds}
            wanted = {feed: self._set.get(feed, FeedSound()) for feed in sounds}
        for feed in gone:
            self._guesses.forget(feed)
        if cut:
            for one in self._languages:
                one.splice.cut()
        spoken = {feed: self._guesses.put(feed, block) for feed, block in sounds.items()}
        open_feeds = frozenset(
            feed for feed in sounds if feed in heard and not muted and not wanted[feed].muted
        )
        main = self._main(sounds, open_feeds - {INTERPRETER_FEED}, ramps, wanted)
        mixed = [self._languages[0].finish(main)]
        if len(self._languages) > 1:
            there = INTERPRETER_FEED in sounds and not muted and bool(heard)
            there = there and not wanted[INTERPRETER_FEED].muted
            second = self._second(main, sounds, spoken, there, ramps, wanted)
            mixed.append(self._languages[1].finish(second))
        return tuple(mixed)

    def _main(
        self, sounds: Mapping[str, Block], audible: frozenset[str],
        ramps: Mapping[str, Ramp], wanted: Mapping[str, FeedSound],
    ) -> Block:  # fmt: skip
        level_db = self._level(self._languages[0], audible, wanted)
        total = np.zeros((self._canvas.samples_per_tick, 2), dtype=np.float32)
        for feed, block in sounds.items():
            if feed != INTERPRETER_FEED:
                gain_db = wanted[feed].gain_db + level_db
                _add(total, block, ramps[feed], from_decibels(gain_db) if feed in audible else 0.0)
        return _sane(total)

    def _second(
        self, main: Block, sounds: Mapping[str, Block], spoken: Mapping[str, float], there: bool,
        ramps: Mapping[str, Ramp], wanted: Mapping[str, FeedSound],
    ) -> Block:  # fmt: skip
        usual = self._guesses.level(INTERPRETER_FEED) if there else None
        self._ducking.tick(spoken.get(INTERPRETER_FEED, -120.0), usual, there)
        # His gain is only learnt while he speaks: otherwise the original is what is measured.
        who = frozenset({INTERPRETER_FEED}) if self._ducking.speaking else NOBODY
        level_db = self._level(self._languages[1], who, wanted)
        total = self._ducking.original(main).copy()
        if INTERPRETER_FEED in sounds:
            gain_db = wanted[INTERPRETER_FEED].gain_db + level_db
            target = from_decibels(gain_db) if there else 0.0
            _add(total, sounds[INTERPRETER_FEED], ramps[INTERPRETER_FEED], target)
        return _sane(total)

    def _level(
        self, language: _Language, heard: frozenset[str], wanted: Mapping[str, FeedSound]
    ) -> float:
        """The leveller's gain in dB, when just `heard` are heard in `language`."""
        if not self._sound.hold_loudness:
            return 0.0
        if language.leveller.turn(heard):
            levels = {feed: self._guesses.level(feed) for feed in heard}
            known = [
                lufs + wanted[feed].gain_db for feed, lufs in levels.items() if lufs is not None
            ]
            language.leveller.begin(together(known))
        return language.leveller.tick()

    def _ramp(self, feed: str) -> Ramp:
        if feed not in self._ramps:
            self._ramps[feed] = Ramp(self._fade)
        return self._ramps[feed]


class _Language:
    """What one language has for itself."""

    def __init__(self, canvas: Canvas, sound: SoundSettings, fade: int) -> None:
        self.splice = Splice(fade)
        self.limiter = Limiter(canvas.sample_rate)
        self.leveller = Leveller(sound.loudness_lufs, canvas.tick_s)
        self.loudness = Loudness()
        self._meter = LoudnessMeter(canvas.sample_rate)
        self._reductions: deque[float] = deque(maxlen=max(1, round(METER_S * canvas.fps)))

    def finish(self, total: Block) -> Block:
        """Join, limit and measure one tick."""
        block = self.limiter.run(self.splice.run(total))
        self._reductions.append(self.limiter.reduction_db)
        if self._meter.put(block):
            reading = self._meter.reading
            self.leveller.read(reading)
            self.loudness = Loudness(
                reading.momentary, reading.short_term, reading.integrated,
                self.leveller.gain_db, max(self._reductions),
            )  # fmt: skip
        elif not self._meter.working:
            self.leveller.hold()
            self.loudness = replace(
                Loudness(), gain_db=self.leveller.gain_db, reduction_db=max(self._reductions)
            )
        return block


def _add(total: Block, block: Block, ramp: Ramp, target: float) -> None:
    ramp.target = target
    if ramp.gain or ramp.target:
        total += ramp.apply(block)


def _sane(block: Block) -> Block:
    """What is no number is silence: one bad block must not spoil all that comes after it."""
    if np.isfinite(block.sum()):
        return block
    held: Block = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)
    return held
