"""The viewing copy: one playlist over all parts of recorder b.

Each unbroken part is written by ffmpeg's hls muxer into a folder of its own, with its own playlist.
A viewer wants one playlist: `hls/index.m3u8`, composed here from what the parts list. It only ever
grows while the meeting runs (EVENT), and is closed at the end (VOD, ENDLIST).

What may be wrong with a part, because its recorder may have been killed at any moment: the last
line of its playlist is torn; a listed segment is missing or empty; a written segment is not listed
(it may be cut in the middle). All of these are left out: the master has those seconds.
"""

import io
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

import av

PART = re.compile(r"part-\d{4,}")
"""The name of a part's folder under `hls/`."""
NAME = "index.m3u8"
"""The name of every playlist, composed or of one part."""

_ATTRIBUTE_URI = re.compile(r'URI="([^"]*)"')


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


def parse(text: str) -> MediaPlaylist:
    """Read a media playlist (RFC 8216) and leave out what is torn. Never raises.

    A last line without its line feed is torn and is not read. A segment whose address is not a
    plain file name is not one of ours and is left out too: nothing outside the folder is listed.
    """
    target, ended, init = 0, False, ""
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
            duration = _number(value.partition(",")[0])
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            at = value
        elif tag == "#EXT-X-MAP":
            init = _init(value)
        elif tag == "#EXT-X-TARGETDURATION":
            target = int(_number(value) or 0)
        elif tag == "#EXT-X-DISCONTINUITY":
            discontinuity = True
        elif tag == "#EXT-X-ENDLIST":
            ended = True
    return MediaPlaylist(target, tuple(segments), ended)


@dataclass(frozen=True, slots=True)
class Listed:
    """What a composed playlist lists: files in order (init files included), their seconds."""

    files: tuple[str, ...]
    segments: int
    seconds: float
    ended: bool


def listed(text: str) -> Listed:
    """Read a composed playlist back. Never raises; the caller judges the addresses."""
    files: list[str] = []
    segments, seconds, ended = 0, 0.0, False
    for line in map(str.strip, text.splitlines()):
        tag, _, value = line.partition(":")
        if tag == "#EXTINF":
            seconds += _number(value.partition(",")[0]) or 0.0
        elif tag == "#EXT-X-MAP":
            found = _ATTRIBUTE_URI.search(value)
            files.append(found.group(1) if found else "")
        elif line and not line.startswith("#"):
            files.append(line)
            segments += 1
        ended = ended or tag == "#EXT-X-ENDLIST"
    return Listed(tuple(files), segments, seconds, ended)


def compose(folder: Path, closed: bool) -> str:
    """The composed playlist of the meeting in `folder` as text; a bare head when nothing is there.

    `closed`: the recording is over and will not grow. Reads files: call it in a thread.
    """
    return Composer(folder).compose(closed)


def write_composed(folder: Path, closed: bool) -> bool:
    """Write `<folder>/hls/index.m3u8` if it would differ; True when it was written.

    See `Composer.write`; whoever calls this again and again keeps a `Composer` instead.
    """
    return Composer(folder).write(closed)


@dataclass(slots=True)
class _Part:
    """What is known of one part: the stamp of the playlist it was read from, and what is good."""

    stamp: tuple[int, int] = (0, 0)
    segments: tuple[Segment, ...] = ()
    target: int = 0
    seen: set[str] = field(default_factory=set)
    late: timedelta | None = None
    """By how much ffmpeg's dates are late: it takes the clock when it writes its first lines, up to
    a group of pictures after the first picture. None: not known yet."""


