"""Tells Redis what the journal holds; when Redis is away it keeps the order and tells it later."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from streamer.domain.errors import Unavailable
from streamer.domain.events import Event, EventName
from streamer.store.live import Live

RETRY_S = 0.5
log = logging.getLogger(__name__)


class Outbox:
    """Publishes events in their order. `record` puts an event about Redis itself on record."""

    def __init__(self, live: Live, record: Callable[[EventName, dict[str, Any]], object]) -> None:
        self._live, self._record = live, record
        self._waiting: deque[Event] = deque()
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.away = False
        self.published = 0
        """The highest `seq` that Redis has."""

    def put(self, event: Event) -> None:
        self._waiting.append(event)
        self._empty.clear()
        self._more.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                event = self._waiting[0]
                try:
                    await self._live.publish(event)
                except Unavailable as error:
                    self._lost(error)
                    await asyncio.sleep(RETRY_S)
                    continue
                self.published = max(self.published, event.seq)
                self._waiting.popleft()
                self._back()
            self._empty.set()

    async def drain(self, seconds: float) -> bool:
        """Wait until everything is published; False when the deadline came first."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def _lost(self, error: Unavailable) -> None:
        if not self.away:
            self.away = True
            log.warning("redis is away, events wait in the journal: %s", error)
            self._record(EventName.STORE_LOST, {"store": "redis", "error": error.message})

    def _back(self) -> None:
        if self.away:
            self.away = False
            log.info("redis is back, %d events waited", len(self._waiting))
            self._record(EventName.STORE_BACK, {"store": "redis", "waited": len(self._waiting)})
