"""What detectors and meters say of a meeting: onto the record, into the snapshot, to whoever looks.

Asks little of what it watches, so that the mixer and the copying mode serve it alike.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from streamer.domain.errors import Unavailable
from streamer.domain.events import Event, EventName
from streamer.domain.signals import SignalFault, SignalRecovered
from streamer.programme.programme import Watching
from streamer.run.surroundings import Record
from streamer.store.live import Live

log = logging.getLogger(__name__)
LOOK_S = 0.2
"""Seconds between two looks, and between two readings of the meters."""
PREVIEW_S = 1.0
"""Seconds between two pictures of each feed, and two questions whether anybody looks."""
BROKEN_S = 1.0
"""Seconds to the next try after a fault of ours."""
SETTLED_S = 8.0
"""Seconds after the start of a run within which a fault that was on record already is seen again,
if it is still there."""
FEED_WIDTH = 240
"""Pixels of a feed's preview."""


class Watched(Protocol):
    """What is needed of `Mixer`."""

    @property
    def watch(self) -> Watching: ...

    def preview(self, width: int = 480) -> bytes: ...

    def feed_preview(self, feed_id: str, width: int = FEED_WIDTH) -> bytes: ...


class Faults:
    """The faults there are; each comes on record once when it begins and once when it is over.

    A run that takes a meeting up knows those that its predecessor told of, from the journal.
    """

    def __init__(self, record: Record, programme_s: Callable[[], float]) -> None:
        self._record, self._programme_s = record, programme_s
        self._open: dict[tuple[str, str], dict[str, Any]] = {}
        self._unseen: set[tuple[str, str]] = set()
        self._settle_at: float | None = None

    def recall(self, events: Iterable[Event], now: float) -> None:
        """Take over what the events leave open; `now` is monotonic."""
        for event in events:
            data = event.data
            key = (str(data.get("feed")), str(data.get("detector")))
            if event.name is EventName.SIGNAL_FAULT:
                self._open[key] = {
                    "detector": key[1], "since": event.at,
                    "value": data.get("value"), "limit": data.get("limit"),
                }  # fmt: skip
            elif event.name is EventName.SIGNAL_RECOVERED:
                self._open.pop(key, None)
            elif event.name is EventName.RUN_FINISHED:
                self._open.clear()
        self._unseen = set(self._open)
        self._settle_at = now + SETTLED_S

    def take(self, told: Iterable[SignalFault | SignalRecovered], now: float) -> bool:
        """Put on record what is new; True when the snapshot has changed."""
        changed = False
        for one in told:
            key = (one.feed, str(one.detector))
            if isinstance(one, SignalRecovered):
                self._unseen.discard(key)
                changed = self._close(key, one.seconds) or changed
            elif key in self._unseen:
                self._unseen.discard(key)
            elif key not in self._open:
                self._begin(key, one)
                changed = True
        if self._settle_at is not None and now >= self._settle_at:
            self._settle_at = None
            gone, self._unseen = self._unseen, set()
            for key in gone:
                seconds = max(0.0, time.time() - self._open[key]["since"])
                changed = self._close(key, round(seconds, 1)) or changed
        return changed

    def _begin(self, key: tuple[str, str], one: SignalFault) -> None:
        self._open[key] = {
            "detector": key[1], "since": time.time(), "value": one.value, "limit": one.limit,
        }  # fmt: skip
        self._record(
            EventName.SIGNAL_FAULT,
            {"feed": one.feed, "detector": key[1], "value": one.value, "limit": one.limit,
             "programme_s": self._programme_s()},
        )  # fmt: skip

    def _close(self, key: tuple[str, str], seconds: float) -> bool:
        if self._open.pop(key, None) is None:
            return False
        self._record(
            EventName.SIGNAL_RECOVERED,
            {"feed": key[0], "detector": key[1], "seconds": seconds,
             "programme_s": self._programme_s()},
        )  # fmt: skip
        return True

    def shown(self) -> list[dict[str, Any]]:
        """Faults, for the snapshot: `feed`, `detector`, `since` (POSIX), `value`, `limit`."""
        return [{"feed": feed, **fault} for (feed, _), fault in self._open.items()]


class Signals:
    """`run` until cancelled. `quiet` says that the meeting is ending: we close feeds ourselves.

    Meters and previews of feeds are made while somebody looks, and only then.
    """

    def __init__(
        self, meeting: str, live: Live, watched: Watched, faults: Faults, *,
        quiet: Callable[[], bool], changed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._meeting, self._live, self._watched = meeting, live, watched
        self._faults, self._quiet, self._changed = faults, quiet, changed
        self._anybody = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name, step, every_s in (
                ("look", self._look, LOOK_S),
                ("meters", self._show_meters, LOOK_S),
                ("previews", self._show_feeds, PREVIEW_S),
            ):
                group.create_task(_every(every_s, step), name=f"signals:{name}")

    async def _look(self) -> None:
        now = time.monotonic()
        told = await asyncio.to_thread(self._watched.watch.look, now)
        if not self._quiet() and self._faults.take(told, now):
            self._changed()

    async def _show_meters(self) -> None:
        if self._anybody:
            meters = await asyncio.to_thread(self._meters)
            await self._live.put_meters(self._meeting, meters)

    async def _show_feeds(self) -> None:
        self._anybody = await self._live.watched(self._meeting)
        if not self._anybody:
            return
        for feed in self._watched.watch.feeds():
            jpeg = await asyncio.to_thread(self._watched.feed_preview, feed, FEED_WIDTH)
            if jpeg:
                await self._live.put_preview(self._meeting, jpeg, feed)

    def _meters(self) -> dict[str, Any]:
        watch = self._watched.watch
        return {
            "at": round(time.time(), 3),
            "peak_db": {
                feed: [round(left, 1), round(right, 1)]
                for feed, (left, right) in watch.meters().items()
            },
            "rms_db": {feed: round(level, 1) for feed, level in watch.rms().items()},
        }


async def _every(seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    """Do `step` every so many seconds; what only informs never takes the programme off air."""
    due = time.monotonic()
    while True:
        due = max(due + seconds, time.monotonic())
        try:
            await step()
        except Unavailable:
            pass  # the outbox says that Redis is away
        except Exception:
            log.exception("meters or detectors broke; tried again")
            due += BROKEN_S
        await asyncio.sleep(due - time.monotonic())
