"""One encoder's pipes: one of picture, and one of sound for each language.

They are fed from the mixer without ever holding the mixer up.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from streamer.programme.canvas import Block, Canvas, Frame
from streamer.programme.feed import widen
from streamer.programme.sound import FADE_S, Splice, to_s16

POOL_S = 1.0
"""Seconds of picture and sound that wait for an encoder at most."""
POLL_S = 0.2
"""Seconds after which a waiting writer looks whether it shall stop."""


class Output:
    """Writes yuv420p pictures to `video_fd` and s16le stereo to `audio_fds`, a thread for each.

    It owns the descriptors and closes them. Picture and sound of a tick are taken together or left
    out together (`dropped` counts such ticks), so all pipes always carry the same ticks, beginning
    with `first_tick`. When an encoder closes a pipe the output ends and says so in `reason`.
    """

    def __init__(
        self, canvas: Canvas, video_fd: int, audio_fds: Sequence[int], *, name: str, first_tick: int
    ) -> None:
        self.name = name
        self.first_tick = first_tick
        self.dropped = 0
        self.dropping = False
        self.reason = ""
        self._depth = round(POOL_S * canvas.fps)
        fade = round(FADE_S * canvas.sample_rate)
        self._splices = [Splice(fade) for _ in audio_fds]
        self._changed = threading.Condition()
        self._pictures: deque[Frame] = deque()
        self._sounds: list[deque[bytes]] = [deque() for _ in audio_fds]
        self._closing = False
        self._give_up_at = float("inf")
        works = [("video", video_fd, self._write_picture)] + [
            (f"audio {number}", fd, partial(self._write_sound, self._sounds[number]))
            for number, fd in enumerate(audio_fds)
        ]
        self._threads = [
            threading.Thread(
                target=self._write_all, args=(fd, take), name=f"writer {name} {what}", daemon=True
            )
            for what, fd, take in works
        ]
        for fd in (video_fd, *audio_fds):
            os.set_blocking(fd, False)
            widen(fd)
        for thread in self._threads:
            thread.start()

    @property
    def ended(self) -> bool:
        """It takes nothing any more: closed by us, or lost (then `reason` says why)."""
        return self._closing

    @property
    def waiting(self) -> int:
        """Ticks that wait for the encoder."""
        return max(len(self._pictures), *map(len, self._sounds))

    def offer(self, frame: Frame, sounds: Sequence[Block]) -> bool:
        """One tick, from the mixer's thread; False when it had to be left out. Never waits."""
        with self._changed:
            if self._closing:
                return True
            if self.waiting >= self._depth:
                self.dropped += 1
                self.dropping = True
                return False
            if self.dropping:
                self.dropping = False
                for splice in self._splices:
                    splice.cut()
            self._pictures.append(frame.hold())
            for queue, splice, sound in zip(self._sounds, self._splices, sounds, strict=True):
                queue.append(to_s16(splice.run(sound)).tobytes())
            self._changed.notify_all()
        return True

    def close(self, drain: float = 1.0) -> None:
        """Write what waits for up to `drain` seconds, then close the pipes. Returns at once."""
        with self._changed:
            self._closing = True
            self._give_up_at = min(self._give_up_at, time.monotonic() + drain)
            self._changed.notify_all()

    def wait_closed(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until the pipes are closed; blocks, so not on a loop."""
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _write_all(self, fd: int, write_one: Callable[[int], bool]) -> None:
        try:
            while write_one(fd):
                pass
        except OSError as error:
            self._lost(f"the encoder closed its input ({error.strerror})")
        finally:
            os.close(fd)

    def _lost(self, reason: str) -> None:
        with self._changed:
            self.reason = self.reason or reason
            self._closing = True
            self._give_up_at = 0.0
            while self._pictures:
                self._pictures.popleft().release()
            for queue in self._sounds:
                queue.clear()
            self._changed.notify_all()

    def _write_picture(self, fd: int) -> bool:
        with self._changed:
            if not self._wait_for(self._pictures):
                return False
            frame = self._pictures[0].hold()
        try:
            whole = self._push(fd, frame.picture.data)
        finally:
            frame.release()
        with self._changed:
            if self._pictures:  # emptied meanwhile when the output was lost
                self._pictures.popleft().release()
        return whole

    def _write_sound(self, queue: deque[bytes], fd: int) -> bool:
        with self._changed:
            if not self._wait_for(queue):
                return False
            block = queue[0]
        whole = self._push(fd, memoryview(block))
        with self._changed:
            if queue:  # emptied meanwhile when the output was lost
                queue.popleft()
        return whole

    def _wait_for(self, queue: deque[Frame] | deque[bytes]) -> bool:
        """With the condition held: True when the queue has something, False when all is written."""
        while not queue:
            if self._closing:
                return False
            self._changed.wait(POLL_S)
        return True

    def _push(self, fd: int, data: memoryview) -> bool:
        """All of `data` into the pipe; False when we gave up on it."""
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        while data:
            if time.monotonic() >= self._give_up_at:
                self._drop_rest()
                return False
            if poll.poll(POLL_S * 1000):
                try:
                    data = data[os.write(fd, data) :]
                except BlockingIOError:
                    continue
        return True

    def _drop_rest(self) -> None:
        with self._changed:
            while self._pictures:
                self._pictures.popleft().release()
            for queue in self._sounds:
                queue.clear()
