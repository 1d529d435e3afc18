"""What happened, in SQL: every event, and the tables that follow from events.

Events may come late, twice, and in any order (a run publishes from its journal when Redis is back,
a dead projector's events are delivered again). What is derived from an event therefore depends on
its `seq` only, never on when it came.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.domain.events import Event, EventName
from streamer.domain.meeting import MeetingState
from streamer.store.audit import AuditRecords
from streamer.store.encoding import to_json
from streamer.store.rows import DeliveryRow, PackageRow, PartRow
from streamer.store.tables import delivery, event, meeting, package, recording_part

RELAY = (EventName.RELAY_CONNECTED, EventName.RELAY_LOST)
FINAL = [str(s) for s in MeetingState if s.final]
_LARGEST = 2**63 - 1

log = structlog.get_logger(__name__)


class ProjectionRecords(AuditRecords):
    """Events and what they add up to."""

    async def apply(self, event: Event) -> bool:
        """Keep the event and what follows from it; False when its `seq` was applied before.

        An event whose data is not what its name promises is kept and logged; one that is no event
        at all is logged and left out (False). Neither is raised: it would block all that follow.
        """
        fault = _fault(event)
        if fault:
            log.error("event_not_storable", meeting=str(event.meeting), fault=fault)
            return False
        async with self._db.write() as conn:
            await self._db.lock(conn, f"meeting:{event.meeting}")
            if not await self._keep(conn, event):
                return False
            try:
                change = _CHANGES.get(event.name)
                values = change(event) if change else None
            except (KeyError, TypeError, ValueError) as error:
                log.error(
                    "event_data_wrong", meeting=event.meeting, seq=event.seq, name=str(event.name),
                    error=f"{type(error).__name__}: {error}",
                )  # fmt: skip
                return True
            if values is not None:
                await self._project(conn, event, values)
            return True

    async def as_run(self, id: str, *, after_seq: int = 0, limit: int = 1000) -> list[Event]:
        """Events of the meeting with a `seq` greater than `after_seq`, in order; the first is 1."""
        query = (
            sa.select(event)
            .where(event.c.meeting == id, event.c.seq > after_seq)
            .order_by(event.c.seq).limit(limit)
        )  # fmt: skip
        async with self._db.read() as conn:
            return [_event(row) for row in (await conn.execute(query)).all()]

    async def deliveries(self, id: str) -> list[DeliveryRow]:
        """Intervals of delivery, by leg and in the order in which they happened."""
        order = sa.func.coalesce(delivery.c.opened_seq, delivery.c.closed_seq)
        query = sa.select(delivery).where(delivery.c.meeting == id).order_by(delivery.c.leg, order)
        async with self._db.read() as conn:
            rows = (await conn.execute(query)).all()
        return [
            DeliveryRow(
                r.meeting, r.leg, r.destination, r.target, r.backup, r.opened_at, r.closed_at,
                r.bytes, r.seconds, r.reason, r.act,
            )
            for r in rows
        ]  # fmt: skip

    async def parts(self, id: str) -> list[PartRow]:
        """Parts of every recorder, by recorder and number."""
        p = recording_part.c
        query = sa.select(recording_part).where(p.meeting == id).order_by(p.recorder, p.part)
        async with self._db.read() as conn:
            rows = (await conn.execute(query)).all()
        return [
            PartRow(
                r.meeting, r.recorder, r.part, r.leg, r.path, r.programme_s, r.started_at,
                r.finished_at, r.bytes, r.reason,
            )
            for r in rows
        ]  # fmt: skip

    async def package(self, id: str) -> PackageRow | None:
        """The sealed package, None before it is sealed."""
        async with self._db.read() as conn:
            r = (await conn.execute(sa.select(package).where(package.c.meeting == id))).first()
        if r is None:
            return None
        return PackageRow(r.meeting, r.sealed_at, r.path, r.files, r.bytes, r.manifest_sha256)

    async def _keep(self, conn: AsyncConnection, e: Event) -> bool:
        """Add the event itself; False when there is one with its `seq`."""
        leg = e.data.get("leg")
        row = {
            "meeting": e.meeting, "seq": e.seq, "at": e.at, "name": str(e.name),
            "data": to_json(e.data), "leg": None if leg is None else _text(leg),
        }  # fmt: skip
        kept = await conn.execute(self._db.insert(event).values(**row).on_conflict_do_nothing())
        if kept.rowcount:
            return True
        query = sa.select(event.c.name).where(event.c.meeting == e.meeting, event.c.seq == e.seq)
        if (await conn.execute(query)).scalar_one() != str(e.name):
            # Two runs wrote different journals: the second one's line is only in its journal.
            log.error("event_seq_used_twice", meeting=e.meeting, seq=e.seq, name=str(e.name))
        return False

    async def _project(self, conn: AsyncConnection, e: Event, values: dict[str, Any]) -> None:
        if e.name is EventName.MEETING_STATE_CHANGED:
            m = meeting.c
            newer = (m.id == e.meeting, m.state_seq < e.seq, m.state.not_in(FINAL))
            await conn.execute(meeting.update().where(*newer).values(state_seq=e.seq, **values))
        elif e.name in RELAY:
            await _redo_deliveries(conn, e)
        elif e.name is EventName.PACKAGE_SEALED:
            # Sealed again after a correction: the later one counts.
            insert = self._db.insert(package).values(**values)
            await conn.execute(
                insert.on_conflict_do_update(
                    index_elements=["meeting"], set_=values, where=package.c.seq < e.seq
                )
            )
        else:
            insert = self._db.insert(recording_part)
            blank = {"leg": "", "path": "", "reason": ""}
            await conn.execute(
                insert.values(**blank | values).on_conflict_do_update(
                    index_elements=["meeting", "recorder", "part"], set_=values
                )
            )


async def _redo_deliveries(conn: AsyncConnection, e: Event) -> None:
    """Make the intervals around a relay's event anew.

    An interval is a RELAY_CONNECTED and the RELAY_LOST that follows it directly. So a new event
    can only change the pairing with the event before it (if that opens) and after it (if that
    closes); the other intervals of the leg stay untouched.
    """
    of_leg = sa.select(event).where(
        event.c.meeting == e.meeting, event.c.leg == _text(e.data["leg"]),
        event.c.name.in_([str(name) for name in RELAY]),
    )  # fmt: skip
    earlier = of_leg.where(event.c.seq < e.seq).order_by(event.c.seq.desc()).limit(1)
    later = of_leg.where(event.c.seq > e.seq).order_by(event.c.seq).limit(1)
    before, after = (await conn.execute(earlier)).first(), (await conn.execute(later)).first()
    around = [e]
    if before and before.name == EventName.RELAY_CONNECTED:
        around.insert(0, _event(before))
    if after and after.name == EventName.RELAY_LOST:
        around.append(_event(after))
    around = [x for x in around if _is_relay(x)]
    seqs = [x.seq for x in around]
    d = delivery.c
    await conn.execute(
        delivery.delete().where(
            d.meeting == e.meeting, d.leg == _text(e.data["leg"]),
            d.opened_seq.in_(seqs) | d.closed_seq.in_(seqs),
        )
    )  # fmt: skip
    await conn.execute(delivery.insert(), intervals(around))


def intervals(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Rows of delivery from the relay events of one leg, in order of `seq`."""
    rows: list[dict[str, Any]] = []
    for e in events:
        values = _relay(e)
        if e.name is EventName.RELAY_CONNECTED:
            rows.append(_OPEN | values)
        elif rows and rows[-1]["closed_seq"] is None:
            rows[-1] |= {k: v for k, v in values.items() if k != "opened_at"}
        else:
            rows.append(_OPEN | values)
    return rows


