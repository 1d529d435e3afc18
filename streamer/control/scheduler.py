"""The scheduler: starts what is due, makes up what was missed, keeps records, seals.

One leader by lease; the others wait. Everything it does is safe to do twice, so a leader that
dies in the middle is followed by one that does the rest.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from streamer.control.patience import Patience
from streamer.control.preparing import Preparing
from streamer.control.sealing import Sealing
from streamer.domain.errors import NotAllowed, Unavailable
from streamer.domain.lifecycle import Command
from streamer.domain.meeting import Meeting, MeetingState
from streamer.store.live import SCHEDULER_LEASE, Live, run_lease
from streamer.store.records import Records

LEASE_MS = 5000
EVERY_S = 0.25
RESEND_S = 3.0
"""A command that did not move the meeting is sent again after so long."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
"""So long at most is a meeting left alone whose look failed."""
MISSED = "its whole time passed while the service was not running"
REOFFER_S = 5.0
HORIZON = timedelta(days=2)
"""No meeting is prepared earlier than this before its start."""
log = logging.getLogger(__name__)


def due(meeting: Meeting, now: datetime) -> Command | None:
    """The command that the schedule asks of a meeting at `now`, if any.

    A step that was missed is made up one state at a time. The end is asked for only where the
    plan says so: nothing is cut by the clock.
    """
    match meeting.state:
        case MeetingState.PLANNED | MeetingState.PREPARING | MeetingState.LINE_UP if (
            now >= meeting.give_up_at
        ):
            return Command.POSTPONE  # nothing goes public days after its date
        case MeetingState.PLANNED if now >= meeting.prepare_at:
            return Command.PREPARE
        case MeetingState.PREPARING if now >= meeting.line_up_at:
            return Command.LINE_UP
        case MeetingState.LINE_UP if now >= meeting.starts_at:
            return Command.GO_LIVE
        case MeetingState.LIVE if meeting.end_by_schedule and now >= meeting.ends_at:
            return Command.END
        case _:
            return None


class Scheduler:
    """Await `run`; cancel it to stop."""

    def __init__(
        self,
        records: Records,
        live: Live,
        preparing: Preparing,
        sealing: Sealing,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._records, self._live = records, live
        self._preparing, self._sealing, self._now = preparing, sealing, now
        self._sent: dict[tuple[str, Command], float] = {}
        self._offered: dict[str, float] = {}
        self._patience = Patience(FIRST_PAUSE_S, LONGEST_PAUSE_S)

    async def run(self) -> None:
        """Lead when the lease is ours, until cancelled."""
        projecting = asyncio.create_task(self._project(), name="projection")
        leading = asyncio.create_task(self._lead(), name="schedule")
        tasks = {projecting, leading}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a fault of ours: end loudly, be started again
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._sealing.close()  # two leaders must not build one package
            await self._hand_over()

    async def _hand_over(self) -> None:
        """Give the lease back: the next leader need not wait for its end."""
        try:
            await self._live.release(SCHEDULER_LEASE, self.id)
        except Unavailable as error:
            log.warning("the lease runs out by itself: %s", error)

    async def _lead(self) -> None:
        while True:
            try:
                if await self._live.lease(SCHEDULER_LEASE, self.id, LEASE_MS):
                    await self.look()
            except Unavailable as error:
                log.warning("the schedule waits: %s", error)
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """One look at every meeting that runs, and at what is planned for the next day."""
        states = [state for state in MeetingState if state.running]
        soon = self._now() + HORIZON
        running = await self._records.meetings(states=states)
        planned = await self._records.meetings(states=[MeetingState.PLANNED], until=soon)
        for meeting in (*running, *planned):
            if self._patience.waits(meeting.id):
                continue
            try:
                await self._look_at(meeting)
            except Unavailable:
                raise
            except Exception:  # whatever is wrong with one meeting, the others are looked at
                pause = self._patience.failed(meeting.id)
                log.exception("meeting %s; looked at again in %.1f s", meeting.id, pause)
            else:
                self._patience.went_well(meeting.id)

    async def _look_at(self, meeting: Meeting) -> None:
        command = due(meeting, self._now())
        if command is Command.PREPARE:
            await self._prepare(meeting)
        elif command is Command.POSTPONE and meeting.state is MeetingState.PLANNED:
            await self._records.set_state(
                meeting.id, meeting.state, MeetingState.POSTPONED, by="schedule", reason=MISSED
            )
        elif command is Command.POSTPONE:
            await self._send(meeting, command, {"reason": MISSED})  # its run has begun
        elif command is not None:
            await self._send(meeting, command, {})
        if meeting.state.running:
            await self._see_to_run(meeting)

    async def _prepare(self, meeting: Meeting) -> None:
        try:
            await self._preparing.prepare(meeting.id, "schedule")
        except NotAllowed:
            return  # a person was quicker
        log.info("meeting %s is being prepared", meeting.id)

    async def _send(self, meeting: Meeting, command: Command, args: dict[str, Any]) -> None:
        """Send a due command once the run stands in the state that SQL knows."""
        snapshot = await self._live.snapshot(meeting.id)
        if snapshot is None or snapshot["state"] != str(meeting.state) or not snapshot.get("run"):
            return
        key, now = (meeting.id, command), time.monotonic()
        if now - self._sent.get(key, -RESEND_S) < RESEND_S:
            return
        self._sent[key] = now
        await self._live.send(meeting.id, command, args, "schedule")
        log.info("meeting %s: %s by the schedule", meeting.id, command)

    async def _see_to_run(self, meeting: Meeting) -> None:
        """A running meeting has a run; a finished one is sealed."""
        if meeting.state is MeetingState.ENDING and await self._sealing.take(meeting):
            return
        now = time.monotonic()
        if now - self._offered.get(meeting.id, now - REOFFER_S) < REOFFER_S:
            return
        self._offered[meeting.id] = now
        if await self._live.lease_owner(run_lease(meeting.id)) is None:
            await self._preparing.offer(meeting.id)

    async def _project(self) -> None:
        """What happened, from Redis into SQL."""
        while True:
            try:
                entries = await self._live.read_projection(self.id, block_ms=1000)
                for _, event in entries:
                    await self._records.apply(event)
                if entries:
                    await self._live.ack_projection([entry for entry, _ in entries])
            except Unavailable as error:
                log.warning("the projection waits: %s", error)
                await asyncio.sleep(0.5)
