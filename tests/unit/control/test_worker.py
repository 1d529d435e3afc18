"""What the worker makes of a journal and of a disk that takes nothing."""

import asyncio
from pathlib import Path

import pytest

from streamer.control.spares import WorkerSettings
from streamer.control.worker import Worker, _finished
from streamer.domain.events import Event, EventName
from streamer.store.live import Live
from tests.unit.archive.makers import write_journal

STARTED, FINISHED = EventName.RUN_STARTED, EventName.RUN_FINISHED


@pytest.mark.parametrize(
    ("said", "finished"),
    [
        ([STARTED, FINISHED], True),
        ([STARTED, FINISHED, STARTED], False),
        ([STARTED, FINISHED, STARTED, FINISHED], True),
        ([STARTED], False),
        ([FINISHED], True),  # the beginning is further up than is read
        ([], False),
    ],
)
def test_the_last_word_counts_only_after_the_last_beginning(
    tmp_path: Path, said: list[EventName], finished: bool
) -> None:
    """A killed run of a new date was taken for finished, by what its postponed one had said."""
    write_journal(tmp_path, [Event("m", seq, 0.0, name) for seq, name in enumerate(said, 1)])
    assert _finished(tmp_path) is finished


def test_no_journal_is_not_finished(tmp_path: Path) -> None:
    assert not _finished(tmp_path)


@pytest.fixture
def worker(tmp_path: Path, live: Live) -> Worker:
    (tmp_path / "workers").write_text("a file where the folder should be")
    return Worker(WorkerSettings("w", tmp_path, "unix:///nowhere", None, 1), live)


async def test_a_disk_that_takes_nothing_does_not_end_the_worker(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    await worker._adopt()
    await worker._remember()
    assert "cannot note" in caplog.text


async def test_a_task_that_dies_ends_the_worker_loudly(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies() -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(worker._spares, "run", dies)
    with pytest.raises(ValueError, match="a fault of ours"):
        async with asyncio.timeout(10):
            await worker.run()


async def test_a_meeting_whose_task_dies_ends_the_worker_loudly(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(meeting: str) -> None:
        raise ValueError(f"a fault of ours with {meeting}")

    async def waits() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(worker, "_serve", dies)
    monkeypatch.setattr(worker._spares, "run", waits)
    worker._watch("m1")
    with pytest.raises(ValueError, match="m1"):
        async with asyncio.timeout(10):
            await worker.run()
