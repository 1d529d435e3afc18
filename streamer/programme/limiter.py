"""The limiter: the last thing in the way of the programme's sound.

Whatever is below the ceiling passes bit for bit, 5 ms late (239 samples at 48,000 a second, the
time that the limiter looks ahead). That delay is a constant one, the same whether it works or not.
"""

from __future__ import annotations

import numpy as np
import structlog

from streamer.programme.canvas import Block
from streamer.programme.sound import from_decibels
from streamer.programme.sound_graph import SoundGraph

log = structlog.get_logger(__name__)

CEILING_DB = -1.0
"""dBFS that no sample goes over. The encoder's AAC overshoots by some tenths of a dB."""
CEILING = round(from_decibels(CEILING_DB), 5)
ATTACK_MS = 5
RELEASE_MS = 80


class Limiter:
    """FFmpeg's `alimiter`, asked only while something is over the ceiling.

    When the filter fails, samples over the ceiling are clipped from then on.
    """

    def __init__(self, sample_rate: int) -> None:
        self.delay = sample_rate * ATTACK_MS // 1000 - 1
        """Samples by which the sound comes out later than it went in: the filter's own buffer."""
        self.reduction_db = 0.0
        """How much the last block was taken down at its loudest sample, 0 or more."""
        self._tail = np.zeros((self.delay, 2), dtype=np.float32)
        self._working = False
        self._graph: SoundGraph | None = None
        try:
            self._graph = SoundGraph(
                sample_rate, "alimiter",
                f"limit={CEILING}:attack={ATTACK_MS}:release={RELEASE_MS}:level=disabled",
            )  # fmt: skip
        except Exception as error:  # the meeting is worth more than its limiter
            self._lose(error)

    def run(self, block: Block) -> Block:
        """The next samples as they may be heard. As many come out as go in."""
        joined = np.concatenate([self._tail, block])
        late, tail = joined[: len(block)], joined[len(block) :]
        over = float(np.abs(block).max(initial=0.0)) > CEILING
        out = late
        if over or self._working:
            out = self._limited(block, late)
            # It has nothing more to do when what it makes is what went in.
            self._working = over or not np.array_equal(out, late)
        self._tail = tail.copy()
        self.reduction_db = _reduction(late, out) if out is not late else 0.0
        return out

    def _limited(self, block: Block, late: Block) -> Block:
        if self._graph is not None:
            try:
                if not self._working:
                    self._through(self._graph, self._tail)  # what it holds now was long ago
                return self._through(self._graph, block)
            except Exception as error:  # as above
                self._lose(error)
        clipped: Block = np.clip(late, -CEILING, CEILING)
        return clipped

    def _through(self, graph: SoundGraph, block: Block) -> Block:
        parts = [frame.to_ndarray().reshape(-1, 2) for frame in graph.push(block)]
        out: Block = np.concatenate(parts).astype(np.float32, copy=False)
        if len(out) != len(block):
            raise ValueError(f"{len(out)} samples came for {len(block)}")
        return out

    def _lose(self, error: Exception) -> None:
        self._graph = None
        log.error(
            "no limiter; what is too loud is clipped", error=f"{type(error).__name__}: {error}"
        )


def _reduction(before: Block, after: Block) -> float:
    flat = np.abs(before).ravel()
    at = int(flat.argmax())
    left = abs(float(after.ravel()[at]))
    if not flat[at] or not left:
        return 0.0
    return max(0.0, 20 * float(np.log10(flat[at] / left)))
