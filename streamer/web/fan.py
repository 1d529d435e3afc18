"""One reader of Redis per process, and a bounded queue for each page that listens.

Sixty open consoles must not be sixty readers of the event stream: one task follows it and hands
events to subscribers; a second one reads the snapshots of meetings that somebody watches, at most
twice a second; a third one the meters, five times a second, while any page asks for them. A page
that reads too slowly is cut off and comes back with its Last-Event-ID.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from streamer.domain.errors import NotFound, StreamerError, Unavailable
from streamer.domain.events import Event
from streamer.domain.meeting import Meeting
from streamer.store.live import Live
from streamer.web.meetings import MeetingReader

log = structlog.get_logger(__name__)

QUEUE = 256
"""Events a page may be behind before it is cut off."""
SNAPSHOT_EVERY_S = 0.5
METERS_EVERY_S = 0.2
SAY_WATCHED_S = 3.0
"""Seconds after which a run is told again that somebody looks at its meters."""
PLAN_EVERY_S = 2.0
"""Seconds between two readings of a watched meeting's plan from SQL."""
RECENT = 200
"""Events kept per meeting for pages that come while the SQL projection still lags."""
MEETINGS_KEPT = 300
OLD_S = 3.0
"""A snapshot is written once a second; one older than this is a sign."""
RETRY_S = 1.0
PAGE = 1000
"""Events read at once while catching up with the stream at the start."""

Item = tuple[str, dict[str, Any]]
"""What a page gets: the type (`as_run`, `live`, `meters`, `trouble`) and its data."""


@dataclass(eq=False)
class Subscriber:
    """One page that watches one meeting. Snapshots and meters replace each other, events queue up.

    `wants_meters`: it asked for meters as well.
    """

    meeting: str
    wants_meters: bool = False
    events: deque[Item] = field(default_factory=deque)
    view: Item | None = None
    meters: Item | None = None
    shown: dict[str, Any] | None = None
    closed: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, item: Item) -> None:
        """Queue an event; a full queue closes the subscriber."""
        if len(self.events) >= QUEUE:
            self.close()
            return
        self.events.append(item)
        self.wake.set()

    def show(self, view: dict[str, Any]) -> None:
        """Replace the snapshot that waits, when it says something new. The clock alone is no
        news; a snapshot that grows old is."""
        news = {key: value for key, value in view.items() if key not in ("now", "stale_s")}
        age = view.get("stale_s") or 0.0
        news["old"] = round(age) if age > OLD_S else 0
        if news == self.shown:
            return
        self.shown = news
        self.view = ("live", view)
        self.wake.set()

    def show_meters(self, meters: dict[str, Any]) -> None:
        """Replace the meters that wait."""
        self.meters = ("meters", meters)
        self.wake.set()

    def close(self) -> None:
        self.closed = True
        self.wake.set()

    async def next(self, timeout_s: float) -> Item | None:
        """The next thing to send; None after `timeout_s` seconds or when closed."""
        if not (self.events or self.view or self.meters or self.closed):
            self.wake.clear()
            try:
                await asyncio.wait_for(self.wake.wait(), timeout_s)
            except TimeoutError:
                return None
        if self.closed:
            return None
        if self.events:
            return self.events.popleft()
        if self.view is not None:
            view, self.view = self.view, None
            return view
        meters, self.meters = self.meters, None
        return meters


