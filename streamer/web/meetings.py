"""Reading a meeting: its plan from SQL, its snapshot from Redis, and what both mean together."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

from streamer.config.models import Configuration
from streamer.domain.errors import NotFound, Unavailable
from streamer.domain.events import Event
from streamer.domain.lifecycle import Command, allowed
from streamer.domain.meeting import Meeting, MeetingState
from streamer.domain.roles import Right
from streamer.store.live import Live
from streamer.store.records import Records
from streamer.web.auth import Identity
from streamer.web.scrub import Scrubber

Snapshot = dict[str, Any]

NOT_FOR_PERSONS = frozenset({Command.SEALED, Command.REPLAN})
"""Said by the archive, and by a new date in PATCH."""
FRESH_S = 15.0
"""A snapshot of a run that ended is believed before SQL this long: the projection may lag."""

NEXT: dict[MeetingState, Command] = {
    MeetingState.PLANNED: Command.PREPARE,
    MeetingState.PREPARING: Command.LINE_UP,
    MeetingState.LINE_UP: Command.GO_LIVE,
    MeetingState.LIVE: Command.END,
}


def present_state(meeting: Meeting, snapshot: Snapshot | None, now: float) -> MeetingState:
    """The state the meeting is in: the run owns it from PREPARING to ENDING, SQL otherwise.

    A snapshot lives for a day, so it may be of a run before a postponement: one that says the run
    ended counts only while it is fresh.
    """
    if snapshot is None or meeting.state.final:
        return meeting.state
    try:
        shown = MeetingState(snapshot.get("state", ""))
    except ValueError:
        return meeting.state
    if shown.running:
        return shown
    fresh = now - float(snapshot.get("at", 0.0)) < FRESH_S
    return shown if meeting.state.running and fresh else meeting.state


def possible(state: MeetingState) -> list[str]:
    """The commands a person may send in `state`."""
    return [str(command) for command in allowed(state) if command not in NOT_FOR_PERSONS]


def right_for(command: Command) -> Right:
    """The right that `command` needs."""
    return Right.PLAN if command in (Command.CANCEL, Command.POSTPONE) else Right.RUN


def next_step(meeting: Meeting, state: MeetingState) -> dict[str, Any] | None:
    """The next command of the plan and when it is due (POSIX seconds)."""
    command = NEXT.get(state)
    if command is None:
        return None
    due: dict[Command, datetime] = {
        Command.PREPARE: meeting.prepare_at,
        Command.LINE_UP: meeting.line_up_at,
        Command.GO_LIVE: meeting.starts_at,
        Command.END: meeting.ends_at,
    }
    return {"command": str(command), "due_at": due[command].timestamp()}


class MeetingReader:
    """Reads meetings for pages, API and event streams; everything live leaves scrubbed."""

    def __init__(
        self, records: Records, live: Live, configuration: Configuration, scrubber: Scrubber
    ) -> None:
        self._records = records
        self._live = live
        self._configuration = configuration
        self._scrubber = scrubber

    async def meeting(self, id: str) -> Meeting:
        """The plan. NotFound."""
        return await self._records.meeting(id)

    async def seen_by(self, id: str, identity: Identity) -> Meeting:
        """The plan, when `identity` may see its region. NotFound, Forbidden."""
        meeting = await self.meeting(id)
        identity.need(Right.VIEW, meeting.region)
        return meeting

    async def state(self, meeting: Meeting) -> MeetingState:
        """The present state. Unavailable when Redis is away."""
        return present_state(meeting, await self._live.snapshot(meeting.id), time.time())

    async def view(self, meeting: Meeting) -> Snapshot:
        """The live view: the snapshot, cleaned, and what follows from it. Unavailable."""
        snapshot = await self._live.snapshot(meeting.id)
        await self._scrubber.refresh()
        return self.joined(meeting, snapshot)

    def joined(self, meeting: Meeting, snapshot: Snapshot | None) -> Snapshot:
        """The live view of a meeting and a snapshot of it (None: it has no run)."""
        now = time.time()
        state = present_state(meeting, snapshot, now)
        # A snapshot of an earlier run says nothing about a meeting that has none now.
        if snapshot is not None and not state.running:
            snapshot = {key: snapshot[key] for key in ("seq", "watch") if key in snapshot}
        body = self._scrubber.value(snapshot or {})
        at = body.get("at")
        return {
            "legs": [], **body,
            "meeting": meeting.id,
            "state": str(state),
            "now": now,
            "stale_s": round(max(now - float(at), 0.0), 1) if at is not None else None,
            "allowed": possible(state),
            "next": next_step(meeting, state),
        }  # fmt: skip

    def event(self, event: Event) -> dict[str, Any]:
        """An event as the API shows it, cleaned."""
        return {
            "meeting": event.meeting, "seq": event.seq, "at": round(event.at, 3),
            "name": str(event.name), "data": self._scrubber.value(event.data),
        }  # fmt: skip

    async def as_run(self, id: str, after_seq: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Lines of the as-run log from SQL, cleaned."""
        await self._scrubber.refresh()
        events = await self._records.as_run(id, after_seq=after_seq, limit=limit)
        return [self.event(event) for event in events]

    def answer(self, meeting: Meeting, state: MeetingState | None = None) -> dict[str, Any]:
        """A meeting as the API shows it (`MeetingAnswer`)."""
        state = state or meeting.state
        region = self._configuration.regions.get(meeting.region)
        names = region.names if region else None
        return {
            "id": meeting.id,
            "region": meeting.region,
            "region_names": {
                "kk": names.kk if names else meeting.region,
                "ru": names.ru if names else meeting.region,
                "en": names.en if names else meeting.region,
            },
            "title": asdict(meeting.title),
            "starts_at": meeting.starts_at.isoformat(),
            "ends_at": meeting.ends_at.isoformat(),
            "zone": meeting.zone,
            "wall_start": meeting.wall_start,
            "destinations": list(meeting.destinations),
            "speaker": meeting.speaker,
            "hall": meeting.hall,
            "end_by_schedule": meeting.end_by_schedule,
            "state": str(state),
            "reason": meeting.reason,
            "prepare_at": meeting.prepare_at.isoformat(),
            "line_up_at": meeting.line_up_at.isoformat(),
            "give_up_at": meeting.give_up_at.isoformat(),
            "allowed": possible(state),
        }

    async def states(self, meetings: list[Meeting]) -> dict[str, MeetingState]:
        """The present state of many meetings by id; SQL's when Redis is away."""
        try:
            found = await self._live.snapshots() if any(m.state.running for m in meetings) else []
        except Unavailable:
            found = []
        snapshots = {snapshot.get("meeting"): snapshot for snapshot in found}
        now = time.time()
        return {m.id: present_state(m, snapshots.get(m.id), now) for m in meetings}

    async def present(self, meeting: Meeting) -> dict[str, Any]:
        """`answer` with the state that is true now; SQL's when Redis is away."""
        try:
            state = await self.state(meeting)
        except Unavailable:
            state = meeting.state
        return self.answer(meeting, state)


def none_here(id: str) -> NotFound:
    """The error for a meeting that is not there, or not for the public yet."""
    return NotFound(f"there is no meeting '{id}' here", code="no_such_meeting", meeting=id)
