import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from streamer.domain.errors import BadInput, NotAllowed, NotFound
from streamer.domain.meeting import MeetingState as S
from streamer.store.records import Records
from tests.unit.store.samples import START, plan


async def test_a_plan_comes_back_as_it_was_given(records: Records) -> None:
    meeting = plan(
        end_by_schedule=True, prepare_before=timedelta(minutes=90), overrun=timedelta(seconds=30.5)
    )
    assert await records.create_meeting(meeting, "aigul") == meeting
    found = await records.meeting("m1")
    assert found == meeting
    assert found.starts_at.tzinfo is UTC
    assert (await records.audit_log(1))[0].who == "aigul"


async def test_a_time_in_another_zone_is_the_same_instant(records: Records) -> None:
    local = START.astimezone(timezone(timedelta(hours=5)))
    await records.create_meeting(plan(starts_at=local), "a")
    found = await records.meeting("m1")
    assert found.starts_at == START
    assert found.starts_at.utcoffset() == timedelta(0)


async def test_an_unknown_meeting_is_not_found(records: Records) -> None:
    with pytest.raises(NotFound) as caught:
        await records.meeting("nobody")
    assert caught.value.as_dict()["tried"] == {"id": "nobody"}
    with pytest.raises(NotFound):
        await records.set_state("nobody", S.PLANNED, S.CANCELLED, by="a")
    with pytest.raises(NotFound):
        await records.update_plan(plan("nobody"), "a")
    with pytest.raises(NotFound):
        await records.freeze("nobody", "{}", "00")
    with pytest.raises(NotFound):
        await records.frozen("nobody")


async def test_an_id_is_taken_once(records: Records) -> None:
    await records.create_meeting(plan(), "a")
    with pytest.raises(BadInput) as caught:
        await records.create_meeting(plan(hours=100), "a")
    assert caught.value.code == "id_taken"
    assert (await records.meeting("m1")).starts_at == START


@pytest.mark.parametrize("hours", [-1.9, -1, 0, 0.5, 1.9])
async def test_a_hall_and_an_account_are_used_by_one_meeting_at_a_time(
    records: Records, hours: float
) -> None:
    await records.create_meeting(plan(), "a")
    with pytest.raises(BadInput) as caught:
        await records.create_meeting(plan("m2", hours, destinations=()), "a")
    assert caught.value.code == "hall_busy"
    assert caught.value.tried["other"] == "m1"
    with pytest.raises(BadInput) as caught:
        await records.create_meeting(plan("m2", hours, hall="", destinations=("facebook",)), "a")
    assert caught.value.code == "account_busy"
    assert caught.value.tried["account"] == "facebook"
    assert "'m1'" in caught.value.message
    assert len(await records.meetings()) == 1
    assert len(await records.audit_log()) == 1


@pytest.mark.parametrize(
    "other",
    [
        plan("m2", 2), plan("m2", -2), plan("m2", region="abay"),
        plan("m2", hall="", destinations=()), plan("m2", hall="small", destinations=("instagram",)),
    ],
    ids=["after", "before", "other region", "nothing used", "other hall and account"],
)  # fmt: skip
async def test_meetings_that_do_not_meet_may_both_be(records: Records, other: object) -> None:
    await records.create_meeting(plan(), "a")
    await records.create_meeting(other, "a")  # type: ignore[arg-type]
    assert len(await records.meetings()) == 2


@pytest.mark.parametrize("state", [S.CANCELLED, S.POSTPONED, S.ARCHIVED])
async def test_what_is_over_or_has_no_date_holds_nothing(records: Records, state: S) -> None:
    await records.create_meeting(plan(), "a")
    assert await records.set_state("m1", S.PLANNED, state, by="a")
    await records.create_meeting(plan("m2"), "a")


async def test_a_postponed_meeting_cannot_come_back_to_a_taken_hall(records: Records) -> None:
    await records.create_meeting(plan(), "a")
    await records.set_state("m1", S.PLANNED, S.POSTPONED, by="a", reason="storm")
    await records.create_meeting(plan("m2"), "a")
    with pytest.raises(BadInput):
        await records.set_state("m1", S.POSTPONED, S.PLANNED, by="a")
    assert (await records.meeting("m1")).state is S.POSTPONED
    await records.update_plan(plan(hours=2), "a")
    assert await records.set_state("m1", S.POSTPONED, S.PLANNED, by="a")


