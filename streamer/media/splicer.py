"""The splicer: one programme out of a source that comes and goes, copied, never decoded.

It owns the programme's timeline. The hall's units are moved to programme time and handed on when
they are due; while none come, or the slate is wanted, a slate that was encoded once is repeated.
Every change between the two begins with a keyframe, and decoding time never goes back.

No thread, no I/O, no clock of its own: whoever owns it tells `now`, programme time in ticks of
90 kHz. Limits: a stream of one picture and one sound; the source's own timestamps are believed
until they contradict the clock (`JUMP`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from streamer.media.forms import FRAME, SoundForm, adts_frames, parameter_sets, sound_form
from streamer.media.slates import Form, Parameters, SlateGroup
from streamer.media.source_watch import SourceWatch
from streamer.media.units import CLOCK, Unit, UnitWriter

SETTLE = int(0.1 * CLOCK)
"""So long the first burst of a connection is waited for, to join at its newest keyframe."""
LONGEST_GROUP = int(2.5 * CLOCK)
"""A group under way that began longer ago is not joined: the hall would be that late for good."""
AHEAD = int(0.15 * CLOCK)
"""How late the source is made at least, so that what comes unevenly goes out evenly: a round of
the owner, and the picture that is complete only when the next one begins."""
JUMP = int(1.5 * CLOCK)
FAR = 4 * CLOCK
"""A timestamp that is so far behind or before where it should be begins a new count."""
NO_TIME = 200
"""Ticks between two pictures below which timestamps say nothing: FFmpeg, where it mends a clock
that went back, counts on by ones."""
WINDOW = 10 * CLOCK
SLEW = 2
"""Ticks by which each picture may be moved to follow the source's clock: 500 ppm at 25 fps."""
TOLERANCE = int(0.02 * CLOCK)
SILENT_AFTER = int(0.5 * CLOCK)
"""Sound that is missing for so long is replaced by silence; outputs would wait for it."""


@dataclass(slots=True)
class Counts:
    """Pictures of the hall and of the slate that went out; units that could not be shown (before
    a keyframe, leading, on the other side of a jump); new counts of time; times the hall came."""

    passed: int = 0
    slates: int = 0
    dropped: int = 0
    jumps: int = 0
    joins: int = 0


