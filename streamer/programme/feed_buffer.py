"""What a feed has delivered and the programme has not shown yet, on one timeline.

Positions are counted in samples of the canvas (48,000 a second) for picture and sound alike, so
nothing is rounded twice. While the buffer plays, its position moves by exactly one tick per tick of
the programme: picture and sound keep the distance that their timestamps say, however they arrive.

It begins to play when about 4 pictures are there (`prime`). When it runs dry it holds its position
and primes again: nothing is lost, the delay grows. When more than 12 pictures are there it skips to
4, picture and sound together. So a source's clock may differ from ours.

A source whose sound does not fit its picture is put right with `set_delay`. All of the above goes
by what has arrived; only what is played of it is taken from further back: the sound in the ring,
the picture in the queue, which keeps as many pictures more.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.domain.errors import BadInput
from streamer.programme.canvas import Block, Canvas, Picture
from streamer.programme.sound import FADE_S, SampleRing, Splice

STALE_AFTER = 0.6
"""Seconds without a new picture after which a feed's picture counts as lost. More than the longest
buffer (12 pictures), so nothing that is there goes unseen; less than the promised second."""
STILLS_STALE_AFTER = 12.0
"""The same for a feed of still pictures: more than the longest distance of two keyframes."""
BACK_S = 0.25
"""Seconds for which something must have come again, after a loss, to count as back."""
FRESH = 0.3
"""Seconds within which something must have arrived for the feed to wait for it."""
JUMP_S = 1.0
"""Seconds by which a timestamp may be off before the feed's timeline is begun anew."""
LATE_PICTURES = 8
"""Pictures in a row that came too late to be shown in time, before the delay is made longer."""
RING_S = 3
"""Seconds of sound that are kept at most: 1.5 that wait, and 1 for the source's own delay."""
DELAY_MS = (-500, 1000)
"""How far the sound of a source may be moved against its picture."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """One tick of a feed. `picture` stays the buffer's own and valid until the next `pull`."""

    picture: Picture | None
    sound: Block
    picture_alive: bool
    sound_alive: bool

    @property
    def alive(self) -> bool:
        return self.picture_alive or self.sound_alive


@dataclass(slots=True)
class FeedCounts:
    """What happened in a buffer since it was made."""

    pictures: int = 0
    sound_blocks: int = 0
    holds: int = 0
    """Times it ran dry and waited."""
    skips: int = 0
    """Times it left something out because too much was there."""
    late: int = 0
    """Pictures that came after their time."""
    restarts: int = 0
    """Timelines begun: by a new reader, or by a jump of the timestamps."""


class _Arrivals:
    """When something came, in monotonic seconds; and whether it still does."""

    def __init__(self, stale_after: float) -> None:
        self.came = self._since = float("-inf")
        self.alive = False
        self._stale_after = stale_after
        self._was_lost = self._at_once = False

    def note(self, now: float) -> None:
        if now - self.came >= self._stale_after:
            self._since = now
        self.came = now

    def stills(self, stills: bool, stale_after: float) -> None:
        """Single pictures far apart: the first one that comes counts, after a loss as well."""
        self._at_once = stills
        self._stale_after = STILLS_STALE_AFTER if stills else stale_after

    def forget(self) -> None:
        """Nothing counts as having come."""
        self.came = float("-inf")

    def look(self, now: float, playing: bool) -> bool:
        """Alive when it plays and comes; after a loss only when it has come for a while.

        A child that loses its source hands over in one burst what its decoder still held: that
        is not the source coming back (seen as half a second of hall in the middle of the slate).
        """
        if now - self.came >= self._stale_after:
            self._was_lost = self._was_lost or self.alive
            self.alive = False
        elif not self.alive and playing:
            long_enough = self._at_once or self.came - self._since >= BACK_S
            self.alive = not self._was_lost or long_enough
            self._was_lost = self._was_lost and not self.alive
        return self.alive


