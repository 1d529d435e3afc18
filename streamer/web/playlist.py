"""What the public may see of a recording: from the moment of going live, never the line-up.

The viewing copy begins at line-up, when microphones in the hall may be open and nobody thinks of
the public. The playlist is therefore cut at the instant of going live before it leaves, and only
segments that are in the cut playlist are served. Pure functions over the text of a playlist
(RFC 8216); the files themselves are written by the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

GAP_S = 0.5
"""A jump of the date between two segments that is larger than this is a gap."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: `at` POSIX seconds of its first frame, `seconds` its length.

    A `gap` has a time and a name, and no file.
    """

    uri: str
    at: float
    seconds: float
    map_tag: str
    discontinuity: bool
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Playlist:
    """A media playlist: its head lines, its segments, and whether it is closed."""

    head: tuple[str, ...]
    segments: tuple[Segment, ...]
    closed: bool

    @property
    def seconds(self) -> float:
        return sum(segment.seconds for segment in self.segments)

    @property
    def files(self) -> frozenset[str]:
        """Every file that the playlist needs, relative to its folder."""
        real = [segment for segment in self.segments if not segment.gap]
        maps = {_uri(segment.map_tag) for segment in real if segment.map_tag}
        return frozenset({segment.uri for segment in real} | maps)


@dataclass
class _Reading:
    head: list[str] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    closed: bool = False
    at: float = 0.0
    seconds: float = 0.0
    map_tag: str = ""
    discontinuity: bool = False
    gap: bool = False
    joined: bool = False


def parse(text: str, after: Segment | None = None) -> Playlist:
    """Read a playlist; lines that are torn or unknown are left out.

    `after`: the segment before the first one, when `text` is what was added to a playlist.
    """
    reading = _Reading()
    if after is not None:
        reading.at, reading.map_tag = after.at + after.seconds, after.map_tag
        reading.joined = True
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#"):
            _tag(reading, line)
        elif line and reading.seconds > 0:
            reading.segments.append(
                Segment(
                    line, reading.at, reading.seconds, reading.map_tag, reading.discontinuity,
                    reading.gap,
                )
            )  # fmt: skip
            # Without a date of its own the next segment follows without a hole.
            reading.at += reading.seconds
            reading.seconds, reading.discontinuity, reading.gap = 0.0, False, False
    return Playlist(tuple(reading.head), tuple(reading.segments), reading.closed)


def _tag(reading: _Reading, line: str) -> None:
    name, _, value = line.partition(":")
    try:
        if name == "#EXTINF":
            reading.seconds = float(value.split(",")[0])
        elif name == "#EXT-X-PROGRAM-DATE-TIME":
            reading.at = datetime.fromisoformat(value).timestamp()
        elif name == "#EXT-X-MAP":
            reading.map_tag = line
        elif name == "#EXT-X-DISCONTINUITY":
            reading.discontinuity = reading.joined or bool(reading.segments)
        elif name == "#EXT-X-GAP":
            reading.gap = True
        elif name == "#EXT-X-ENDLIST":
            reading.closed = True
        elif not reading.segments and name.startswith("#EXT"):
            reading.head.append(line)
    except ValueError:
        return


def cut(playlist: Playlist, since: float) -> Playlist:
    """Only the segments that begin at or after `since` (POSIX seconds)."""
    kept = tuple(segment for segment in playlist.segments if segment.at >= since)
    return Playlist(playlist.head, kept, playlist.closed)


def write(playlist: Playlist) -> str:
    """The text of a playlist."""
    lines = [*playlist.head, *entries(playlist.segments, ())]
    if playlist.closed:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def entries(segments: Iterable[Segment], before: Sequence[Segment]) -> Iterator[str]:
    """The lines of `segments`, which follow those that are written already."""
    map_tag = next((s.map_tag for s in reversed(before) if not s.gap), "")
    begun = bool(before)
    for segment in segments:
        if segment.discontinuity and begun:
            yield "#EXT-X-DISCONTINUITY"
        begun = True
        if segment.map_tag != map_tag and not segment.gap:
            map_tag = segment.map_tag
            yield map_tag
        date = datetime.fromtimestamp(segment.at, UTC)
        yield f"#EXT-X-PROGRAM-DATE-TIME:{date.isoformat(timespec='milliseconds')}"
        yield f"#EXTINF:{segment.seconds:.6f},"
        if segment.gap:
            yield "#EXT-X-GAP"
        yield segment.uri


def offset(segments: Iterable[Segment], at: float) -> float | None:
    """Where the instant `at` is in the recording, seconds from its start.

    An instant in a gap is the first moment after it; one before the recording is 0; None when it
    is after the last segment.
    """
    passed = 0.0
    for segment in segments:
        if at < segment.at + segment.seconds:
            return passed + max(at - segment.at, 0.0)
        passed += segment.seconds
    return None


def gaps(segments: Iterable[Segment]) -> list[tuple[float, float, float]]:
    """Holes between segments: (POSIX time, place in the recording, length), all in seconds."""
    found: list[tuple[float, float, float]] = []
    end: float | None = None
    passed = 0.0
    for segment in segments:
        if end is not None and segment.at - end > GAP_S:
            found.append((end, passed, segment.at - end))
        passed += segment.seconds
        end = segment.at + segment.seconds
    return found


def _uri(map_tag: str) -> str:
    _, _, rest = map_tag.partition('URI="')
    return rest.partition('"')[0]
