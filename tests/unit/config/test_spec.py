"""What a meeting is run by is frozen, complete, and survives JSON."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from streamer.config.loader import load
from streamer.config.models import Configuration, ProgrammeOverrides, Source, SourceKind
from streamer.config.spec import MeetingSpec, freeze
from streamer.config.values import format_duration, parse_duration
from streamer.domain.errors import BadInput, NotFound
from streamer.domain.meeting import Meeting, Names, instant

Write = Callable[..., Path]

START = instant("2027-02-19T10:00", "Asia/Almaty")
MEETING = Meeting(
    id="2027-02-19-abai-k3f9",
    region="abai",
    title=Names(kk="Әкімнің есебі", ru="Отчёт акима"),
    starts_at=START,
    ends_at=START + timedelta(hours=2),
    zone="Asia/Almaty",
    wall_start="2027-02-19T10:00",
    destinations=("vk", "youtube"),
    speaker="Аким",
    hall="main",
    overrun=timedelta(minutes=90),
)


@pytest.fixture
def configuration(write: Write) -> Configuration:
    return load(write(), {})


def spec_of(configuration: Configuration, meeting: Meeting = MEETING) -> MeetingSpec:
    return freeze(configuration.service, configuration.region(meeting.region), meeting)


def test_freeze(configuration: Configuration) -> None:
    spec = spec_of(configuration)
    assert spec.title.in_language("en") == "Әкімнің есебі"
    assert spec.region_names.ru == "область Абай"
    assert spec.hall_names is not None
    assert [source.port for source in spec.sources] == [9001]
    # VK is chosen, but not enabled.
    assert [one.id for one in spec.destinations] == ["youtube"]
    assert spec.starts_at == START
    assert spec.give_up_at == START + timedelta(hours=3, minutes=30)
    assert spec.schedule.overrun == timedelta(minutes=90)
    assert spec.schedule.off_air_slate == timedelta(seconds=10)
    assert spec.folder == configuration.service.home / "meetings" / MEETING.id
    assert spec.home.is_absolute()


def test_json_round_trip_keeps_everything(configuration: Configuration) -> None:
    spec = spec_of(configuration)
    again = MeetingSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert again.sha256 == spec.sha256
    assert again.starts_at.tzinfo == UTC
    assert '"overrun":"1h30m"' in spec.model_dump_json()
    assert '"starts_at":"2027-02-19T05:00:00Z"' in spec.model_dump_json()


@pytest.mark.parametrize(
    "source",
    [
        Source(kind=SourceKind.SRT, port=9001),
        Source(kind=SourceKind.RTMP, port=9001, key="env:K", host="127.0.0.1"),
        Source(kind=SourceKind.FILE, path=Path("/x.mp4")),
        Source(kind=SourceKind.TEST),
    ],
)
def test_json_round_trip_of_every_kind_of_source(source: Source) -> None:
    assert Source.model_validate_json(source.model_dump_json()) == source


def test_hash_is_of_the_content(configuration: Configuration) -> None:
    spec = spec_of(configuration)
    assert len(spec.sha256) == 64
    assert spec_of(configuration).sha256 == spec.sha256
    assert spec_of(configuration, replace(MEETING, speaker="Б")).sha256 != spec.sha256


def test_spec_is_frozen_and_holds_references_only(configuration: Configuration) -> None:
    spec = spec_of(configuration)
    with pytest.raises(ValidationError):
        spec.hall = "other"  # type: ignore[misc]
    assert spec.destinations[0].key == "env:ABAI_YOUTUBE_KEY"


def test_unknown_destination_and_hall_name_the_possible_ones(
    configuration: Configuration,
) -> None:
    with pytest.raises(BadInput, match="did you mean 'youtube'") as caught:
        spec_of(configuration, replace(MEETING, destinations=("youtub",)))
    assert caught.value.code == "unknown_destination"
    assert caught.value.tried["possible"] == ["youtube", "vk"]
    with pytest.raises(BadInput, match="possible: main") as caught:
        spec_of(configuration, replace(MEETING, hall="zal"))
    assert caught.value.code == "unknown_hall"


def test_unknown_region_names_the_nearest(configuration: Configuration) -> None:
    with pytest.raises(NotFound, match="did you mean 'abai'"):
        configuration.region("abay")


def test_no_hall_named_means_the_first_one(configuration: Configuration) -> None:
    assert spec_of(configuration, replace(MEETING, hall="")).hall == "main"


def test_region_without_halls_has_no_sources(configuration: Configuration) -> None:
    region = configuration.region("abai").model_copy(update={"halls": ()})
    spec = freeze(configuration.service, region, replace(MEETING, hall=""))
    assert (spec.hall, spec.hall_names, spec.sources) == ("", None, ())
    with pytest.raises(BadInput, match="none is configured"):
        freeze(configuration.service, region, MEETING)


def test_region_overrides_the_programme(configuration: Configuration) -> None:
    overrides = ProgrammeOverrides(width=1920, height=1080)
    region = configuration.region("abai").model_copy(update={"programme": overrides})
    programme = freeze(configuration.service, region, MEETING).programme
    assert (programme.width, programme.height, programme.fps) == (1920, 1080, 25)


def test_times_are_kept_in_utc(configuration: Configuration) -> None:
    spec = spec_of(configuration)
    raw = spec.model_dump(mode="json") | {"starts_at": "2027-02-19T10:00:00+05:00"}
    assert MeetingSpec.model_validate(raw).starts_at == datetime(2027, 2, 19, 5, tzinfo=UTC)
    with pytest.raises(ValidationError):
        MeetingSpec.model_validate(raw | {"starts_at": "2027-02-19T10:00:00"})


@pytest.mark.parametrize(
    ("text", "seconds", "again"),
    [("60m", 3600, "1h"), ("90s", 90, "1m30s"), ("1h30m", 5400, "1h30m"), ("0s", 0, "0s"),
     ("0.5s", 0.5, "0.5s"), ("36h", 129600, "36h"), ("1h0m2.25s", 3602.25, "1h2.25s")],
)  # fmt: skip
def test_durations(text: str, seconds: float, again: str) -> None:
    duration = parse_duration(text)
    assert duration == timedelta(seconds=seconds)
    assert format_duration(duration) == again
    assert parse_duration(again) == duration
