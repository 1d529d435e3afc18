"""From what was typed to a plan, without a server."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streamer.config.models import Configuration, RegionConfig, ServiceConfig
from streamer.domain.errors import BadInput
from streamer.web.models import PatchBody, PlanBody, validated
from streamer.web.planning import changed, new_id, plan

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def names(name: str) -> dict[str, str]:
    return {"kk": name, "ru": name}


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    regions = {
        slug: RegionConfig.model_validate({
            "slug": slug, "code": "100000000", "kind": "region", "names": names(name),
            "centre": names(name), "time_zone": "Asia/Almaty",
            "halls": [{"id": "main", "names": names("Зал")}],
        })
        for slug, name in (("abai", "Абай облысы"), ("almaty-city", "Алматы"), ("ulytau", "Ұлытау"))
    }  # fmt: skip
    return Configuration(ServiceConfig(home=tmp_path), regions)


def body(**change: Any) -> PlanBody:
    return validated(PlanBody, {
        "region": "abai", "title": names("Есеп"), "starts": "2027-02-19T10:00", "ends": 120,
        **change,
    })  # fmt: skip


def test_the_wall_time_is_the_promise(configuration: Configuration) -> None:
    meeting = plan(body(), configuration, NOW)
    assert meeting.starts_at == datetime(2027, 2, 19, 5, tzinfo=UTC)
    assert meeting.wall_start == "2027-02-19T10:00"
    assert meeting.hall == "main"
    assert meeting.prepare_before == configuration.service.schedule.prepare_before


@pytest.mark.parametrize("ends", [120, "120", "2027-02-19T12:00"])
def test_the_end_is_a_time_or_minutes(configuration: Configuration, ends: str | int) -> None:
    meeting = plan(body(ends=ends), configuration, NOW)
    assert meeting.ends_at == datetime(2027, 2, 19, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "nearest"), [("abia", "abai"), ("Алматы", "almaty-city"), ("ұлытау", "ulytau")]
)
def test_an_unknown_region_brings_the_nearest(
    configuration: Configuration, typed: str, nearest: str
) -> None:
    with pytest.raises(BadInput) as wrong:
        plan(body(region=typed), configuration, NOW)
    assert wrong.value.code == "unknown_region"
    assert nearest in wrong.value.tried["nearest"]
    assert f"did you mean {nearest}" in wrong.value.message


def test_a_new_start_keeps_the_length(configuration: Configuration) -> None:
    meeting = plan(body(ends=90), configuration, NOW)
    later = changed(meeting, PatchBody(starts="2027-03-01T15:30"), configuration, NOW)
    assert (later.ends_at - later.starts_at).total_seconds() == 90 * 60
    assert (later.id, later.title, later.wall_start) == (
        meeting.id, meeting.title, "2027-03-01T15:30",
    )  # fmt: skip


def test_a_word_of_a_past_plan_may_change_but_not_its_date(configuration: Configuration) -> None:
    meeting = plan(body(), configuration, NOW)
    after = datetime(2028, 1, 1, tzinfo=UTC)
    assert changed(meeting, PatchBody(speaker="x"), configuration, after).speaker == "x"
    with pytest.raises(BadInput, match="over already"):
        changed(meeting, PatchBody(ends=30), configuration, after)


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(BadInput) as wrong:
        validated(PlanBody, {"region": 7, "title": {"kk": ""}, "ends": [], "extra": 1})
    assert {"region", "title.kk", "title.ru", "starts", "ends", "extra"} == set(
        wrong.value.tried["fields"]
    )


def test_ids_can_be_read_out_and_differ() -> None:
    ids = {new_id("2027-02-19", "abai") for _ in range(50)}
    assert len(ids) > 45
    assert all(id_.startswith("2027-02-19-abai-") and len(id_) == 20 for id_ in ids)