_OPEN: dict[str, Any] = {
    "backup": False, "opened_seq": None, "opened_at": None, "closed_seq": None, "closed_at": None,
    "bytes": None, "seconds": None, "reason": "", "act": "",
}  # fmt: skip


def _relay(e: Event) -> dict[str, Any]:
    data = e.data
    common = {
        "meeting": e.meeting, "leg": _text(data["leg"]), "destination": _text(data["destination"]),
        "target": _text(data.get("target")),
    }  # fmt: skip
    if e.name is EventName.RELAY_CONNECTED:
        return common | {
            "backup": bool(data.get("backup")), "opened_seq": e.seq, "opened_at": e.at,
        }  # fmt: skip
    seconds = _float(data.get("seconds"))
    return common | {
        "closed_seq": e.seq, "closed_at": e.at, "bytes": _int(data.get("bytes")),
        "seconds": seconds, "reason": _text(data.get("reason")), "act": _text(data.get("act")),
        # Used only when the beginning was never told.
        "opened_at": None if seconds is None else e.at - seconds,
    }  # fmt: skip


def _is_relay(e: Event) -> bool:
    try:
        _relay(e)
    except (KeyError, TypeError, ValueError):
        return False
    return True


def _state(e: Event) -> dict[str, Any]:
    return {"state": str(MeetingState(e.data["to"])), "reason": _text(e.data.get("reason"))}


