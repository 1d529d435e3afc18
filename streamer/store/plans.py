"""Meetings as planned, their state, and the configuration frozen into them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.domain.errors import BadInput, NotAllowed, NotFound
from streamer.domain.meeting import Meeting, MeetingState, Names, check_plan
from streamer.store.audit import AuditRecords, write_audit
from streamer.store.tables import meeting as m
from streamer.store.tables import meeting_destination as md

CHANGEABLE = (MeetingState.PLANNED, MeetingState.POSTPONED)
"""States in which the plan may be changed."""
# A postponed meeting has no date, so it holds neither hall nor account until it is planned again.
HOLDS_NOTHING = (MeetingState.CANCELLED, MeetingState.ARCHIVED, MeetingState.POSTPONED)

PLANNING = "plan"
"""Name of the lock under which plans change: two made at one moment must see each other."""


class PlanRecords(AuditRecords):
    """The plan of every meeting."""

    async def create_meeting(self, meeting: Meeting, by: str) -> Meeting:
        """Add a plan. BadInput: `id_taken`; `hall_busy` or `account_busy` with `other`, the id.

        Hall and accounts belong to a region. Each is held from the start until the planned end
        plus overrun; the next meeting may begin at that very moment.
        """
        check_plan(meeting.starts_at, meeting.ends_at)
        async with self._change(by, "meeting_created", _told(meeting)) as conn:
            await self._db.lock(conn, PLANNING)
            await self._check_free(conn, meeting)
            values = _values(meeting) | {
                "id": meeting.id, "state": str(meeting.state), "reason": meeting.reason,
                "created_at": datetime.now(UTC),
            }  # fmt: skip
            made = await conn.execute(self._db.insert(m).values(**values).on_conflict_do_nothing())
            if not made.rowcount:
                raise BadInput(
                    f"there is a meeting '{meeting.id}' already", code="id_taken", id=meeting.id
                )
            await _put_destinations(conn, meeting)
            return await _one(conn, meeting.id)

    async def meeting(self, id: str) -> Meeting:
        """The plan with its present state; NotFound."""
        async with self._db.read() as conn:
            return await _one(conn, id)

    async def meetings(
        self, *, region: str | None = None, states: Iterable[MeetingState] | None = None,
        since: datetime | None = None, until: datetime | None = None, limit: int = 500,
    ) -> list[Meeting]:  # fmt: skip
        """Meetings by start; `since` and `until` are about the start, `until` excluded."""
        query = sa.select(m).order_by(m.c.starts_at, m.c.id).limit(limit)
        if region is not None:
            query = query.where(m.c.region == region)
        if states is not None:
            query = query.where(m.c.state.in_([str(s) for s in states]))
        if since is not None:
            query = query.where(m.c.starts_at >= since)
        if until is not None:
            query = query.where(m.c.starts_at < until)
        async with self._db.read() as conn:
            return await _with_destinations(conn, (await conn.execute(query)).all())

    async def update_plan(self, meeting: Meeting, by: str) -> Meeting:
        """Replace the plan of `meeting.id`; its state and region stay as they are.

        NotAllowed unless it is PLANNED or POSTPONED; BadInput as in `create_meeting`.
        """
        check_plan(meeting.starts_at, meeting.ends_at)
        async with self._change(by, "meeting_changed", _told(meeting)) as conn:
            await self._db.lock(conn, PLANNING)
            before = await _one(conn, meeting.id)
            meeting = replace(meeting, region=before.region)
            await self._check_free(conn, meeting)
            changed = await conn.execute(
                m.update()
                .where(m.c.id == meeting.id, m.c.state.in_([str(s) for s in CHANGEABLE]))
                .values(**_values(meeting))
            )
            if not changed.rowcount:
                raise NotAllowed(
                    f"the plan cannot be changed while the meeting is {before.state}",
                    code="plan_closed", id=meeting.id, state=str(before.state),
                )  # fmt: skip
            await conn.execute(md.delete().where(md.c.meeting == meeting.id))
            await _put_destinations(conn, meeting)
            return await _one(conn, meeting.id)

    async def set_state(
        self, id: str, expected: MeetingState, to: MeetingState, *, by: str, reason: str = ""
    ) -> bool:
        """Move the meeting if it is still in `expected`; False when it is not. NotFound.

        Whether the move is a right one is for `domain.lifecycle` to say. A meeting that becomes
        PLANNED again must find hall and accounts free: BadInput as in `create_meeting`.
        """
        async with self._db.write() as conn:
            await self._db.lock(conn, PLANNING)
            meeting = await _one(conn, id)
            if expected in HOLDS_NOTHING and to not in HOLDS_NOTHING:
                await self._check_free(conn, meeting)
            moved = await conn.execute(
                m.update()
                .where(m.c.id == id, m.c.state == str(expected))
                .values(state=str(to), reason=reason)
            )
            if not moved.rowcount:
                return False
            detail = {"meeting": id, "from": str(expected), "to": str(to), "reason": reason}
            await write_audit(self._db, conn, by, "meeting_state_set", detail)
            return True

    async def freeze(self, id: str, spec_json: str, sha256: str) -> None:
        """Keep the frozen configuration. Again with the same hash: nothing; NotFound.

        Another one replaces it until line-up; then NotAllowed: the run works by what it was given.
        """
        async with self._db.write() as conn:
            query = sa.select(m.c.frozen_sha256, m.c.state).where(m.c.id == id).with_for_update()
            row = (await conn.execute(query)).first()
            if row is None:
                raise _not_found(id)
            if row.frozen_sha256 == sha256:
                return
            if row.frozen_sha256 and row.state not in (*CHANGEABLE, MeetingState.PREPARING):
                raise NotAllowed(
                    f"the configuration is frozen while the meeting is {row.state}",
                    code="already_frozen", id=id, state=row.state, sha256=row.frozen_sha256,
                )  # fmt: skip
            await conn.execute(
                m.update().where(m.c.id == id).values(frozen=spec_json, frozen_sha256=sha256)
            )

    async def frozen(self, id: str) -> str | None:
        """The frozen configuration (JSON), None before it was frozen; NotFound."""
        async with self._db.read() as conn:
            row = (await conn.execute(sa.select(m.c.frozen).where(m.c.id == id))).first()
        if row is None:
            raise _not_found(id)
        frozen: str | None = row.frozen
        return frozen

    async def _check_free(self, conn: AsyncConnection, meeting: Meeting) -> None:
        others = sa.select(m).where(
            m.c.region == meeting.region, m.c.id != meeting.id,
            m.c.state.not_in([str(s) for s in HOLDS_NOTHING]),
            m.c.starts_at < meeting.give_up_at, m.c.give_up_at > meeting.starts_at,
        ).order_by(m.c.starts_at)  # fmt: skip
        if meeting.hall:
            other = (await conn.execute(others.where(m.c.hall == meeting.hall))).first()
            if other:
                raise _busy("hall", meeting.hall, other)
        if meeting.destinations:
            query = others.add_columns(md.c.destination).join(md, md.c.meeting == m.c.id)
            wanted = md.c.destination.in_(meeting.destinations)
            other = (await conn.execute(query.where(wanted))).first()
            if other:
                raise _busy("account", other.destination, other)


def _busy(what: str, name: str, other: Any) -> BadInput:
    return BadInput(
        f"the {what} '{name}' is used by the meeting '{other.id}' until"
        f" {other.give_up_at:%d.%m.%Y %H:%M} UTC; choose another time or another {what}",
        code=f"{what}_busy", **{what: name}, other=other.id, title=other.title_kk,
        starts_at=other.starts_at.isoformat(), until=other.give_up_at.isoformat(),
    )  # fmt: skip


def _not_found(id: str) -> NotFound:
    return NotFound(f"there is no meeting '{id}'", code="no_such_meeting", id=id)


def _told(meeting: Meeting) -> dict[str, Any]:
    return {
        "meeting": meeting.id, "region": meeting.region, "wall_start": meeting.wall_start,
        "zone": meeting.zone, "ends_at": meeting.ends_at.isoformat(), "hall": meeting.hall,
        "destinations": list(meeting.destinations),
    }  # fmt: skip


def _values(meeting: Meeting) -> dict[str, Any]:
    """The columns of the plan: everything but the id and what the machines decide."""
    return {
        "region": meeting.region, "title_kk": meeting.title.kk, "title_ru": meeting.title.ru,
        "title_en": meeting.title.en, "starts_at": meeting.starts_at, "ends_at": meeting.ends_at,
        "give_up_at": meeting.give_up_at, "zone": meeting.zone, "wall_start": meeting.wall_start,
        "speaker": meeting.speaker, "hall": meeting.hall,
        "end_by_schedule": meeting.end_by_schedule,
        "prepare_before_s": meeting.prepare_before.total_seconds(),
        "line_up_before_s": meeting.line_up_before.total_seconds(),
        "overrun_s": meeting.overrun.total_seconds(),
    }  # fmt: skip


async def _put_destinations(conn: AsyncConnection, meeting: Meeting) -> None:
    rows = [
        {"meeting": meeting.id, "destination": name, "position": position}
        for position, name in enumerate(dict.fromkeys(meeting.destinations))
    ]
    if rows:
        await conn.execute(md.insert(), rows)


async def _one(conn: AsyncConnection, id: str) -> Meeting:
    rows = (await conn.execute(sa.select(m).where(m.c.id == id))).all()
    if not rows:
        raise _not_found(id)
    return (await _with_destinations(conn, rows))[0]


async def _with_destinations(
    conn: AsyncConnection, rows: Sequence[sa.Row[Any]]
) -> list[Meeting]:  # fmt: skip
    named: dict[str, list[str]] = {row.id: [] for row in rows}
    query = sa.select(md).where(md.c.meeting.in_(named)).order_by(md.c.meeting, md.c.position)
    for d in (await conn.execute(query)).all() if rows else ():
        named[d.meeting].append(d.destination)
    return [_meeting(row, tuple(named[row.id])) for row in rows]


def _meeting(row: sa.Row[Any], destinations: tuple[str, ...]) -> Meeting:
    return Meeting(
        id=row.id, region=row.region, title=Names(row.title_kk, row.title_ru, row.title_en),
        starts_at=row.starts_at, ends_at=row.ends_at, zone=row.zone, wall_start=row.wall_start,
        destinations=destinations, speaker=row.speaker, hall=row.hall,
        end_by_schedule=row.end_by_schedule, state=MeetingState(row.state), reason=row.reason,
        prepare_before=timedelta(seconds=row.prepare_before_s),
        line_up_before=timedelta(seconds=row.line_up_before_s),
        overrun=timedelta(seconds=row.overrun_s),
    )  # fmt: skip
