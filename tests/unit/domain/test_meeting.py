"""Wall times, zones and plans."""

from datetime import UTC, datetime, timedelta

import pytest

from streamer.domain.clockcheck import OldTimeZones, check_time_zones
from streamer.domain.errors import Act, BadInput
from streamer.domain.meeting import Meeting, Names, check_plan, instant, zone

START = datetime(2027, 2, 19, 5, tzinfo=UTC)


def test_a_wall_time_is_the_promise() -> None:
    assert instant("2027-02-19T10:00", "Asia/Almaty") == START
    assert instant("2024-02-19T10:00", "Asia/Almaty") == datetime(2024, 2, 19, 4, tzinfo=UTC)
    assert instant("2027-02-19T10:00:30.5", "Europe/Berlin").second == 30


@pytest.mark.parametrize("wall", ["2027-02-30T10:00", "19.02.2027 10:00", "2027-02-19", "2027-02-19T10:00Z", ""])  # fmt: skip  # noqa: E501
def test_a_date_that_does_not_exist(wall: str) -> None:
    with pytest.raises(BadInput) as refused:
        instant(wall, "Asia/Almaty")
    assert refused.value.code == "wrong_date"
    assert refused.value.tried["wall"] == wall


@pytest.mark.parametrize("name", ["Asia/Almata", "", "../etc/passwd"])
def test_a_zone_that_does_not_exist(name: str) -> None:
    with pytest.raises(BadInput, match="is not a time zone"):
        zone(name)


def test_an_hour_that_comes_twice_is_its_first() -> None:
    assert instant("2027-10-31T02:30", "Europe/Berlin") == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "code"),
    [(timedelta(0), "end_before_start"), (timedelta(minutes=-1), "end_before_start"),
     (timedelta(hours=24, seconds=1), "too_long")],
)  # fmt: skip
def test_a_plan_that_cannot_be(length: timedelta, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_plan(START, START + length)
    assert refused.value.code == code
    check_plan(START, START + timedelta(hours=24))


def test_times_around_the_start() -> None:
    meeting = Meeting("m", "abai", Names("к", "р"), START, START + timedelta(hours=2), "Asia/Almaty", "2027-02-19T10:00")  # fmt: skip  # noqa: E501
    assert meeting.prepare_at == START - timedelta(hours=1)
    assert meeting.line_up_at == START - timedelta(minutes=30)
    assert meeting.give_up_at == START + timedelta(hours=3)


def test_the_zone_data_of_this_machine_knows_the_law() -> None:
    check_time_zones()


def test_old_zone_data_is_refused_with_the_remedy() -> None:
    # Before 1 March 2024 the answer is UTC+6, which is what old data says of today.
    with pytest.raises(OldTimeZones, match="tzdata to 2024a") as refused:
        check_time_zones(datetime(2024, 2, 29, 12, tzinfo=UTC))
    assert refused.value.act is Act.CORRECT_SETTING
    check_time_zones(datetime(2024, 3, 1, 0, tzinfo=UTC))
