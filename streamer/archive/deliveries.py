"""What was delivered where: one interval per unbroken connection to a destination."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from streamer.domain.events import Event, EventName

NO_END = "no end in the journal"
"""Reason of an interval whose end nobody saw: the run was killed."""

COLUMNS = (
    "destination", "leg", "target", "backup", "connected_at", "ended_at", "seconds", "bytes",
    "reason", "act",
)  # fmt: skip
"""Header of `deliveries.csv`. Times are UTC (ISO 8601); `target` is redacted."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One unbroken connection. Times are POSIX seconds UTC; None is what the journal lacks."""

    destination: str
    leg: str
    target: str = ""
    backup: bool = False
    connected_at: float | None = None
    ended_at: float | None = None
    seconds: float | None = None
    bytes: int | None = None
    reason: str = ""
    act: str = ""


def intervals(events: Iterable[Event]) -> list[Interval]:
    """The intervals of all destinations in order of their beginning.

    A connection without an end (the run was killed), and an end without a connection, are kept:
    what is not known is empty, never guessed.
    """
    open_: dict[str, Event] = {}
    done: list[Interval] = []
    for event in events:
        leg = str(event.data.get("leg", ""))
        if event.name is EventName.RELAY_CONNECTED:
            if leg in open_:
                done.append(_interval(open_.pop(leg), None))
            open_[leg] = event
        elif event.name is EventName.RELAY_LOST:
            done.append(_interval(open_.pop(leg, None), event))
        elif event.name is EventName.RUN_STARTED:
            # The new run has no connection of the old one.
            done.extend(_interval(open_.pop(key), None) for key in list(open_))
    done.extend(_interval(event, None) for event in open_.values())
    return sorted(done, key=lambda i: (i.connected_at or i.ended_at or 0.0, i.leg))


def to_csv(rows: Iterable[Interval]) -> str:
    """`deliveries.csv`: RFC 4180 (comma, CRLF, a header), one row per interval."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            [
                _cell(row.destination), _cell(row.leg), _cell(row.target),
                "yes" if row.backup else "no",
                moment(row.connected_at), moment(row.ended_at),
                "" if row.seconds is None else f"{row.seconds:.1f}",
                "" if row.bytes is None else row.bytes,
                _cell(row.reason), _cell(row.act),
            ]
        )  # fmt: skip
    return out.getvalue()


def moment(at: float | None) -> str:
    """POSIX seconds as ISO 8601 in UTC with milliseconds; empty for None."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _interval(connected: Event | None, lost: Event | None) -> Interval:
    said = {**(connected.data if connected else {}), **(lost.data if lost else {})}
    return Interval(
        destination=str(said.get("destination", "")),
        leg=str(said.get("leg", "")),
        target=str(said.get("target", "")),
        backup=bool(said.get("backup", False)),
        connected_at=connected.at if connected else None,
        ended_at=lost.at if lost else None,
        seconds=_number(said.get("seconds")),
        bytes=int(b) if (b := _number(said.get("bytes"))) is not None else None,
        reason=str(said.get("reason", "") or "") if lost else NO_END,
        act=str(said.get("act") or ""),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _cell(text: str) -> str:
    """A reason comes from a foreign server; a table program must not take it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
