"""The supervisor of one leg: wanted and actual state apart, tries, stalls, pauses.

A leg is healthy because something moved in the last seconds, never because a process is alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from streamer.domain.errors import Act, StreamerError
from streamer.domain.legs import LegKind, LegState, LegStatus, move
from streamer.domain.reconnect import Reconnect


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try ended. `act` WAIT means: try again by itself.

    `retry`: somebody should probably act, but that is a guess: it is tried again all the same.
    """

    reason: str
    act: Act = Act.WAIT
    retry: bool = False


@dataclass(frozen=True, slots=True)
class LegChange:
    """One move of a leg, for the log."""

    status: LegStatus
    before: LegState


Attempt = Callable[["Leg"], Awaitable[Outcome]]
"""One try: start, tell `leg.moved`, return when it ended. Cancelled to stop; must clean up."""


class Leg:
    """One supervised moving part. Its owner awaits `run` as a named task."""

    def __init__(
        self,
        leg_id: str,
        kind: LegKind,
        attempt: Attempt,
        *,
        name: str = "",
        reconnect: Reconnect | None = None,
        stall_s: float = 8.0,
        start_s: float | None = 15.0,
        stall_ends: bool = True,
        on_change: Callable[[LegChange], None] = lambda change: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stall_s`: seconds without movement until the try is ended. `start_s`: the same until
        the first movement; None for a leg that may wait for ever (an ingest without a caller).
        Without `stall_ends` a stall is shown, and the try goes on: it knows itself when to end.
        """
        self.id, self.kind, self.name = leg_id, kind, name or leg_id
        self.state = LegState.IDLE
        self.wanted = False
        self.tries = 0
        self.bytes = 0
        self.error = ""
        self.act: Act | None = None
        self.target = ""
        self.detail = ""
        self.pid: int | None = None
        """The child of the present try, where there is one."""
        self.since = time.time()
        self.moved_at: float | None = None
        self._attempt = attempt
        self._reconnect = reconnect or Reconnect()
        self._stall_s, self._start_s, self._stall_ends = stall_s, start_s, stall_ends
        self._on_change, self._clock = on_change, clock
        self._moved = 0.0
        self._first_moved: float | None = None
        self._base = self._mark = 0
        self._kick = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def status(self) -> LegStatus:
        return LegStatus(
            id=self.id, kind=self.kind, state=self.state, wanted=self.wanted, name=self.name,
            bytes=self.bytes, tries=self.tries, since=self.since, moved_at=self.moved_at,
            error=self.error, act=self.act, target=self.target, detail=self.detail,
            pid=self.pid,
        )  # fmt: skip

    def moved(self, total: int, mark: int | None = None) -> None:
        """Tell that this try has moved `total` bytes so far (growing within one try).

        It counts as movement when `mark` grows, where the bytes alone prove nothing: what was
        sent may lie in a buffer. Without a mark the bytes are the mark.
        """
        mark = total if mark is None else mark
        if mark <= self._mark:
            return
        self._mark = mark
        self.bytes = max(self.bytes, self._base + total)
        self._moved = self._clock()
        self.moved_at = time.time()
        if self._first_moved is None:
            self._first_moved = self._moved
        # Bytes that a stalled try still counts while it is ended are no recovery.
        recovered = self.state is LegState.STALLED and not self._stall_ends
        if self.state is LegState.STARTING or recovered:
            self.error, self.act = "", None
            self._go(LegState.RUNNING)

    @property
    def good_for(self) -> float:
        """Seconds between the first and the last movement of the present try."""
        return 0.0 if self._first_moved is None else self._moved - self._first_moved

    def restart(self) -> None:
        """A person wants a new try now: ends the present one, or the pause, or FAILED."""
        self._reconnect.reset()
        self._kick.set()

    def stop(self) -> None:
        """Make `run` end; await its task for the end itself."""
        self.wanted = False
        self._stop.set()

    async def run(self) -> None:
        """Keep the leg going until `stop`. Never raises but for cancellation."""
        self.wanted = True
        while not self._stop.is_set():
            self._kick.clear()
            self._begin()
            outcome = await self._one_try()
            self.pid = None
            self._base = self.bytes
            if outcome is None:
                break
            self.error, self.act = outcome.reason, outcome.act
            if outcome.act is Act.WAIT or outcome.retry or self._kick.is_set():
                pause = self._reconnect.lost(self.good_for)
                self._go(LegState.BACKING_OFF)
                await self._wait(0.0 if self._kick.is_set() else pause)
            else:
                self._go(LegState.FAILED)
                await self._wait(None)
        if self.state is not LegState.STOPPED:
            self._go(LegState.STOPPED)

    def _begin(self) -> None:
        self.tries += 1
        self._first_moved = None
        self._mark = 0
        self._moved = self._clock()
        self._go(LegState.STARTING)

    async def _one_try(self) -> Outcome | None:
        """One attempt with its watchdog; None when it was stopped because that was wanted."""
        attempt = asyncio.ensure_future(self._attempt(self))
        watch = asyncio.create_task(self._watch(), name=f"{self.id} watchdog")
        try:
            await asyncio.wait({attempt, watch}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._stop.set()
            raise
        finally:
            if self._stop.is_set():
                self._go(LegState.STOPPING)
            for task in (attempt, watch):
                task.cancel()
            await asyncio.wait({attempt, watch})
        if self._stop.is_set():
            return None
        if not watch.cancelled() and watch.exception() is None:
            return watch.result()
        return _outcome(attempt)

    async def _watch(self) -> Outcome:
        """Ends when the try has to be ended: nothing moves, a kick, or a stop."""
        while True:
            limit = self._start_s if self._first_moved is None else self._stall_s
            silent = self._clock() - self._moved
            if limit is not None and silent >= limit:
                # Said at once: the try that is now cancelled writes it into its record.
                self.error = f"nothing moved for {silent:.0f} s"
                if self.state is not LegState.STALLED:
                    self._go(LegState.STALLED)
                if self._stall_ends:
                    return Outcome(self.error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await _any_of(self._kick, self._stop)
                if not self._stop.is_set():
                    self.error = "restarted by a person"
                return Outcome("restarted by a person")

    async def _wait(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await _any_of(self._kick, self._stop)

    def _go(self, target: LegState) -> None:
        before, self.state = self.state, move(self.state, target)
        self.since = time.time()
        self._on_change(LegChange(self.status, before))


def _outcome(attempt: asyncio.Future[Outcome]) -> Outcome:
    if attempt.cancelled():
        return Outcome("the try was cancelled")
    error = attempt.exception()
    if error is None:
        return attempt.result()
    if isinstance(error, StreamerError):
        return Outcome(error.message, error.act)
    # A fault of ours in one leg must not take the others along: it is said and tried again.
    return Outcome(f"{type(error).__name__}: {error}", Act.WAIT)


async def _any_of(*events: asyncio.Event) -> None:
    tasks = [asyncio.create_task(event.wait(), name="event") for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