@dataclass(slots=True)
class Splicer:
    """`emit` gets bytes of a transport stream; `on_parameters` is called between two of them.

    It says that what follows wants other headers (None before the first).
    """

    emit: Callable[[bytes], None]
    on_parameters: Callable[[Parameters | None, Parameters], None] = lambda before, after: None
    source: SourceWatch = field(default_factory=SourceWatch)
    wanted: bool = False
    """Whether the hall is wanted; else the slate."""
    muted: bool = False
    hall: bool = False
    """Whether the hall is on."""
    counts: Counts = field(default_factory=Counts)
    parameters: Parameters | None = None
    _slates: dict[Form, SlateGroup] = field(default_factory=dict)
    _slate: SlateGroup | None = None
    _writer: UnitWriter = field(default_factory=UnitWriter)
    _held: list[Unit] = field(default_factory=list)
    _pictures: deque[Unit] = field(default_factory=deque)
    _sounds: deque[Unit] = field(default_factory=deque)
    _out: list[bytes] = field(default_factory=list)
    _shift: int = 0
    _leading: int | None = None
    """PTS of the keyframe that was joined: pictures before it belong to the group before."""
    _slate_from: int = 0
    _slate_at: int = 0
    _last_dts: int = -1
    _last_pts: int = -1
    _sound_next: float = -1
    _sound_out: SoundForm | None = None
    _least: int | None = None
    _window_ends: int = 0
    _target: int | None = None
    _correct: int = 0

    # What comes in --------------------------------------------------------------------------

    def give_slate(self, group: SlateGroup) -> None:
        """A slate for one form of source; of all that were given, the one that fits is used."""
        while len(self._slates) > 3:
            del self._slates[next(iter(self._slates))]
        self._slates[group.form] = group
        if self._slate is None:
            self._slate = group

    def has_slate(self, form: Form) -> bool:
        return form in self._slates

    @property
    def ready(self) -> bool:
        """There is a slate: something can be emitted at every moment."""
        return self._slate is not None

    def connected(self, *, sound: bool = True) -> None:
        """A new connection: what was kept of the one before is worth nothing any more."""
        self._leave()
        self._held.clear()
        self.source.connected(sound=sound)

    def take(self, unit: Unit, now: int) -> None:
        """One unit of the source, at the moment at which it came."""
        self.source.see(unit, now)
        if self.hall:
            self._queue(unit, now)
            return
        if unit.keyframe and self.source.sets:
            self._held = [unit]
        elif self._held:
            if unit.video and unit.dts - self._held[0].dts > LONGEST_GROUP:
                self._held.clear()
            else:
                self._held.append(unit)

    def _queue(self, unit: Unit, now: int) -> None:
        """Move a unit of the joined source to programme time."""
        if self._is_leading(unit):
            self.counts.dropped += 1
            return
        if unit.video:
            self._keep_time(unit, now)
        elif not -JUMP < unit.dts + self._shift - now < FAR:
            self.counts.dropped += 1  # sound on the other side of a jump
            return
        self._shifted(unit)

    def _is_leading(self, unit: Unit) -> bool:
        if self._leading is None or not unit.video:
            return False
        if unit.pts > self._leading:
            self._leading = None
        return self._leading is not None and unit.pts < self._leading

    def _shifted(self, unit: Unit) -> None:
        unit.pts += self._shift
        unit.dts += self._shift
        (self._pictures if unit.video else self._sounds).append(unit)

    def _keep_time(self, unit: Unit, now: int) -> None:
        """Follow the source's clock slowly, and its jumps at once."""
        last = self._pictures[-1].dts if self._pictures else self._last_dts
        ahead = unit.dts + self._shift - now
        if unit.dts + self._shift - last < NO_TIME or not -JUMP < ahead < FAR:
            self._shift = max(last + self._frame, now) - unit.dts
            self.counts.jumps += 1
            self._least, self._correct = None, 0
            return
        if self._correct:
            step = max(-SLEW, min(SLEW, self._correct))
            self._shift += step
            self._correct -= step
        self._least = ahead if self._least is None else min(self._least, ahead)
        if now >= self._window_ends:
            if self._target is None:
                self._target = max(self._least, AHEAD // 3)
            off = self._target - self._least
            self._correct = off if abs(off) > TOLERANCE else 0
            self._least, self._window_ends = None, now + WINDOW

    # What goes out --------------------------------------------------------------------------

    def begin(self, now: int) -> None:
        """The programme starts, or goes on after a pause of the output: nothing older goes out."""
        self._leave()
        self._last_dts = max(self._last_dts, now - self._frame)
        self._last_pts = max(self._last_pts, now - self._frame)
        self._sound_next = max(self._sound_next, now)
        self._restart_slate()

    def round(self, now: int) -> None:
        """Hand on what is due at `now`, and decide between hall and slate. Needs a slate."""
        if self.hall and not (self.wanted and self.source.alive(now)):
            self._leave()
        if not self.hall and self.wanted and self.source.alive(now):
            self._join(now)
        if self.hall:
            while self._pictures and self._pictures[0].dts <= now:
                self._sound_until(self._pictures[0].dts)
                self._pass(self._pictures.popleft())
            self._sound_until(now)
        else:
            while self._slate is not None and (due := self._slate_due) <= now:
                self._repeat(due)
            self._silence(now)
        self._flush()

    def _leave(self) -> None:
        if self.hall:
            self.hall = False
            self._held.clear()
            self._restart_slate()
        self._pictures.clear()
        self._sounds.clear()

    def _restart_slate(self) -> None:
        self._slate = self._fitting
        self._slate_at = 0
        self._slate_from = max(self._last_pts, self._last_dts) + self._frame

    @property
    def _fitting(self) -> SlateGroup | None:
        """The slate that looks like what the source sends, else the one there is."""
        form = self.source.form
        return self._slates.get(form, self._slate) if form else self._slate

    def _join(self, now: int) -> None:
        """Begin with the newest keyframe of the source, once its first burst is over."""
        if not self._held or now - self.source.began < SETTLE:
            return
        held, self._held = self._held, []
        key, newest = held[0], max(unit.dts for unit in held if unit.video)
        first = max(now, max(self._last_dts, self._last_pts) + self._frame)
        first = max(first, now + AHEAD - (newest - key.dts))
        self._shift, self._leading = first - key.dts, key.pts
        self._least = self._target = None
        self._correct, self._window_ends = 0, now + WINDOW
        self.hall = True
        self.counts.joins += 1
        oldest = key.dts - JUMP
        for unit in held:
            if self._is_leading(unit) or unit.dts < oldest:
                self.counts.dropped += 1
            else:
                self._shifted(unit)

    def _pass(self, unit: Unit) -> None:
        if unit.keyframe:
            self._headers(parameter_sets(unit.payload))
            self._out.append(self._writer.psi())
        self._out.append(self._writer.unit(unit))
        self._last_dts, self._last_pts = unit.dts, max(self._last_pts, unit.pts)
        self.counts.passed += 1

    @property
    def _slate_due(self) -> int:
        rate = self._slate.fps if self._slate else 1
        return self._slate_from + round(self._slate_at * CLOCK / rate)

    def _repeat(self, due: int) -> None:
        """One picture of the slate; a slate that fits better begins where the group does."""
        group = self._slate
        if group is None:
            return
        at = self._slate_at % len(group.pictures)
        if at == 0:
            fitting = self._fitting or group
            if fitting is not group:
                self._slate = group = fitting
                self._slate_from, self._slate_at = due, 0
            self._headers(group.sets)
            self._out.append(self._writer.psi())
        self._out.append(self._writer.unit(group.pictures[at].at(due, due)))
        self._slate_at += 1
        self._last_dts, self._last_pts = due, max(self._last_pts, due)
        self.counts.slates += 1

    def _sound_until(self, until: int) -> None:
        """The source's sound up to `until`, silence where there is none."""
        while self._sounds and self._sounds[0].pts <= until:
            self._pass_sound(self._sounds.popleft())
        source = self.source.form
        silent = self.muted or source is None or source.sound is None
        self._silence(until if silent else until - SILENT_AFTER)

    def _pass_sound(self, unit: Unit) -> None:
        frames = adts_frames(unit.payload)
        form = sound_form(frames[0]) if frames else None
        if self.muted or form is None or form != self._sound_out:
            return
        length = FRAME * CLOCK / form.rate
        if unit.pts < self._sound_next - length / 2:
            self.counts.dropped += 1
            return
        self._silence(unit.pts - length / 2)
        self._out.append(self._writer.unit(unit))
        self._sound_next = unit.pts + len(frames) * length

    def _silence(self, until: float) -> None:
        """Whole frames of silence up to `until`, some to a unit."""
        form = self._sound_out
        quiet = next((g.silence for g in self._slates.values() if g.sound == form), None)
        if form is None or quiet is None:
            return
        length = FRAME * CLOCK / form.rate
        count = int((until - self._sound_next) / length)
        while count > 0:
            some = min(count, 8)
            self._out.append(self._writer.made(quiet * some, round(self._sound_next)))
            self._sound_next += some * length
            count -= some

    def _headers(self, sets: tuple[bytes, ...]) -> None:
        """A keyframe with these parameters follows: say so when they are others than before."""
        source = self.source.form
        if self.hall and source is not None and source.sound is not None:
            self._sound_out = source.sound
        elif self._slate is not None:
            self._sound_out = self._slate.sound
        after = Parameters(sets, self._sound_out or SoundForm())
        if after != self.parameters:
            self._flush()
            before, self.parameters = self.parameters, after
            self.on_parameters(before, after)

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self.emit(data)

    @property
    def _frame(self) -> int:
        """Ticks of one picture."""
        if self.source.frame:
            return self.source.frame
        return round(CLOCK / self._slate.fps) if self._slate is not None else CLOCK // 25
