"""The viewing copy: one playlist over all parts of recorder b, for each rendition.

Each unbroken part is written by ffmpeg's hls muxer into a folder of its own, with playlists of its
own. A viewer wants one playlist: `hls/index.m3u8`, composed here from what the parts list. It only
ever grows while the meeting runs (EVENT), and is closed at the end (VOD, ENDLIST). The others
(`renditions.py`) follow it place by place; `hls/master.m3u8` names them all.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from streamer.media import multivariant
from streamer.media.multivariant import Form
from streamer.media.parts import (
    ATTRIBUTE_URI,
    MediaPlaylist,
    PartList,
    Segment,
    number,
    parse,
    read,
)
from streamer.media.renditions import INDEX, LOW, Fitting, Place, Viewing, run_name

__all__ = [
    "NAME",
    "PART",
    "Composer",
    "Listed",
    "MediaPlaylist",
    "Segment",
    "compose",
    "compose_all",
    "listed",
    "parse",
    "write_composed",
]

PART = "part-"
"""What the name of a part's folder under `hls/` begins with; its number follows."""
NAME = f"{INDEX}.m3u8"
"""The playlist of picture and main sound, composed or of one part."""
PLAIN = Viewing()


@dataclass(frozen=True, slots=True)
class Listed:
    """What a composed playlist lists: files in order (init files included), their seconds."""

    files: tuple[str, ...]
    segments: int
    seconds: float
    ended: bool


def listed(text: str) -> Listed:
    """Read a composed playlist back. Never raises; the caller judges the addresses.

    A gap takes its time, and is no file.
    """
    files: list[str] = []
    segments, seconds, ended, gap = 0, 0.0, False, False
    for line in map(str.strip, text.splitlines()):
        tag, _, value = line.partition(":")
        if tag == "#EXTINF":
            seconds += number(value.partition(",")[0]) or 0.0
        elif tag == "#EXT-X-MAP":
            found = ATTRIBUTE_URI.search(value)
            files.append(found.group(1) if found else "")
        elif tag == "#EXT-X-GAP":
            gap = True
        elif line and not line.startswith("#"):
            if not gap:
                files.append(line)
            segments += 1
            gap = False
        ended = ended or tag == "#EXT-X-ENDLIST"
    return Listed(tuple(files), segments, seconds, ended)


def compose(folder: Path, closed: bool) -> str:
    """The composed playlist of the meeting in `folder` as text; a bare head when nothing is there.

    `closed`: the recording is over and will not grow. Reads files: call it in a thread.
    """
    return Composer(folder).compose(closed)


def compose_all(folder: Path, closed: bool, viewing: Viewing) -> dict[str, str]:
    """Every composed playlist by its file name, the multivariant one included. As `compose`."""
    return Composer(folder, viewing).compose_all(closed)


def write_composed(folder: Path, closed: bool, viewing: Viewing = PLAIN) -> bool:
    """Write the playlists in `<folder>/hls` that would differ; True when one was written.

    See `Composer.write`; whoever calls this again and again keeps a `Composer` instead.
    """
    return Composer(folder, viewing).write(closed)


@dataclass(slots=True)
class _Part:
    """The lists of one part, and how far the other renditions are fitted to its index."""

    name: str
    index: PartList
    runs: dict[str, list[PartList]] = field(default_factory=dict)
    fittings: dict[str, Fitting] = field(default_factory=dict)


