"""Faults of signals come on record once, also over the death of a run."""

import asyncio
import time
from typing import Any

from streamer.domain.errors import Unavailable
from streamer.domain.events import Event, EventName
from streamer.domain.signals import Detector, SignalFault, SignalRecovered
from streamer.run.signals import SETTLED_S, Faults, Signals

HALL = "feed:hall"
BLACK = SignalFault(HALL, Detector.BLACK, 3.1, 3.0)
BLACK_OVER = SignalRecovered(HALL, Detector.BLACK, 12.0)
SILENT = SignalFault("programme", Detector.SILENT, 4.0, 4.0)


class Record:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, name: EventName, data: dict[str, Any]) -> Event:
        event = Event("m", len(self.events) + 1, time.time(), name, data)
        self.events.append(event)
        return event

    @property
    def names(self) -> list[str]:
        return [str(event.name) for event in self.events]


def made(record: Record) -> Faults:
    return Faults(record, lambda: 61.5)


def test_a_fault_is_recorded_and_shown_until_it_is_over() -> None:
    record = Record()
    faults = made(record)
    assert faults.take([BLACK, SILENT], 0.0)
    assert not faults.take([], 1.0)
    assert record.events[0].data == {
        "feed": HALL, "detector": "black", "value": 3.1, "limit": 3.0, "programme_s": 61.5,
    }  # fmt: skip
    shown = faults.shown()
    assert [one["detector"] for one in shown if one["feed"] == HALL] == ["black"]
    assert abs(shown[0]["since"] - time.time()) < 5
    assert faults.take([BLACK_OVER], 2.0)
    assert record.events[2].data == {
        "feed": HALL, "detector": "black", "seconds": 12.0, "programme_s": 61.5,
    }  # fmt: skip
    assert [one["feed"] for one in faults.shown()] == ["programme"]
    assert record.names == ["signal_fault", "signal_fault", "signal_recovered"]


def test_a_run_that_takes_over_does_not_tell_again_what_is_still_wrong() -> None:
    before, record = Record(), Record()
    made(before).take([BLACK, SILENT], 0.0)
    faults = made(record)
    faults.recall(before.events, 100.0)
    assert {one["feed"] for one in faults.shown()} == {HALL, "programme"}
    faults.take([BLACK], 104.0)
    assert record.events == []
    faults.take([], 100.0 + SETTLED_S)
    assert record.names == ["signal_recovered"], "the silence was over when this run began"
    assert record.events[0].data["feed"] == "programme"
    faults.take([BLACK_OVER], 120.0)
    assert record.names == ["signal_recovered"] * 2
    assert faults.shown() == []


def test_a_meeting_that_ended_leaves_nothing_to_take_over() -> None:
    before = Record()
    made(before).take([BLACK], 0.0)
    before(EventName.RUN_FINISHED, {"run": "r"})
    faults = made(Record())
    faults.recall(before.events, 0.0)
    assert faults.shown() == []


class Stage:
    """Stands for mixer, watch and Redis: counts what is asked of it."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.anybody = False
        self.away = False
        self.meters_put: list[dict[str, Any]] = []
        self.previews: list[str] = []
        self.encoded = 0
        self.watch = self

    def configure(self, settings: object) -> None: ...

    def look(self, now: float) -> list[Any]:
        told, self.told = self.told, []
        return told

    def meters(self) -> dict[str, tuple[float, float]]:
        return {HALL: (-12.04, -90.0)}

    def rms(self) -> dict[str, float]:
        return {HALL: -20.06}

    def feeds(self) -> list[str]:
        return [HALL, "feed:site:semey"]

    def preview(self, width: int = 480) -> bytes:
        return b""

    def feed_preview(self, feed_id: str, width: int = 240) -> bytes:
        self.encoded += 1
        return b"jpeg" if feed_id == HALL else b""

    async def watched(self, meeting: str) -> bool:
        if self.away:
            raise Unavailable("redis is away")
        return self.anybody

    async def put_meters(self, meeting: str, meters: dict[str, Any]) -> None:
        self.meters_put.append(meters)

    async def put_preview(self, meeting: str, jpeg: bytes, feed: str = "") -> None:
        self.previews.append(feed)


async def reached(what: Any, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110 - threads and timers are watched
            await asyncio.sleep(0.01)


async def test_nothing_is_measured_or_encoded_while_nobody_looks() -> None:
    stage, record, changes = Stage(), Record(), []
    quiet = False
    signals = Signals(
        "m", stage, stage, made(record),  # type: ignore[arg-type]
        quiet=lambda: quiet, changed=lambda: changes.append(1),
    )  # fmt: skip
    task = asyncio.create_task(signals.run(), name="signals")
    try:
        stage.told = [BLACK]
        await reached(lambda: record.names == ["signal_fault"] and changes)
        assert (stage.meters_put, stage.encoded) == ([], 0)
        stage.anybody = True
        await reached(lambda: len(stage.meters_put) > 3 and stage.previews)
        assert stage.meters_put[0]["peak_db"] == {HALL: [-12.0, -90.0]}
        assert stage.meters_put[0]["rms_db"] == {HALL: -20.1}
        assert set(stage.previews) == {HALL}, "a feed without a picture has no preview"
        stage.away = True
        stage.told = [BLACK_OVER]
        await reached(lambda: record.names[-1] == "signal_recovered")
        quiet = True
        stage.told = [BLACK]
        await reached(lambda: not stage.told)
        assert len(record.events) == 2, "we close the feeds of a meeting that ends ourselves"
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
