"""Things the tests of the store are made of."""

from datetime import UTC, datetime, timedelta
from typing import Any

from streamer.domain.events import Event, EventName
from streamer.domain.meeting import Meeting, Names

START = datetime(2027, 2, 19, 5, 0, tzinfo=UTC)


def plan(id: str = "m1", hours: float = 0, **more: Any) -> Meeting:
    """A meeting of one hour that starts `hours` after START and may overrun by one hour."""
    starts_at = START + timedelta(hours=hours)
    values: dict[str, Any] = {
        "region": "abai", "title": Names("Есеп", "Отчёт", "Report"), "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=1), "zone": "Asia/Almaty",
        "wall_start": "2027-02-19T10:00", "destinations": ("youtube", "facebook"),
        "speaker": "Ә. Қасымов", "hall": "main",
    }  # fmt: skip
    return Meeting(id=id, **values | more)


def happened(seq: int, name: EventName, meeting: str = "m1", **data: Any) -> Event:
    """An event that happened `seq` seconds after START."""
    return Event(meeting, seq, START.timestamp() + seq, name, data)


def connected(seq: int, leg: str = "relay:youtube", **more: Any) -> Event:
    data: dict[str, Any] = {
        "leg": leg, "destination": "youtube", "target": "rtmp://x/***", "backup": False
    }  # fmt: skip
    return happened(seq, EventName.RELAY_CONNECTED, **data | more)


def lost(seq: int, leg: str = "relay:youtube", **more: Any) -> Event:
    data: dict[str, Any] = {
        "leg": leg, "destination": "youtube", "target": "rtmp://x/***", "bytes": 1000 * seq,
        "seconds": 2.0, "reason": "reset", "act": "wait",
    }  # fmt: skip
    return happened(seq, EventName.RELAY_LOST, **data | more)


def moved(seq: int, to: str, **more: Any) -> Event:
    return happened(seq, EventName.MEETING_STATE_CHANGED, to=to, by="run", **more)
