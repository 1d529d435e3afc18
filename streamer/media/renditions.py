"""The renditions of the viewing copy: which there are, and how they keep to one timeline.

`index` is picture and main sound, and the measure of all others: a part's break, and the place of
every segment, is where it is in `index`. What another rendition lacks is said to be a gap there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from streamer.config.models import Mode
from streamer.config.spec import MeetingSpec
from streamer.media.parts import PartList

INDEX, VIDEO, SOUND, SOUND_2, LOW = "index", "video", "sound", "sound2", "low"
LOW_LINES = 360
LOW_VIDEO_KBPS, LOW_AUDIO_KBPS = 600, 64
APART_S = 0.5
"""So far may a segment's beginning lie from that of the segment of `index` which it goes with: the
sound of a group of pictures that was joined in the middle begins some pictures later."""
LATE_S = 12.0
"""So long is waited for a segment of another rendition; then its place is a gap."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """What the viewing copy has beside `index`. `languages`: of the sounds, the main one first."""

    languages: tuple[str, ...] = ("kk",)
    sound_only: bool = False
    low: bool = False
    fps: int = 25
    video_kbps: int = 3000
    audio_kbps: int = 128

    @staticmethod
    def of(spec: MeetingSpec) -> Viewing:
        """What the settings ask for. What is only passed on is not encoded again for a smaller
        picture: one machine carries dozens of such meetings."""
        programme = spec.programme
        low = spec.viewing.low and spec.mode is Mode.MIX and programme.height > LOW_LINES
        return Viewing(
            languages=tuple(map(str, spec.sounds)), sound_only=spec.viewing.sound_only,
            low=low, fps=programme.fps,
            video_kbps=programme.video_kbps, audio_kbps=programme.audio_kbps,
        )  # fmt: skip

    @property
    def apart(self) -> bool:
        """Whether a player chooses among sounds: then picture and sounds are renditions apart.

        No player can take one sound out of a segment that holds picture and sound.
        """
        return len(self.languages) > 1

    @property
    def sounds(self) -> tuple[str, ...]:
        """The renditions that are sound alone, in the order of `languages`."""
        if self.apart:
            return (SOUND, SOUND_2)
        return (SOUND,) if self.sound_only else ()

    @property
    def copied(self) -> tuple[tuple[str, str], ...]:
        """What is copied beside `index`: the rendition and its track."""
        sounds = tuple((name, f"a:{track}") for track, name in enumerate(self.sounds))
        return ((VIDEO, "v:0"), *sounds) if self.apart else sounds

    @property
    def others(self) -> tuple[str, ...]:
        """Every rendition beside `index`."""
        return (*(name for name, _ in self.copied), *((LOW,) if self.low else ()))

    @property
    def kbps(self) -> int:
        """What the viewing copy writes to the disk, in kbit/s."""
        copied = sum(
            self.video_kbps if name == VIDEO else self.audio_kbps for name, _ in self.copied
        )
        low = LOW_VIDEO_KBPS + (self.low_audio_kbps or 0) if self.low else 0
        return self.video_kbps + self.audio_kbps + copied + low

    @property
    def low_audio_kbps(self) -> int | None:
        return None if self.apart else LOW_AUDIO_KBPS


def run_name(rendition: str, number: int) -> str:
    """Name of the `number`th list of a rendition in one part; only `low` may have several."""
    return f"{rendition}-{number}" if rendition == LOW else rendition


Place = tuple[tuple[PartList, int], ...]
"""The segments, each a list and a number, that together fill the time of one of `index`."""


@dataclass(slots=True)
class Fitting:
    """One rendition of one part, place by place: its segments, or None for a gap. Only grows."""

    places: list[Place | None] = field(default_factory=list)

    def extend(self, index: PartList, runs: Sequence[PartList], *, over: bool) -> None:
        """Go on as far as is known. `over`: the part gets no more segments."""
        for number in range(len(self.places), len(index.segments)):
            begin, end = index.begins[number], index.begins[number + 1]
            found = _covering(runs, begin, end)
            if (
                not found
                and not over
                and index.begins[-1] - end < LATE_S
                and not any(
                    run.segments and run.begins[len(run.segments) - 1] >= end - APART_S
                    for run in runs
                )
            ):
                return
            self.places.append(found)


def _covering(runs: Sequence[PartList], begin: float, end: float) -> Place | None:
    """The segments of one list that together are as long as this place, and lie there."""
    apart = min(APART_S, (end - begin) / 2)
    for run in reversed(runs):
        first, after = run.first_from(begin - apart), run.first_from(end - apart)
        if first >= after:
            continue
        length = run.begins[after] - run.begins[first]
        if abs(length - (end - begin)) <= APART_S and abs(run.begins[first] - begin) <= APART_S:
            return tuple((run, at) for at in range(first, after))
    return None