class Composer:
    """Composes the playlist of one meeting again and again.

    It remembers what it has read, so that a call while nothing changed costs one `stat` per part,
    and a call after a change reads only the parts that changed. Not for two threads at once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._hls = folder, folder / "hls"
        self._parts: dict[str, _Part] = {}
        self._written: tuple[object, ...] = ()

    def compose(self, closed: bool) -> str:
        """The composed playlist as text."""
        self._refresh()
        lines = list(self._lines())
        head = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{self._target()}",
            "#EXT-X-MEDIA-SEQUENCE:0",
            f"#EXT-X-PLAYLIST-TYPE:{'VOD' if closed else 'EVENT'}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        return "\n".join(head + lines + (["#EXT-X-ENDLIST"] if closed else [])) + "\n"

    def write(self, closed: bool) -> bool:
        """Write the playlist if it changed; True when it was written.

        A reader sees the old or the new playlist, never half of one. Nothing is written before
        there is a segment: players take an empty playlist for a broken one. Raises OSError.
        Blocks for one fsync when it writes: call it in a thread.
        """
        self._refresh()
        state = (closed, *((name, part.stamp) for name, part in self._parts.items()))
        if state == self._written or not any(part.segments for part in self._parts.values()):
            return False
        text = self.compose(closed)
        path = self._hls / NAME
        changed = _read(path) != text
        if changed:
            _replace(path, text)
        self._written = state
        return changed

    def _refresh(self) -> None:
        for name in _part_names(self._hls):
            part = self._parts.setdefault(name, _Part())
            path = self._hls / name / NAME
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp != part.stamp:
                part.stamp = stamp
                _read_part(path, part)
                if part.late is None and part.segments:
                    part.late = _lateness(path.parent, part.segments[0], _epoch(self._folder))

    def _target(self) -> int:
        """Every duration, rounded, must be at most the target (RFC 8216, 4.3.3.1)."""
        parts = self._parts.values()
        longest = max((s.duration for p in parts for s in p.segments), default=0.0)
        return max([1, int(longest + 0.5), *(part.target for part in parts)])

    def _lines(self) -> Iterator[str]:
        init = ""
        for name, part in sorted(self._parts.items(), key=lambda item: int(item[0][5:])):
            for index, segment in enumerate(part.segments):
                break_here = index == 0 or segment.discontinuity
                if break_here and init:
                    yield "#EXT-X-DISCONTINUITY"
                if init != (wanted := f"{name}/{segment.init}"):
                    init = wanted
                    yield f'#EXT-X-MAP:URI="{init}"'
                if segment.at:
                    yield f"#EXT-X-PROGRAM-DATE-TIME:{_on_time(segment.at, part.late)}"
                yield f"#EXTINF:{segment.duration:.6f},"
                yield f"{name}/{segment.uri}"


def _epoch(folder: Path) -> float | None:
    """POSIX time at which the programme clock of the meeting is zero; None when nobody wrote it."""
    try:
        return float(json.loads((folder / "run.json").read_text())["epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _lateness(folder: Path, first: Segment, epoch: float | None) -> timedelta:
    """How late the date of a part's first segment is, by the programme time in the segment.

    The date decides what of the line-up the public sees: it has to be exact. Zero where it cannot
    be known.
    """
    written = _date(first.at)
    if epoch is None or written is None:
        return timedelta(0)
    try:
        data = (folder / first.init).read_bytes() + (folder / first.uri).read_bytes()
        with av.open(io.BytesIO(data), format="mp4") as media:
            starts = [
                float(s.start_time * s.time_base)
                for s in media.streams
                if s.start_time is not None and s.time_base is not None
            ]
    except (OSError, av.FFmpegError):
        return timedelta(0)
    if not starts:
        return timedelta(0)
    return written - datetime.fromtimestamp(epoch + min(starts), written.tzinfo)


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


def _read_part(path: Path, part: _Part) -> None:
    """Take over what the part's playlist lists and the disk has."""
    playlist = parse(_read(path))
    kept: list[Segment] = []
    hole = False
    for segment in playlist.segments:
        if not _there(path.parent, segment, part.seen):
            hole = True
            continue
        kept.append(
            Segment(
                segment.uri, segment.duration, segment.init, segment.at,
                segment.discontinuity or hole,
            )
        )  # fmt: skip
        hole = False
    # A playlist that is being rewritten in place may look shorter for a moment; an EVENT playlist
    # must never shrink, and segments are never taken back.
    if len(kept) >= len(part.segments):
        part.segments = tuple(kept)
        part.target = playlist.target


def _there(folder: Path, segment: Segment, seen: set[str]) -> bool:
    """True when the segment and its init are on disk and not empty. Each is looked at once."""
    if not segment.init:
        return False
    for name in (segment.init, segment.uri):
        if name in seen:
            continue
        try:
            if os.stat(folder / name).st_size == 0:
                return False
        except FileNotFoundError:
            return False
        seen.add(name)
    return True


def _part_names(hls: Path) -> list[str]:
    try:
        with os.scandir(hls) as entries:
            return sorted(e.name for e in entries if PART.fullmatch(e.name) and e.is_dir())
    except FileNotFoundError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)


def _init(attributes: str) -> str:
    found = _ATTRIBUTE_URI.search(attributes)
    name = found.group(1) if found else ""
    return name if PurePosixPath(name).name == name else ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
