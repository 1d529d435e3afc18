"""One playlist of one part, as ffmpeg writes it: read again and again while it grows.

What may be wrong with a part, because its recorder may have been killed at any moment: the last
line of its playlist is torn; a listed segment is missing or empty; a written segment is not listed
(it may be cut in the middle). All of these are left out: the master has those seconds.
"""

from __future__ import annotations

import bisect
import io
import math
import os
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

import av

ATTRIBUTE_URI = re.compile(r'URI="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Segment:
    """One listed media segment. `duration` is in seconds, `at` its EXT-X-PROGRAM-DATE-TIME."""

    uri: str
    duration: float
    init: str = ""
    at: str = ""
    discontinuity: bool = False


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """What one media playlist says, as far as we use it. `target` is in whole seconds."""

    target: int
    segments: tuple[Segment, ...]
    ended: bool

    @property
    def seconds(self) -> float:
        """The listed duration in seconds."""
        return sum(s.duration for s in self.segments)


def parse(text: str, init: str = "") -> MediaPlaylist:
    """Read a media playlist (RFC 8216) and leave out what is torn. Never raises.

    A last line without its line feed is torn and is not read. A segment whose address is not a
    plain file name is not one of ours and is left out too: nothing outside the folder is listed.
    `init` holds for what comes before the first EXT-X-MAP of a text that is the rest of another.
    """
    target, ended = 0, False
    duration: float | None = None
    at, discontinuity = "", False
    segments: list[Segment] = []
    whole = text[: text.rfind("\n") + 1]
    for line in map(str.strip, whole.splitlines()):
        tag, _, value = line.partition(":")
        if line and not line.startswith("#"):
            if duration is not None and PurePosixPath(line).name == line:
                segments.append(Segment(line, duration, init, at, discontinuity))
            duration, at, discontinuity = None, "", False
        elif tag == "#EXTINF":
            duration = number(value.partition(",")[0])
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            at = value
        elif tag == "#EXT-X-MAP":
            init = _init(value)
        elif tag == "#EXT-X-TARGETDURATION":
            target = int(number(value) or 0)
        elif tag == "#EXT-X-DISCONTINUITY":
            discontinuity = True
        elif tag == "#EXT-X-ENDLIST":
            ended = True
    return MediaPlaylist(target, tuple(segments), ended)


@dataclass(slots=True)
class PartList:
    """What is known of one playlist of one part, and of the files that it lists."""

    path: Path
    stamp: tuple[int, int] = (0, 0)
    """Time and size of the playlist that was read."""
    segments: list[Segment] = field(default_factory=list)
    begins: list[float] = field(default_factory=lambda: [0.0])
    """Programme time at which each segment begins, seconds; and at last that of the end."""
    dates: list[str] = field(default_factory=list)
    """The corrected date of each segment, "" where ffmpeg gave none."""
    target: int = 0
    longest: float = 0.0
    """Seconds of the longest segment."""
    peak_bps: float = 0.0
    """Bits a second of the segment with most of them."""
    _seen: set[str] = field(default_factory=set)
    _known: str = ""
    """The text up to which everything was taken over."""
    _late: timedelta | None = None
    """By how much ffmpeg's dates are late: it takes the clock when it writes its first lines, up to
    a group of pictures after the first picture. None: not known yet."""

    @property
    def folder(self) -> Path:
        return self.path.parent

    def first_from(self, at: float) -> int:
        """Number of the first segment that begins at `at` or later."""
        return bisect.bisect_left(self.begins, at, hi=len(self.segments))

    def refresh(self, epoch: float | None) -> bool:
        """Read what is new; True when something was. `epoch`: POSIX time of programme time 0."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return False
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp == self.stamp:
            return False
        self.stamp = stamp
        text = read(self.path)
        # Only the new lines of a meeting of hours are read each time.
        if self._known and text.startswith(self._known):
            listed = parse(text[len(self._known) :], self.segments[-1].init).segments
        else:
            playlist = parse(text)
            self.target, listed = max(self.target, playlist.target), playlist.segments
            if self.segments:
                # An EVENT playlist only grows. One that is being rewritten in place may look
                # shorter for a moment.
                names = [segment.uri for segment in listed]
                last = self.segments[-1].uri
                listed = listed[names.index(last) + 1 :] if last in names else ()
        if self._take(listed, epoch):
            end = text.rfind(self.segments[-1].uri + "\n")
            self._known = text[: end + len(self.segments[-1].uri) + 1]
        return True

    def _take(self, listed: tuple[Segment, ...], epoch: float | None) -> bool:
        """Take over what the disk has; what is missing is left out, with a break after it."""
        hole = took = False
        for segment in listed:
            if not self._there(segment):
                hole = True
                continue
            if self._late is None:
                self._begin(segment, epoch)
            broken = segment.discontinuity or hole
            self.segments.append(
                Segment(segment.uri, segment.duration, segment.init, segment.at, broken)
            )
            self.begins.append(self.begins[-1] + segment.duration)
            self.dates.append(_on_time(segment.at, self._late))
            self.longest = max(self.longest, segment.duration)
            hole, took = False, True
        return took

    def _begin(self, first: Segment, epoch: float | None) -> None:
        """Where in programme time this list begins, and how late its dates are.

        The date decides what of the line-up the public sees: it has to be exact. Zero where it
        cannot be known.
        """
        self._late = timedelta(0)
        start = _start(self.folder, first)
        if start is None:
            return
        self.begins[0] = start
        written = _date(first.at)
        if epoch is not None and written is not None:
            self._late = written - datetime.fromtimestamp(epoch + start, written.tzinfo)

    def _there(self, segment: Segment) -> bool:
        """True when the segment and its init are on disk and not empty. Each is looked at once."""
        if not segment.init:
            return False
        for name in (segment.init, segment.uri):
            if name in self._seen:
                continue
            try:
                size = os.stat(self.folder / name).st_size
            except FileNotFoundError:
                return False
            if size == 0:
                return False
            self._seen.add(name)
            if name == segment.uri and segment.duration > 0:
                self.peak_bps = max(self.peak_bps, 8 * size / segment.duration)
        return True


def _start(folder: Path, first: Segment) -> float | None:
    """Programme time of the first picture or sound of a list; None when it cannot be read."""
    try:
        data = (folder / first.init).read_bytes() + (folder / first.uri).read_bytes()
        with av.open(io.BytesIO(data), format="mp4") as media:
            starts = [
                float(s.start_time * s.time_base)
                for s in media.streams
                if s.start_time is not None and s.time_base is not None
            ]
    except (OSError, av.FFmpegError):
        return None
    return min(starts, default=None)


def _on_time(at: str, late: timedelta | None) -> str:
    written = _date(at)
    if written is None or not late:
        return at
    return (written - late).isoformat(timespec="milliseconds")


def _date(at: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return None
    return found if found.tzinfo else None


def read(path: Path) -> str:
    """The text of a file, "" when there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def number(text: str) -> float | None:
    """A finite number that is not negative, else None."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


def _init(attributes: str) -> str:
    found = ATTRIBUTE_URI.search(attributes)
    name = found.group(1) if found else ""
    return name if PurePosixPath(name).name == name else ""
