"""Events reach Redis in their order, whatever it does in between."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from streamer.domain.errors import Unavailable
from streamer.domain.events import Event, EventName
from streamer.run.outbox import Outbox
from tests.unit.media.instant import run


class Listener:
    """Stands for Redis: may be away, and remembers what it was told."""

    def __init__(self) -> None:
        self.away = False
        self.told: list[Event] = []

    async def publish(self, event: Event) -> str:
        await asyncio.sleep(0.001)
        if self.away:
            raise Unavailable("redis is away")
        self.told.append(event)
        return "1-0"


class Said:
    """The journal's part: numbers events and puts them into the outbox."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.outbox = Outbox(self.listener, self.record)  # type: ignore[arg-type]
        self.seq = 0

    def record(self, name: EventName, data: dict[str, Any]) -> None:
        self.seq += 1
        self.outbox.put(Event("m", self.seq, 0.0, name, data))

    @property
    def told(self) -> list[int]:
        return [event.seq for event in self.listener.told]

    @asynccontextmanager
    async def running(self):  # type: ignore[no-untyped-def]
        task = asyncio.create_task(self.outbox.run(), name="outbox")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_order_is_kept_over_an_outage_and_the_outage_is_on_record() -> None:
    async def test() -> None:
        said = Said()
        async with said.running():
            for _ in range(3):
                said.record(EventName.MUTED, {})
            assert await said.outbox.drain(5)
            said.listener.away = True
            for _ in range(5):
                said.record(EventName.MUTED, {})
            assert not await said.outbox.drain(30)
            assert said.outbox.away
            said.listener.away = False
            assert await said.outbox.drain(5)
        assert said.told == list(range(1, 11))
        names = [event.name for event in said.listener.told]
        assert names.count(EventName.STORE_LOST) == names.count(EventName.STORE_BACK) == 1
        assert names[-1] is EventName.STORE_BACK
        assert said.outbox.published == 10

    run(test())


def test_an_empty_outbox_is_drained() -> None:
    async def test() -> None:
        assert await Said().outbox.drain(0.1)

    run(test())
