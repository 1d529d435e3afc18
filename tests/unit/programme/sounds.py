"""Sounds to feed the bus with, and an independent look at what comes out."""

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from streamer.programme.canvas import Block, Canvas

CANVAS = Canvas(64, 32, 25)
RATE = CANVAS.sample_rate
TICK = CANVAS.samples_per_tick
CEILING = 10 ** (-1 / 20)


def lufs(sound: Block) -> float:
    """Integrated loudness by one pass of ffmpeg's `ebur128` over the whole of it."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        format="flt", sample_rate=RATE, layout="stereo", time_base=Fraction(1, RATE)
    )
    sink = graph.add("abuffersink")
    graph.link_nodes(source, graph.add("ebur128", "metadata=1"), sink).configure()
    last = "nan"
    for at in range(0, len(sound), RATE):
        flat = np.ascontiguousarray(sound[at : at + RATE], np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(flat, format="flt", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        source.push(frame)
        while True:
            try:
                last = dict(sink.pull().metadata)["lavfi.r128.I"]
            except (BlockingIOError, av.EOFError):
                break
    return float(last)


def speech(seconds: float, loudness: float, seed: int = 1) -> Block:
    """Noise with the spectrum, syllables and pauses of speech, at `loudness` LUFS.

    Sentences of 2 to 4 s, pauses of 0.3 to 1.2 s with the room's noise 35 dB below.
    """
    random = np.random.default_rng(seed)
    count = round(seconds * RATE)
    noise = np.convolve(random.normal(0, 1, count), np.hanning(24), "same")
    time = np.arange(count) / RATE
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time + np.sin(2 * np.pi * 0.7 * time))
    spoken = np.zeros(count)
    at = 0.0
    while at < seconds:
        until = at + random.uniform(2, 4)
        spoken[round(at * RATE) : round(until * RATE)] = 1
        at = until + random.uniform(0.3, 1.2)
    spoken = np.convolve(spoken, np.ones(960) / 960, "same")
    wave = noise * (0.018 + spoken * syllables)
    sound = np.stack([wave, wave], axis=1).astype(np.float32)
    sound *= np.float32(0.1 / np.abs(sound).max())
    sound *= np.float32(10 ** ((loudness - lufs(sound)) / 20))
    return np.clip(sound, -1, 1)


def tone(seconds: float, amplitude: float, hertz: float = 440, phase: float = 0) -> Block:
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE + phase)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def block(sound: Block, tick: int) -> Block:
    """Block number `tick` of `sound`, over and over again."""
    whole = len(sound) // TICK
    return sound[tick % whole * TICK :][:TICK]


def steps(sound: Block | NDArray[np.float32]) -> float:
    """The largest step between two samples."""
    return float(np.abs(np.diff(sound, axis=0)).max())