def _part(e: Event) -> dict[str, Any]:
    data = e.data
    values: dict[str, Any] = {
        "meeting": e.meeting, "recorder": _text(data["recorder"]), "part": int(data["part"]),
        "leg": _text(data.get("leg")), "path": _text(data.get("path")),
    }  # fmt: skip
    if not 0 <= values["part"] < 2**31:
        raise ValueError("the number of the part is out of range")
    if e.name is EventName.RECORDING_PART_STARTED:
        return values | {"programme_s": _float(data.get("programme_s")), "started_at": e.at}
    return values | {
        "bytes": _int(data.get("bytes")), "reason": _text(data.get("reason")), "finished_at": e.at,
    }  # fmt: skip


def _sealed(e: Event) -> dict[str, Any]:
    return {
        "meeting": e.meeting, "seq": e.seq, "sealed_at": e.at, "path": _text(e.data["path"]),
        "files": _count(e.data["files"]), "bytes": _count(e.data["bytes"]),
        "manifest_sha256": _text(e.data["manifest_sha256"]),
    }  # fmt: skip


_CHANGES = {
    EventName.MEETING_STATE_CHANGED: _state,
    EventName.RELAY_CONNECTED: _relay,
    EventName.RELAY_LOST: _relay,
    EventName.RECORDING_PART_STARTED: _part,
    EventName.RECORDING_PART_FINISHED: _part,
    EventName.PACKAGE_SEALED: _sealed,
}


def _event(row: Any) -> Event:
    return Event(row.meeting, row.seq, row.at, EventName(row.name), json.loads(row.data))


def _fault(e: Event) -> str:
    """Why the event cannot be stored, or nothing. `Event.from_json` lets odd types through."""
    if not isinstance(e.meeting, str) or not e.meeting or _text(e.meeting) != e.meeting:
        return "the meeting is not a name"
    if not 0 <= e.seq <= _LARGEST:
        return "seq is out of range"
    if not math.isfinite(e.at):
        return "the time is not a number"
    return "" if isinstance(e.data, dict) else "the data is not an object"


def _text(value: object) -> str:
    """Text a database takes: without NUL and without what is no letter at all (surrogates)."""
    if value is None:
        return ""
    return str(value).replace("\0", "").encode("utf-8", "replace").decode()


def _int(value: Any) -> int | None:
    return None if value is None else _count(value)


def _count(value: Any) -> int:
    number = int(value)
    if not 0 <= number <= _LARGEST:
        raise ValueError(f"{number} is out of range")
    return number


def _float(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number
