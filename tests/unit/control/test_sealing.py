"""When a meeting is sealed, and what happens when it cannot be."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.control.sealing import Sealing, known_secrets
from streamer.domain.events import Event, EventName
from streamer.domain.meeting import Meeting, MeetingState
from streamer.store.archive_store import FolderStore
from streamer.store.database import Database
from streamer.store.live import Live
from streamer.store.records import Records
from streamer.store.secrets import SecretStore
from tests.unit.archive import makers

CHANGED, FINISHED = EventName.MEETING_STATE_CHANGED, EventName.RUN_FINISHED
POSTPONED_ONCE = [
    (CHANGED, {"from": "PLANNED", "to": "PREPARING"}),
    (CHANGED, {"from": "PREPARING", "to": "POSTPONED"}),
    (FINISHED, {"run": "r1"}),
    (CHANGED, {"from": "PLANNED", "to": "PREPARING"}),
    (CHANGED, {"from": "LINE_UP", "to": "LIVE"}),
    (CHANGED, {"from": "LIVE", "to": "ENDING"}),
]


@pytest.fixture
async def meeting(records: Records) -> Meeting:
    created = await records.create_meeting(makers.meeting(), "test")
    return replace(created, state=MeetingState.ENDING)


@pytest.fixture
def sealing(records: Records, live: Live, db: Database, tmp_path: Path) -> Sealing:
    return Sealing(
        records, live, FolderStore(tmp_path / "archive"), SecretStore(db, tmp_path / "key"),
        home=tmp_path, archive=tmp_path / "archive",
    )  # fmt: skip


async def happened(
    records: Records, meeting: Meeting, *said: tuple[EventName, dict[str, str]]
) -> None:
    known = len(await records.as_run(meeting.id))
    for seq, (name, data) in enumerate(said, known + 1):
        await records.apply(Event(meeting.id, seq, makers.T0 + seq, name, data))


async def the_task(sealing: Sealing) -> None:
    assert sealing._task is not None
    async with asyncio.timeout(10):
        await sealing._task


async def failures(records: Records, meeting: Meeting) -> list[str]:
    events = await records.as_run(meeting.id)
    return [e.data["error"] for e in events if e.name is EventName.PACKAGE_FAILED]


async def test_the_last_word_of_a_postponed_run_is_not_the_end_of_the_live_one(
    sealing: Sealing, records: Records, meeting: Meeting
) -> None:
    """Postponed after its run began, given a new date, live: it was sealed while it was live."""
    await happened(records, meeting, *POSTPONED_ONCE)
    assert not await sealing.take(meeting)
    assert not await sealing.take(meeting)
    await happened(records, meeting, (FINISHED, {"run": "r2"}))
    assert await sealing.take(meeting)
    await sealing.close()


async def test_a_meeting_that_cannot_be_sealed_is_said_once_and_waits(
    sealing: Sealing, records: Records, meeting: Meeting, caplog: pytest.LogCaptureFixture
) -> None:
    """A frozen configuration that is none raised ValidationError and ended the scheduler."""
    makers.write_journal(sealing._home / "meetings" / meeting.id, [])
    await records.freeze(meeting.id, '{"id": 1}', "0")
    await happened(records, meeting, *POSTPONED_ONCE, (FINISHED, {"run": "r2"}))
    pauses = []
    for _ in range(3):
        assert await sealing.take(meeting)
        await the_task(sealing)
        assert await sealing.take(meeting)  # not at once again
        assert sealing._task is None
        _, pause = sealing._patience._held[meeting.id]
        pauses.append(pause)
        sealing._patience._held[meeting.id] = (0.0, pause)
    assert pauses == [30.0, 60.0, 120.0]
    assert len(await failures(records, meeting)) == 1
    assert "ValidationError" in caplog.text


async def test_stored_keys_are_looked_for_in_the_package(db: Database, tmp_path: Path) -> None:
    store = SecretStore(db, tmp_path / "secret.key")
    await store.set("youtube", "abcd-efgh-1234", "test")
    youtube = makers.spec().destinations[0]
    destinations = (
        youtube.model_copy(update={"key": "store:youtube"}),
        youtube.model_copy(update={"id": "gone", "key": "store:gone"}),
    )
    spec = makers.spec().model_copy(update={"destinations": destinations})
    assert await known_secrets(spec, store) == ["abcd-efgh-1234"]
