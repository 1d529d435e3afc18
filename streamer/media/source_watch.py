"""What the splicer knows of its source: whether it comes, in which form, at which rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from streamer.media.forms import (
    PictureForm,
    SoundForm,
    annex_b,
    parameter_sets,
    picture_form,
    sound_form,
)
from streamer.media.slates import Form
from streamer.media.units import CLOCK, Unit, made_unit

LOST = int(0.7 * CLOCK)
"""Without a picture for so long, the source is gone."""
ENOUGH = 3
"""Pictures after a pause that make a source come back."""
SHORTEST = 200
"""Ticks between two pictures below which they tell no rate."""


@dataclass(slots=True)
class SourceWatch:
    """Its times of arrival are programme time, its timestamps the source's own; both in ticks."""

    on_form: Callable[[Form], None] = lambda form: None
    """The source sends in this form now: another one than before, or the first."""
    form: Form | None = None
    """How it sends, or last sent."""
    sets: tuple[bytes, ...] = ()
    """Its newest parameter sets."""
    frame: int = 0
    """Ticks between two pictures, the least that was seen; 0: not known."""
    began: int = 0
    """When pictures began to come after a pause."""
    keyframe: bytes = b""
    """The newest keyframe with its parameter sets (Annex B)."""
    keyframes: int = 0
    sounds: deque[bytes] = field(default_factory=lambda: deque(maxlen=8))
    """The newest units of sound (ADTS), of one frame or more each."""
    units: int = 0
    _arrived: int | None = None
    _came: int = 0
    _last_dts: int | None = None
    _picture: PictureForm | None = None
    _sound: SoundForm | None = None
    _expects_sound: bool = True

    def alive(self, now: int) -> bool:
        """Pictures came in the last moments, not just one: FFmpeg hands over the last one that it
        kept when it finds a line dead, seconds later."""
        return self._came >= ENOUGH and not self._paused(now)

    def _paused(self, now: int) -> bool:
        return self._arrived is None or now - self._arrived >= LOST

    def connected(self, *, sound: bool) -> None:
        """A new connection; `sound`: it has a track of AAC."""
        self.sets, self.frame = (), 0
        self.sounds.clear()
        self._last_dts = self._picture = self._sound = self._arrived = None
        self._expects_sound = sound

    def see(self, unit: Unit, now: int) -> None:
        """A unit of it came."""
        self.units += 1
        if not unit.video:
            self._see_sound(unit.payload)
            return
        if self._paused(now):
            self.began, self._came = now, 0
        self._arrived, self._came = now, self._came + 1
        if self._last_dts is not None and SHORTEST < (step := unit.dts - self._last_dts) < CLOCK:
            self.frame = min(step, self.frame or step)
        self._last_dts = unit.dts
        if unit.keyframe:
            self._see_keyframe(unit)

    def _see_keyframe(self, unit: Unit) -> None:
        """Learn the parameter sets; put them back where an encoder sent them only once."""
        sets = parameter_sets(unit.payload)
        if not sets and self.sets:
            made_unit(unit, annex_b(self.sets) + unit.payload)
            sets = self.sets
        if not sets:
            return
        self.keyframe, self.keyframes = unit.payload, self.keyframes + 1
        again = sets == self.sets
        if not again:
            self.sets, self.frame = sets, 0
            self._picture = picture_form(sets)
        if not self._expects_sound or self._sound is not None or again:
            self._tell()

    def _see_sound(self, adts: bytes) -> None:
        self.sounds.append(adts)
        sound = sound_form(adts)
        if sound is not None and sound != self._sound:
            self._sound = sound
            self._tell()

    def _tell(self) -> None:
        if self._picture is None:
            return
        form = Form(self._picture, self._sound)
        if form != self.form:
            self.form = form
            self.on_form(form)