class Fan:
    """Reads Redis once for all pages of this process. `run` until `stop`."""

    def __init__(self, live: Live, reader: MeetingReader) -> None:
        self._live = live
        self._reader = reader
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._recent: OrderedDict[str, deque[Event]] = OrderedDict()
        self._plans: dict[str, tuple[float, Meeting]] = {}
        self._stop = asyncio.Event()
        self._metered = asyncio.Event()
        """Some page asks for meters, or everything ends."""
        self._trouble: StreamerError | None = None

    @property
    def watching(self) -> int:
        """How many pages listen."""
        return sum(len(group) for group in self._subscribers.values())

    @contextmanager
    def subscribe(self, meeting: str, *, meters: bool = False) -> Iterator[Subscriber]:
        subscriber = Subscriber(meeting, meters)
        if self._stop.is_set():
            subscriber.close()
        if self._trouble is not None:
            subscriber.put(("trouble", {"error": self._trouble.as_dict()}))
        self._subscribers.setdefault(meeting, set()).add(subscriber)
        if meters:
            self._metered.set()
        try:
            yield subscriber
        finally:
            group = self._subscribers.get(meeting, set())
            group.discard(subscriber)
            if not group:
                self._subscribers.pop(meeting, None)
                self._plans.pop(meeting, None)

    def recent(self, meeting: str, after_seq: int) -> list[Event]:
        """The latest events of the meeting after `after_seq`, as far as they are kept here."""
        return [event for event in self._recent.get(meeting, ()) if event.seq > after_seq]

    async def run(self) -> None:
        """Read until `stop`; an unexpected error of a reader ends all and is raised."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(), name="web:events")
                group.create_task(self._watch(), name="web:snapshots")
                group.create_task(self._meter(), name="web:meters")
        finally:
            self.stop()

    def stop(self) -> None:
        """End the readers and let every open event stream finish."""
        self._stop.set()
        self._metered.set()
        for subscriber in self._everybody():
            subscriber.close()

    async def _follow(self) -> None:
        after, block_ms = "0", 1
        while not self._stop.is_set():
            try:
                # From the beginning of what Redis keeps: SQL may not have the latest of it yet.
                found = await self._live.events(after, block_ms, PAGE)
            except Unavailable as error:
                await self._redis_away(error)
                continue
            self._redis_back()
            block_ms = 1 if len(found) == PAGE else 1000
            for id_, event in found:
                after = id_
                self._hand_out(event)

    def _hand_out(self, event: Event) -> None:
        ring = self._recent.setdefault(event.meeting, deque(maxlen=RECENT))
        self._recent.move_to_end(event.meeting)
        ring.append(event)
        if len(self._recent) > MEETINGS_KEPT:
            self._recent.popitem(last=False)
        for subscriber in self._subscribers.get(event.meeting, ()):
            subscriber.put(("as_run", self._reader.event(event)))

    async def _watch(self) -> None:
        while not self._stop.is_set():
            for id_ in list(self._subscribers):
                try:
                    view = await self._reader.view(await self._plan(id_))
                except NotFound:
                    continue
                except Unavailable:
                    break  # the other reader says so, once
                for subscriber in self._subscribers.get(id_, ()):
                    subscriber.show(view)
            await self._pause(SNAPSHOT_EVERY_S)

    async def _meter(self) -> None:
        said: dict[str, float] = {}
        newest: dict[str, Any] = {}
        while not self._stop.is_set():
            await self._metered.wait()
            wanted = sorted({one.meeting for one in self._everybody() if one.wants_meters})
            if not wanted and not self._stop.is_set():
                self._metered.clear()
                said.clear()
                continue
            try:
                await self._say_watched(wanted, said)
                found = await self._live.meters(wanted)
            except Unavailable:
                await self._pause(RETRY_S)  # the first reader says so, once
                continue
            for id_, meters in found.items():
                if newest.get(id_) != meters.get("at"):
                    self._hand_out_meters(id_, meters)
            newest = {id_: meters.get("at") for id_, meters in found.items()}
            await self._pause(METERS_EVERY_S)

    async def _say_watched(self, wanted: list[str], said: dict[str, float]) -> None:
        now = time.monotonic()
        for id_ in wanted:
            if now - said.get(id_, float("-inf")) >= SAY_WATCHED_S:
                await self._live.say_watched(id_)
                said[id_] = now

    def _hand_out_meters(self, id_: str, meters: dict[str, Any]) -> None:
        for subscriber in self._subscribers.get(id_, ()):
            if subscriber.wants_meters:
                subscriber.show_meters(meters)

    async def _plan(self, id_: str) -> Meeting:
        known = self._plans.get(id_)
        now = time.monotonic()
        if known is not None and now - known[0] < PLAN_EVERY_S:
            return known[1]
        meeting = await self._reader.meeting(id_)
        self._plans[id_] = (now, meeting)
        return meeting

    async def _redis_away(self, error: StreamerError) -> None:
        if self._trouble is None:
            self._trouble = error
            log.warning("redis_away", error=error.message)
            for subscriber in self._everybody():
                subscriber.put(("trouble", {"error": error.as_dict()}))
        await self._pause(RETRY_S)

    def _redis_back(self) -> None:
        if self._trouble is None:
            return
        self._trouble = None
        log.info("redis_back")
        for subscriber in self._everybody():
            subscriber.put(("trouble", {"error": None}))

    def _everybody(self) -> list[Subscriber]:
        return [one for group in self._subscribers.values() for one in group]

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
