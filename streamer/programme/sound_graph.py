"""One sound filter of FFmpeg, run in our own process: blocks go in, what it makes comes out."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from streamer.programme.canvas import Block


class SoundGraph:
    """Stereo float sound through the filter `name` with `options`; not thread-safe.

    Making one takes 0.3 to 3 ms. Raises av.FFmpegError or ValueError when the filter is not there
    or refuses; `push` may raise the same at any time, and the graph is then of no use any more.
    """

    def __init__(self, sample_rate: int, name: str, options: str) -> None:
        self._rate = sample_rate
        self._time_base = Fraction(1, sample_rate)
        self._position = 0
        graph = Graph()
        graph.threads = 1  # a pool of threads for each graph costs more than the filters do
        self._source = graph.add_abuffer(
            format="flt", sample_rate=sample_rate, layout="stereo", time_base=self._time_base
        )
        parts = [self._source, graph.add(name, options), graph.add("aformat", "sample_fmts=flt")]
        self._sink = graph.add("abuffersink")
        graph.link_nodes(*parts, self._sink).configure()
        self._graph = graph

    def push(self, block: Block) -> Iterator[AudioFrame]:
        """Give it `block`; yields every frame that is ready."""
        frame = AudioFrame.from_ndarray(block.reshape(1, -1), format="flt", layout="stereo")
        frame.sample_rate = self._rate
        frame.time_base = self._time_base
        frame.pts = self._position
        self._position += len(block)
        self._source.push(frame)
        while True:
            try:
                yield cast(AudioFrame, self._sink.pull())
            except (BlockingIOError, av.EOFError):
                return
