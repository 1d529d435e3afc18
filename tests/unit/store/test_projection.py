import itertools
import random
from typing import Any

import pytest

from streamer.domain.events import Event, EventName
from streamer.domain.meeting import MeetingState as S
from streamer.store.projection import intervals
from streamer.store.records import Records
from tests.unit.store.samples import START, connected, happened, lost, moved, plan

STARTED, FINISHED = EventName.RECORDING_PART_STARTED, EventName.RECORDING_PART_FINISHED
EPOCH = START.timestamp()


async def test_an_event_is_applied_once(records: Records) -> None:
    event = happened(1, EventName.MUTED, muted=True, by="Ә")
    assert await records.apply(event)
    assert not await records.apply(event)
    assert await records.as_run("m1") == [event]


async def test_the_as_run_log_is_in_order_and_read_in_pieces(records: Records) -> None:
    for seq in (3, 1, 2, 5):
        await records.apply(happened(seq, EventName.MUTED))
    assert [e.seq for e in await records.as_run("m1")] == [1, 2, 3, 5]
    assert [e.seq for e in await records.as_run("m1", after_seq=1, limit=2)] == [2, 3]
    assert await records.as_run("m2") == []


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])))
async def test_the_state_is_that_of_the_newest_event(
    records: Records, order: tuple[int, ...]
) -> None:
    await records.create_meeting(plan(), "a")
    events = [moved(1, "LINE_UP"), moved(5, "LIVE"), moved(9, "ENDING", reason="over")]
    for i in order:
        assert await records.apply(events[i])
    found = await records.meeting("m1")
    assert (found.state, found.reason) == (S.ENDING, "over")


async def test_a_final_state_stays(records: Records) -> None:
    await records.create_meeting(plan(), "a")
    await records.apply(moved(1, "ENDING"))
    assert await records.set_state("m1", S.ENDING, S.ARCHIVED, by="archive")
    await records.apply(moved(2, "ENDING"))
    assert (await records.meeting("m1")).state is S.ARCHIVED


RELAY_STORY = [
    lost(1), connected(2), lost(3), connected(4), connected(6), lost(8), lost(9), connected(10),
]  # fmt: skip


def expected(story: list[Event]) -> list[tuple[Any, ...]]:
    return [
        (row["opened_at"], row["closed_at"], row["bytes"], row["reason"])
        for row in intervals(sorted(story, key=lambda e: e.seq))
    ]


def test_an_interval_is_a_connection_and_the_loss_that_follows_it() -> None:
    assert expected(RELAY_STORY) == [
        (EPOCH - 1, EPOCH + 1, 1000, "reset"),  # its beginning follows from the seconds
        (EPOCH + 2, EPOCH + 3, 3000, "reset"),
        (EPOCH + 4, None, None, ""),
        (EPOCH + 6, EPOCH + 8, 8000, "reset"),
        (EPOCH + 7, EPOCH + 9, 9000, "reset"),
        (EPOCH + 10, None, None, ""),
    ]


@pytest.mark.parametrize("seed", range(12))
async def test_intervals_are_the_same_in_whatever_order_events_come(
    records: Records, seed: int
) -> None:
    shuffled = [*RELAY_STORY, connected(7, leg="relay:other"), lost(5, leg="relay:third")]
    random.Random(seed).shuffle(shuffled)
    for event in shuffled + shuffled:
        await records.apply(event)
    rows = await records.deliveries("m1")
    youtube = [r for r in rows if r.leg == "relay:youtube"]
    assert [(r.opened_at, r.closed_at, r.bytes, r.reason) for r in youtube] == expected(RELAY_STORY)
    assert [(r.leg, r.closed_at) for r in rows if r not in youtube] == [
        ("relay:other", None), ("relay:third", EPOCH + 5),
    ]  # fmt: skip


async def test_a_delivery_says_where_to_and_why_it_ended(records: Records) -> None:
    await records.apply(connected(1, backup=True))
    await records.apply(lost(4, bytes=7, seconds=3.0, reason="refused", act="sign_in"))
    (row,) = await records.deliveries("m1")
    assert (row.destination, row.target, row.backup) == ("youtube", "rtmp://x/***", True)
    assert (row.bytes, row.seconds, row.reason, row.act) == (7, 3.0, "refused", "sign_in")