class FeedBuffer:
    """Thread-safe: one `FeedReader` puts, the mixer pulls once per tick.

    `prime` and `skip` are counts of pictures. A buffer outlives its readers: after a reader ended,
    the next one begins a new timeline in the same buffer while the last picture is still known.
    """

    def __init__(
        self, canvas: Canvas, *, prime: int = 4, skip: int = 12, stale_after: float = STALE_AFTER,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.canvas = canvas
        self.counts = FeedCounts()
        self._tick = canvas.samples_per_tick
        self._delay = prime * self._tick
        self._limit = skip * self._tick
        self._room = skip + prime + 4
        self._jump = round(JUMP_S * canvas.sample_rate)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pictures: deque[tuple[int, Picture]] = deque()
        self._ring = SampleRing(RING_S * canvas.sample_rate)
        self._splice = Splice(round(FADE_S * canvas.sample_rate))
        self._has_video = self._has_audio = True
        self._stale_after = stale_after
        self._stills = False
        self._writer = 0
        self._picture: Picture | None = None
        self._pictures_come, self._sound_comes = _Arrivals(stale_after), _Arrivals(stale_after)
        self._heard = False
        self._playing = False
        self._position: int | None = None
        self._shift = 0
        self._video_end: int | None = None
        self._late_run = 0
        # How far behind the position sound and picture are played, in samples.
        self._sound_back = self._picture_back = 0

    def set_delay(self, ms: int) -> None:
        """Let the sound be heard `ms` later than its timestamps say; negative: the picture is shown
        later. For any thread, at any time; it holds for all readers. BadInput out of -500 to 1000.

        The sound moves to the sample. After a change the picture stands or leaps by as much as it
        moves, the sound without a click.
        """
        low, high = DELAY_MS
        if not low <= ms <= high:
            raise BadInput(
                f"sound cannot be moved by {ms} ms; use {low} to {high}",
                code="wrong_delay", delay_ms=ms,
            )  # fmt: skip
        samples = round(ms * self.canvas.sample_rate / 1000)
        # Pictures move by whole ticks; the sound makes good what is too much of that.
        ticks = -(min(samples, 0) // self._tick)
        with self._lock:
            self._picture_back = ticks * self._tick
            sound_back = self._picture_back + samples
            if sound_back != self._sound_back:
                self._splice.cut()
            self._sound_back = sound_back

    # -- the reader's side ------------------------------------------------------------------

    def begin(self, *, video: bool, audio: bool, stills: bool = False) -> int:
        """A reader starts; it will bring pictures, sound, or both. The timeline begins anew.

        `stills`: pictures come seldom, each is shown from its arrival to the next one; the sound
        plays on its own. Returns the reader's number: what a reader before it still puts with its
        own number is left out.
        """
        with self._lock:
            self._has_video, self._has_audio = video and not stills, audio
            self._stills = stills
            self._pictures_come.stills(stills, self._stale_after)
            self._restart()
            self._writer += 1
            return self._writer

    def end(self) -> None:
        """The source is gone, and its readers: stills do not outlive it."""
        with self._lock:
            if self._stills:
                self._pictures_come.forget()

    def put_picture(self, position: int, picture: Picture, *, writer: int | None = None) -> None:
        """The picture that is shown from `position` on. The buffer keeps `picture`."""
        with self._lock:
            if writer not in (None, self._writer):
                return
            if self._stills:
                self._picture = picture
                self._pictures_come.note(self._monotonic())
                self.counts.pictures += 1
                return
            if self._video_end is not None:
                if abs(position + self._tick - self._video_end) > self._jump:
                    self._restart()
                elif position < self._video_end - self._tick // 2:
                    return
            elif self._jumped(position):
                self._restart()
            self._pictures.append((position, picture))
            self._video_end = position + self._tick
            self._pictures_come.note(self._monotonic())
            self.counts.pictures += 1
            if len(self._pictures) > self._room + self._picture_back // self._tick:
                self._pictures.popleft()
            self._notice_late(position)

    def put_sound(
        self, position: int, samples: NDArray[np.int16], *, writer: int | None = None
    ) -> None:
        """Samples (n, 2) that are heard from `position` on. They are copied."""
        with self._lock:
            if writer not in (None, self._writer):
                return
            if self._ring:
                jumped = abs(position - self._ring.end) > self._jump
            else:
                jumped = self._jumped(position - self._shift)
            if jumped:
                self._restart()
            self._ring.put(position, samples)
            self._sound_comes.note(self._monotonic())
            self.counts.sound_blocks += 1

    # -- the mixer's side -------------------------------------------------------------------

    def pull(self) -> Pulled:
        """What belongs to this tick of the programme. Never waits."""
        with self._lock:
            now = self._monotonic()
            if self._playing:
                self._skip_if_ahead(now)
            else:
                self._playing = self._primed(now)
            if self._playing and self._dry(now):
                self._playing = False
                self._late_run = 0
                self.counts.holds += 1
            sound = self._play() if self._playing else self._silence(self._tick)
            come = self._pictures_come.look(now, self._playing or self._stills)
            alive = come and self._picture is not None
            heard = self._sound_comes.look(now, self._playing)
            return Pulled(self._picture, sound, alive, heard)

    @property
    def picture_age(self) -> float:
        """Seconds since the newest picture arrived; infinite when none ever did."""
        return self._monotonic() - self._pictures_come.came

    # -- inside, with the lock held -----------------------------------------------------------

    def _restart(self) -> None:
        self._pictures.clear()
        self._ring.clear()
        self._position = self._video_end = None
        self._shift = self._late_run = 0
        self._playing = False
        self.counts.restarts += 1

    def _jumped(self, position: int) -> bool:
        """True when the first of its kind comes far from where the other one plays."""
        return self._position is not None and abs(position - self._position) > self._jump

    def _notice_late(self, position: int) -> None:
        """Pictures that always come too late ask for a longer delay (sound waits for them)."""
        if not self._playing or self._position is None:
            return
        if position >= self._position - self._tick // 2:
            self._late_run = 0
            return
        self.counts.late += 1
        self._late_run += 1
        # With a second of sound in store the two are too far apart to be brought together.
        waits = self._ring.end - self._shift - self._position if self._ring else 0
        if self._late_run >= LATE_PICTURES and waits < self._jump:
            self._playing = False
            self._late_run = 0
            self.counts.holds += 1

    def _ends(self, now: float) -> list[int]:
        """How far what is coming just now reaches."""
        ends = []
        if self._video_end is not None and now - self._pictures_come.came < FRESH:
            ends.append(self._video_end)
        if self._ring and now - self._sound_comes.came < FRESH:
            ends.append(self._ring.end - self._shift)
        return ends

    def _primed(self, now: float) -> bool:
        """Enough is there to play; fixes the position when the timeline is a new one."""
        ends = self._ends(now)
        if not ends:
            return False
        if self._position is None:
            first = self._pictures[0][0] if self._pictures else None
            if first is not None and self._ring and abs(first - self._ring.start) > self._jump:
                # Picture and sound carry timestamps of two clocks: begin both now.
                self._shift = self._ring.start - first
                return self._primed_from(first, self._ends(now))
            starts = [first] if first is not None else []
            starts += [self._ring.start] if self._ring else []
            return bool(starts) and self._primed_from(min(starts), ends)
        return self._primed_from(self._position, ends)

    def _primed_from(self, start: int, ends: list[int]) -> bool:
        # One of the two was announced and has not come yet: give it twice the time.
        missing = (self._has_video and self._video_end is None) or (
            self._has_audio and not self._ring
        )
        enough = min(ends) - start >= self._delay * (2 if missing else 1)
        # The sound must not overrun its ring while it waits for pictures.
        too_much = max(ends) - start >= self._jump * 3 // 2
        if not (enough or too_much):
            return False
        if self._pictures:
            # On the grid of the pictures every tick finds exactly one of them.
            first = self._pictures[0][0]
            start = first + round((start - first) / self._tick) * self._tick
        self._position = start
        return True

    def _skip_if_ahead(self, now: float) -> None:
        ends = self._ends(now) or ([] if self._video_end is None else [self._video_end])
        if self._position is None or not ends or min(ends) - self._position <= self._limit:
            return
        too_much = min(ends) - self._position - self._delay
        self._position += too_much // self._tick * self._tick
        self._splice.cut()
        self.counts.skips += 1

    def _dry(self, now: float) -> bool:
        """What is coming has not come far enough for this tick."""
        assert self._position is not None
        wanted = self._position + self._tick
        if self._ring and now - self._sound_comes.came < FRESH:
            return self._ring.end - self._shift < wanted
        if self._ring and self._ring.end - self._shift > self._position:
            return False
        return self._video_end is None or self._video_end < wanted - self._tick // 2

    def _play(self) -> Block:
        assert self._position is not None
        nearest = self._position - self._picture_back + self._tick // 2
        while self._pictures and self._pictures[0][0] <= nearest:
            self._picture = self._pictures.popleft()[1]
        block, first, last = self._ring.read(
            self._position + self._shift - self._sound_back, self._tick
        )
        self._position += self._tick
        if last <= first:
            return self._silence(self._tick)
        parts = [self._silence(first)] if first else []
        if not self._heard:
            self._splice.cut()
            self._heard = True
        parts.append(self._splice.run(block[first:last]))
        if last < self._tick:
            parts.append(self._silence(self._tick - last))
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _silence(self, count: int) -> Block:
        if self._heard:
            self._splice.cut()
            self._heard = False
        return self._splice.run(np.zeros((count, 2), dtype=np.float32))
