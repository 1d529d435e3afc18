"""Small tools for sound: fades, joins without a click, a ring of samples, peaks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamer.programme.canvas import Block

FADE_S = 0.03
"""Seconds of every fade."""
SILENT_DB = -90.0
"""What the meters show for digital silence, dBFS."""


class Ramp:
    """A gain that goes to its target in `fade` samples, across as many blocks as that takes.

    A target that is set before the last one was reached is gone to from where the gain is then, in
    `fade` samples again.
    """

    def __init__(self, fade: int, gain: float = 0.0) -> None:
        self._fade = fade
        self._target = gain
        self._step = 0.0
        self._left = 0
        self.gain = gain

    @property
    def target(self) -> float:
        """Where the gain goes, or has arrived."""
        return self._target

    @target.setter
    def target(self, target: float) -> None:
        if target != self._target:
            self._target = target
            self._left = self._fade
            self._step = (target - self.gain) / self._fade

    def apply(self, block: Block) -> Block:
        """`block` with the gain on it; `block` itself when the gain is a steady one of 1."""
        if not self._left:
            if self.gain == 1.0:
                return block
            return np.zeros_like(block) if self.gain == 0.0 else block * np.float32(self.gain)
        steps = np.arange(1, len(block) + 1, dtype=np.float32)
        gains = np.float32(self.gain) + steps * np.float32(self._step)
        if len(block) >= self._left:
            gains[self._left - 1 :] = self._target
            self.gain, self._left = self._target, 0
        else:
            self.gain += self._step * len(block)
            self._left -= len(block)
        faded: Block = block * gains[:, None]
        return faded


class Splice:
    """Joins sounds that do not belong together without a click.

    `cut` says that what follows does not continue what was. The last value that was heard then
    decays to zero while the new sound fades in, so no step is left however loud either was.
    """

    def __init__(self, fade: int) -> None:
        self._fade = fade
        self._at = fade
        self._left_over = np.zeros(2, dtype=np.float32)
        self._last = np.zeros(2, dtype=np.float32)

    def cut(self) -> None:
        self._left_over = self._last.copy()
        self._at = 0

    def run(self, block: Block) -> Block:
        """The next samples as they shall be heard."""
        if not len(block):
            return block
        if self._at < self._fade:
            at = np.arange(self._at + 1, self._at + len(block) + 1, dtype=np.float32)
            share = np.minimum(at / self._fade, 1.0).astype(np.float32)[:, None]
            block = block * share + self._left_over * (1 - share)
            self._at += len(block)
        self._last = block[-1].copy()
        return block


class SampleRing:
    """The newest samples of a sound, addressed by their position on the feed's timeline.

    Holes are silent. Samples that arrive twice, or before the ring's start, are left out.
    """

    def __init__(self, size: int) -> None:
        self._data = np.zeros((size, 2), dtype=np.int16)
        self._size = size
        self.start = 0
        self.end = 0

    def clear(self) -> None:
        self.start = self.end = 0

    def __bool__(self) -> bool:
        return self.end > self.start

    def put(self, position: int, samples: NDArray[np.int16]) -> None:
        """Append `samples` (n, 2) that begin at `position`; the oldest go when it is full."""
        if self.start == self.end:
            self.start = self.end = position
        if position < self.end:
            samples = samples[self.end - position :]
        elif position > self.end:
            hole = min(position - self.end, self._size)
            self._write(position - hole, np.zeros((hole, 2), dtype=np.int16))
            self.end = position
        beyond = max(len(samples) - self._size, 0)
        samples = samples[beyond:]
        self.end += beyond
        self._write(self.end, samples)
        self.end += len(samples)
        self.start = max(self.start, self.end - self._size)

    def read(self, position: int, count: int) -> tuple[Block, int, int]:
        """`count` samples from `position`, and which part [from, to) of them is really there."""
        block = np.zeros((count, 2), dtype=np.float32)
        first, last = max(position, self.start), min(position + count, self.end)
        if last <= first:
            return block, 0, 0
        where = np.arange(first, last) % self._size
        block[first - position : last - position] = self._data[where] / np.float32(32768)
        return block, first - position, last - position

    def _write(self, position: int, samples: NDArray[np.int16]) -> None:
        at = position % self._size
        head = min(len(samples), self._size - at)
        self._data[at : at + head] = samples[:head]
        self._data[: len(samples) - head] = samples[head:]


def to_s16(block: Block) -> NDArray[np.int16]:
    """Sound as s16le takes it; what is too loud is held at full scale."""
    scaled = np.rint(block * np.float32(32768))
    held: NDArray[np.int16] = np.clip(scaled, -32768, 32767).astype("<i2")
    return held


def from_decibels(gain_db: float) -> float:
    """The factor that `gain_db` is."""
    return float(10 ** (gain_db / 20))


def decibels(peak: float) -> float:
    """dBFS of a peak between 0 and 1."""
    return max(20 * math.log10(peak), SILENT_DB) if peak > 0 else SILENT_DB
