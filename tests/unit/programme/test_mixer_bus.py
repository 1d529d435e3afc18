"""The mixer with a bus of two languages: each goes to its own pipe of the encoder."""

import os
import threading

import numpy as np

from streamer.programme.bus import SoundBus
from streamer.programme.canvas import Canvas, Picture
from streamer.programme.feed_buffer import FeedBuffer
from streamer.programme.interpreting import INTERPRETER_FEED
from streamer.programme.mixer import Mixer
from streamer.programme.scenes import HALL, HALL_FEED

CANVAS = Canvas(16, 16, 25)
TICK = CANVAS.samples_per_tick


class Plain:
    def picture(self, at: float) -> Picture:
        return np.full(CANVAS.picture_bytes, 60, np.uint8)


def read(fd: int, into: list[bytes]) -> None:
    with os.fdopen(fd, "rb") as pipe:
        into.append(pipe.read())


def amplitude(sound: np.ndarray, hertz: int) -> float:
    turn = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / CANVAS.sample_rate)
    return float(2 * np.abs(np.mean(sound[:, 0] * turn)))


def test_each_language_has_its_pipe() -> None:
    mixer = Mixer(CANVAS, Plain(), bus=SoundBus(CANVAS, languages=2))
    now = [100.0]
    feeds = {HALL_FEED: 500, INTERPRETER_FEED: 1500}
    buffers = {name: FeedBuffer(CANVAS, monotonic=lambda: now[0]) for name in feeds}
    for name, buffer in buffers.items():
        buffer.begin(video=name == HALL_FEED, audio=True)
        mixer.attach_feed(name, buffer)
    pipes = [os.pipe() for _ in range(3)]
    got: list[list[bytes]] = [[], [], []]
    threads = [
        threading.Thread(target=read, args=(pipe[0], into))
        for pipe, into in zip(pipes, got, strict=True)
    ]
    for thread in threads:
        thread.start()
    output = mixer.attach_output(pipes[0][1], pipes[1][1], pipes[2][1], name="test")
    mixer.take(HALL)
    for number in range(50):
        at = number * TICK
        for name, buffer in buffers.items():
            if name == HALL_FEED:
                buffer.put_picture(at, np.full(CANVAS.picture_bytes, 200, np.uint8))
            wave = 6000 * np.sin(2 * np.pi * feeds[name] * np.arange(at, at + TICK) / 48000)
            buffer.put_sound(at, np.stack([wave, wave], axis=1).astype(np.int16))
        now[0] += CANVAS.tick_s
        mixer.tick()
    assert mixer.stop()
    assert output.wait_closed(5)
    for thread in threads:
        thread.join(5)
    main, second = (np.frombuffer(one[0], "<i2").reshape(-1, 2)[-TICK * 10 :] for one in got[1:])
    assert len(got[1][0]) == len(got[2][0]) == 50 * TICK * 4
    assert abs(amplitude(main, 500) - 6000) < 60
    assert amplitude(main, 1500) < 60
    assert abs(amplitude(second, 1500) - 6000) < 60
    assert abs(amplitude(second, 500) - 6000 * 10 ** (-18 / 20)) < 60