class Composer:
    """Composes the playlists of one meeting again and again.

    It remembers what it has read, so that a call while nothing changed costs one `stat` per list,
    and a call after a change reads only what is new. Not for two threads at once.
    """

    def __init__(self, folder: Path, viewing: Viewing = PLAIN) -> None:
        self._folder, self._hls, self._viewing = folder, folder / "hls", viewing
        self._parts: dict[int, _Part] = {}
        self._written: tuple[object, ...] = ()
        self._last: dict[str, str] = {}
        self._bodies: dict[str, _Body] = {}

    def compose(self, closed: bool) -> str:
        """The playlist of `index` as text."""
        self._refresh()
        return self._text(INDEX, closed)

    def compose_all(self, closed: bool) -> dict[str, str]:
        """Every playlist that lists something, by its file name."""
        self._refresh()
        if not any(part.index.segments for part in self._parts.values()):
            return {}
        self._fit(closed)
        names = [name for name in self._viewing.others if self._runs(name)]
        texts = {f"{name}.m3u8": self._text(name, closed) for name in (INDEX, *names)}
        master = multivariant.compose(self._viewing, self._forms([INDEX, *names]))
        if names and master:
            texts[multivariant.NAME] = master
        return texts

    def write(self, closed: bool) -> bool:
        """Write the playlists that changed; True when one was written.

        A reader sees an old or a new playlist, never half of one. Nothing is written before
        there is a segment: players take an empty playlist for a broken one. Raises OSError.
        Blocks for an fsync of each that it writes: call it in a thread.
        """
        self._refresh()
        state = (closed, *(one.stamp for one in self._lists()))
        if state == self._written:
            return False
        wrote = False
        for name, text in self.compose_all(closed).items():
            path = self._hls / name
            if (self._last.get(name) or read(path)) != text:
                _replace(path, text)
                wrote = True
            self._last[name] = text
        self._written = state
        return wrote

    # What there is ----------------------------------------------------------------------------

    def _refresh(self) -> None:
        epoch = _epoch(self._folder)
        for number_ in _part_numbers(self._hls):
            name = f"{PART}{number_:04d}"
            if number_ not in self._parts:
                self._parts[number_] = _Part(name, PartList(self._hls / name / NAME))
            part = self._parts[number_]
            part.index.refresh(epoch)
            for other in self._viewing.others:
                _look_for_runs(part, other, self._hls)
                for run in part.runs[other]:
                    run.refresh(epoch)
        self._parts = dict(sorted(self._parts.items()))

    def _lists(self) -> Iterator[PartList]:
        for part in self._parts.values():
            yield part.index
            for runs in part.runs.values():
                yield from runs

    def _runs(self, name: str) -> list[PartList]:
        """Every list of a rendition that has a segment."""
        parts = self._parts.values()
        lists = (
            [part.index for part in parts] if name == INDEX
            else [run for part in parts for run in part.runs[name]]
        )  # fmt: skip
        return [one for one in lists if one.segments]

    def _fit(self, closed: bool) -> None:
        last = max(self._parts, default=0)
        for number_, part in self._parts.items():
            for name in self._viewing.others:
                fitting = part.fittings.setdefault(name, Fitting())
                fitting.extend(part.index, part.runs[name], over=closed or number_ != last)

    def _forms(self, names: list[str]) -> dict[str, Form]:
        forms = {}
        for name in names:
            lists = self._runs(name)
            peak = max(one.peak_bps for one in lists)
            found = multivariant.form(lists[-1].folder / lists[-1].segments[-1].init, peak)
            if found is not None:
                forms[name] = found
        return forms

    # Text -------------------------------------------------------------------------------------

    def _text(self, name: str, closed: bool) -> str:
        head = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{self._target()}",
            "#EXT-X-MEDIA-SEQUENCE:0",
            f"#EXT-X-PLAYLIST-TYPE:{'VOD' if closed else 'EVENT'}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        body = self._bodies.setdefault(name, _Body())
        for part in self._parts.values():
            body.extend(name, part)
        return "\n".join(head) + "\n" + body.text + ("#EXT-X-ENDLIST\n" if closed else "")

    def _target(self) -> int:
        """Every duration, rounded, must be at most the target (RFC 8216, 4.3.3.1)."""
        lists = list(self._lists())
        longest = max((one.longest for one in lists), default=0.0)
        return max([1, int(longest + 0.5), *(one.target for one in lists)])


@dataclass(slots=True)
class _Body:
    """The places of one composed playlist as text. It only grows, as a player expects."""

    text: str = ""
    _init: str = ""
    _done: dict[str, int] = field(default_factory=dict)
    """Places of each part that are in the text."""

    def extend(self, name: str, part: _Part) -> None:
        """Add the places of `part` that are new."""
        index, done = part.index, self._done.get(part.name, 0)
        if name == INDEX:
            places = [((index, at),) for at in range(done, len(index.segments))]
        else:
            places = part.fittings[name].places[done:]  # type: ignore[assignment]
        lines = [
            line for place, found in enumerate(places, done)
            for line in self._place(name, part, place, found)
        ]  # fmt: skip
        if lines:
            self.text += "\n".join(lines) + "\n"
        self._done[part.name] = done + len(places)

    def _place(self, name: str, part: _Part, place: int, found: Place | None) -> Iterator[str]:
        index = part.index
        begun = bool(self.text) or place > 0
        if begun and (place == 0 or index.segments[place].discontinuity):
            yield "#EXT-X-DISCONTINUITY"
        if found is None:
            yield from _entry(index.dates[place], index.segments[place].duration)
            yield "#EXT-X-GAP"
            yield f"{part.name}/{name}-gap-{place + 1:05d}.m4s"
            return
        for number_, (run, at) in enumerate(found):
            segment = run.segments[at]
            if self._init != (wanted := f"{part.name}/{segment.init}"):
                self._init = wanted
                yield f'#EXT-X-MAP:URI="{wanted}"'
            # One date for one place: the public's cut is the same in all renditions.
            yield from _entry("" if number_ else index.dates[place], segment.duration)
            yield f"{part.name}/{segment.uri}"


def _entry(date: str, duration: float) -> Iterator[str]:
    if date:
        yield f"#EXT-X-PROGRAM-DATE-TIME:{date}"
    yield f"#EXTINF:{duration:.6f},"


def _look_for_runs(part: _Part, name: str, hls: Path) -> None:
    """Learn of a list that was begun since; a rendition that may begin again has several."""
    runs = part.runs.setdefault(name, [])
    while not runs or name == LOW:
        path = hls / part.name / f"{run_name(name, len(runs) + 1)}.m3u8"
        if not path.exists():
            return
        runs.append(PartList(path))


def _epoch(folder: Path) -> float | None:
    """POSIX time at which the programme clock of the meeting is zero; None when nobody wrote it."""
    try:
        return float(json.loads((folder / "run.json").read_text())["epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _part_numbers(hls: Path) -> list[int]:
    try:
        with os.scandir(hls) as entries:
            return [
                int(digits) for e in entries
                if len(digits := e.name.removeprefix(PART)) >= 4 and digits.isdecimal()
                and e.name.startswith(PART) and e.is_dir()
            ]  # fmt: skip
    except FileNotFoundError:
        return []


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