@pytest.mark.parametrize("turned", [False, True])
async def test_a_part_is_started_and_finished(records: Records, turned: bool) -> None:
    common: dict[str, Any] = {
        "leg": "recorder:a", "recorder": "a", "part": 1, "path": "master/part-0001.ts"
    }  # fmt: skip
    story = [
        happened(1, STARTED, **common, programme_s=0.5),
        happened(2, FINISHED, **common, bytes=2**40, reason="ended"),
    ]
    for event in reversed(story) if turned else story:
        await records.apply(event)
    await records.apply(happened(3, STARTED, recorder="a", part=2, path="master/part-0002.ts"))
    first, second = await records.parts("m1")
    assert (first.path, first.programme_s, first.bytes) == ("master/part-0001.ts", 0.5, 2**40)
    assert (first.started_at, first.finished_at, first.reason) == (EPOCH + 1, EPOCH + 2, "ended")
    assert (second.part, second.finished_at, second.bytes) == (2, None, None)


async def test_the_package_is_the_one_sealed_last(records: Records) -> None:
    assert await records.package("m1") is None
    for seq, path in [(9, "new"), (5, "old")]:
        await records.apply(
            happened(
                seq, EventName.PACKAGE_SEALED, path=path, files=3, bytes=5, manifest_sha256="ab"
            )
        )
    package = await records.package("m1")
    assert package is not None
    assert (package.path, package.sealed_at, package.files) == ("new", EPOCH + 9, 3)


@pytest.mark.parametrize(
    "event",
    [
        happened(1, EventName.MEETING_STATE_CHANGED, to="SOMEWHERE"),
        happened(1, EventName.MEETING_STATE_CHANGED),
        happened(1, EventName.RELAY_LOST, leg="relay:youtube"),
        lost(1, bytes=2**80), lost(1, bytes=-1), lost(1, seconds=float("nan")),
        happened(1, STARTED, recorder="a", part="one"),
        happened(1, FINISHED, recorder="a", part=2**40),
        happened(1, EventName.PACKAGE_SEALED, path="x"),
    ],
)  # fmt: skip
async def test_an_event_with_wrong_data_is_kept_and_changes_nothing(
    records: Records, event: Event
) -> None:
    await records.create_meeting(plan(), "a")
    assert await records.apply(event)
    assert [e.seq for e in await records.as_run("m1")] == [1]
    assert (await records.meeting("m1")).state is S.PLANNED
    assert await records.deliveries("m1") == []
    assert await records.parts("m1") == []
    assert await records.package("m1") is None
    # What comes after it is applied, beside it too.
    assert await records.apply(connected(2))
    assert len(await records.deliveries("m1")) == 1


@pytest.mark.parametrize(
    "event",
    [
        Event("m1", 2**70, 0.0, EventName.MUTED),
        Event("m1", -1, 0.0, EventName.MUTED),
        Event("m1", 1, float("nan"), EventName.MUTED),
        Event("m\x00", 1, 0.0, EventName.MUTED),
        Event("", 1, 0.0, EventName.MUTED),
        Event(7, 1, 0.0, EventName.MUTED),  # type: ignore[arg-type]
        Event("m1", 1, 0.0, EventName.MUTED, []),  # type: ignore[arg-type]
    ],
)
async def test_what_is_no_event_is_left_out(records: Records, event: Event) -> None:
    assert not await records.apply(event)
    assert await records.as_run("m1") == []


async def test_any_text_of_a_child_can_be_kept(records: Records) -> None:
    event = connected(1, target="a\x00b\udcffc", leg="relay:\x00")
    assert await records.apply(event)
    assert await records.as_run("m1") == [event]
    assert [r.target for r in await records.deliveries("m1")] == ["ab?c"]
    assert await records.apply(lost(2, leg="relay:\x00"))
    assert len(await records.deliveries("m1")) == 1


async def test_an_event_of_a_meeting_that_is_not_here_is_kept(records: Records) -> None:
    assert await records.apply(moved(1, "LIVE"))
    assert len(await records.as_run("m1")) == 1
