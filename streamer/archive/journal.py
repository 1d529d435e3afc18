"""Reading the as-run journal of a meeting, whatever state a kill left it in.

The run appends one line per event. A kill or a power cut may tear the last line; the run that
takes over goes on below it, so a torn line may also stand in the middle.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from streamer.domain.errors import NotFound
from streamer.domain.events import Event

NAME = "as-run.ndjson"
"""The journal's file name, in the folder of a meeting and in its package."""


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal holds. `events` is ordered by `seq` and holds each `seq` once."""

    events: tuple[Event, ...]
    gaps: tuple[tuple[int, int], ...] = ()
    """Ranges of `seq` that are missing, both ends included; counted from 1."""
    damaged: tuple[int, ...] = ()
    """Numbers (from 1) of whole lines that are not events."""
    torn: bool = False
    """The last line has no end: the writer was killed while it wrote it."""
    unknown: tuple[str, ...] = ()
    """Names of events that a newer version wrote and this one does not know."""

    @property
    def complete(self) -> bool:
        """True when no event is missing between the first (`seq` 1) and the last."""
        return not self.gaps


def read(path: Path) -> Journal:
    """The journal in the file `path`. NotFound when there is none; OSError when it is unreadable.

    A journal is read whole: some thousand lines for a long meeting. Blocks: call it in a thread.
    """
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(
            f"there is no journal '{path.name}' in {path.parent.name}",
            code="no_journal", file=path.name,
        ) from None  # fmt: skip


def parse(data: bytes) -> Journal:
    """The journal in `data`. Never raises: what is no event is reported, not hidden."""
    events: dict[int, Event] = {}
    seen: set[int] = set()
    damaged: list[int] = []
    unknown: set[str] = set()
    lines = data.split(b"\n")
    torn = bool(lines.pop())  # what stands behind the last line feed was not written to its end
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = Event.from_json(line)
        except (ValueError, TypeError):
            seq, name = _newer(line)
            if seq is None:
                damaged.append(number)
            else:
                seen.add(seq)
                unknown.add(name)
            continue
        seen.add(event.seq)
        events.setdefault(event.seq, event)
    return Journal(
        events=tuple(events[seq] for seq in sorted(events)),
        gaps=tuple(_gaps(seen)), damaged=tuple(damaged), torn=torn,
        unknown=tuple(sorted(unknown)),
    )  # fmt: skip


def _newer(line: bytes) -> tuple[int | None, str]:
    """`seq` and name of a well-formed event with a name that this version does not know."""
    try:
        raw = json.loads(line)
    except ValueError:
        return None, ""
    if not isinstance(raw, dict) or not {"meeting", "at", "data"} <= raw.keys():
        return None, ""
    seq, name = raw.get("seq"), raw.get("name")
    if isinstance(seq, int) and isinstance(name, str):
        return seq, name
    return None, ""


def _gaps(seen: set[int]) -> list[tuple[int, int]]:
    gaps = []
    expected = 1
    for seq in sorted(seen):
        if seq > expected:
            gaps.append((expected, seq - 1))
        expected = max(expected, seq + 1)
    return gaps