async def test_of_two_plans_at_the_same_moment_one_wins(records: Records) -> None:
    made = await asyncio.gather(
        *(records.create_meeting(plan(f"m{i}"), "a") for i in range(6)), return_exceptions=True
    )
    assert sum(not isinstance(m, BaseException) for m in made) == 1
    assert all(isinstance(m, BadInput) for m in made if isinstance(m, BaseException))
    assert len(await records.meetings()) == 1


async def test_a_plan_that_ends_before_it_starts_is_refused(records: Records) -> None:
    with pytest.raises(BadInput):
        await records.create_meeting(plan(ends_at=START), "a")
    await records.create_meeting(plan(), "a")
    with pytest.raises(BadInput):
        await records.update_plan(plan(ends_at=START), "a")


async def test_meetings_are_found_by_region_state_and_start(records: Records) -> None:
    for i, region in enumerate(["abai", "aqmola", "abai"]):
        await records.create_meeting(plan(f"m{i}", hours=24 * (2 - i), region=region), "a")
    await records.set_state("m2", S.PLANNED, S.PREPARING, by="a")

    async def ids(**query: object) -> list[str]:
        return [m.id for m in await records.meetings(**query)]  # type: ignore[arg-type]

    assert await ids() == ["m2", "m1", "m0"]
    assert await ids(limit=1) == ["m2"]
    assert await ids(region="abai") == ["m2", "m0"]
    assert await ids(states=[S.PREPARING, S.LIVE]) == ["m2"]
    assert await ids(states=[]) == []
    day = timedelta(days=1)
    assert await ids(since=START + day) == ["m1", "m0"]
    assert await ids(since=START, until=START + day) == ["m2"]
    assert (await records.meetings())[0].destinations == ("youtube", "facebook")


async def test_a_plan_is_changed_until_it_is_prepared(records: Records) -> None:
    await records.create_meeting(plan(), "a")
    later = plan(hours=1, destinations=("facebook", "instagram"), region="elsewhere")
    changed = await records.update_plan(later, "a")
    assert changed == replace(later, region="abai")
    await records.set_state("m1", S.PLANNED, S.PREPARING, by="a")
    with pytest.raises(NotAllowed) as caught:
        await records.update_plan(plan(), "a")
    assert caught.value.code == "plan_closed"
    assert await records.meeting("m1") == replace(changed, state=S.PREPARING)


async def test_a_plan_is_not_moved_onto_another(records: Records) -> None:
    await records.create_meeting(plan(), "a")
    await records.create_meeting(plan("m2", 5), "a")
    with pytest.raises(BadInput):
        await records.update_plan(plan("m2", 1), "a")
    assert (await records.meeting("m2")).starts_at == START + timedelta(hours=5)


async def test_the_state_is_set_only_from_the_expected_one(records: Records) -> None:
    await records.create_meeting(plan(), "a")
    assert not await records.set_state("m1", S.LIVE, S.ENDING, by="a")
    assert await records.set_state("m1", S.PLANNED, S.CANCELLED, by="a", reason="flood")
    found = await records.meeting("m1")
    assert (found.state, found.reason) == (S.CANCELLED, "flood")
    assert (await records.audit_log(1))[0].detail["to"] == "CANCELLED"


async def test_of_many_that_set_the_state_at_once_one_wins(records: Records) -> None:
    await records.create_meeting(plan(), "a")
    won = await asyncio.gather(
        *(records.set_state("m1", S.PLANNED, S.PREPARING, by=f"s{i}") for i in range(8))
    )
    assert sum(won) == 1
    assert await records.audit_verify() is None


async def test_a_configuration_is_frozen_until_line_up(records: Records) -> None:
    await records.create_meeting(plan(), "a")
    assert await records.frozen("m1") is None
    await records.freeze("m1", '{"a":"Қ"}', "01")
    await records.freeze("m1", '{"a":"Қ"}', "01")
    assert await records.frozen("m1") == '{"a":"Қ"}'
    await records.freeze("m1", "{}", "02")
    await records.set_state("m1", S.PLANNED, S.LINE_UP, by="a")
    await records.freeze("m1", "{}", "02")
    with pytest.raises(NotAllowed):
        await records.freeze("m1", '{"a":2}', "03")
    assert await records.frozen("m1") == "{}"


async def test_a_time_without_a_zone_is_our_own_fault(records: Records) -> None:
    with pytest.raises(Exception, match="without a time zone"):
        await records.meetings(since=datetime(2027, 2, 19))  # noqa: DTZ001
