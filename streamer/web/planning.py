"""From what a person typed to a meeting's plan; every refusal names the field and what is right."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from streamer.config.models import Configuration, RegionConfig
from streamer.domain.errors import BadInput
from streamer.domain.meeting import Meeting, Names, check_plan, instant
from streamer.web.models import PatchBody, PlanBody

BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def plan(body: PlanBody, configuration: Configuration, now: datetime) -> Meeting:
    """The meeting that `body` describes, with a fresh id. BadInput names the field."""
    region = region_of(body.region, configuration)
    starts_at, ends_at = _times(body.starts, body.ends, region.time_zone)
    schedule = configuration.service.schedule
    _check_times(starts_at, ends_at, now)
    by_schedule = body.end_by_schedule
    return Meeting(
        id=new_id(body.starts[:10], region.slug),
        region=region.slug,
        title=Names(body.title.kk, body.title.ru, body.title.en),
        starts_at=starts_at,
        ends_at=ends_at,
        zone=region.time_zone,
        wall_start=body.starts,
        destinations=_destinations(body.destinations, region),
        speaker=body.speaker,
        hall=_hall(body.hall, region),
        end_by_schedule=schedule.end_by_schedule if by_schedule is None else by_schedule,
        prepare_before=schedule.prepare_before,
        line_up_before=schedule.line_up_before,
        overrun=schedule.overrun,
    )


def changed(
    meeting: Meeting, body: PatchBody, configuration: Configuration, now: datetime
) -> Meeting:
    """`meeting` with the changes of `body`. BadInput names the field."""
    region = region_of(meeting.region, configuration)
    wall = body.starts if body.starts is not None else meeting.wall_start
    length = int((meeting.ends_at - meeting.starts_at).total_seconds() / 60)
    ends: str | int
    ends = body.ends if body.ends is not None else length
    starts_at, ends_at = _times(wall, ends, region.time_zone)
    if body.starts is not None or body.ends is not None:
        _check_times(starts_at, ends_at, now)
    title = body.title
    return replace(
        meeting,
        title=Names(title.kk, title.ru, title.en) if title else meeting.title,
        starts_at=starts_at,
        ends_at=ends_at,
        zone=region.time_zone,
        wall_start=wall,
        destinations=(
            meeting.destinations if body.destinations is None
            else _destinations(body.destinations, region)
        ),
        hall=meeting.hall if body.hall is None else _hall(body.hall, region),
        speaker=meeting.speaker if body.speaker is None else body.speaker,
        end_by_schedule=(
            meeting.end_by_schedule if body.end_by_schedule is None else body.end_by_schedule
        ),
    )  # fmt: skip


def region_of(slug: str, configuration: Configuration) -> RegionConfig:
    """The region `slug`; BadInput with the nearest names when there is none."""
    found = configuration.regions.get(slug)
    if found is not None:
        return found
    names: dict[str, str] = {}
    for region in configuration.regions.values():
        for name in (region.slug, region.names.kk, region.names.ru, region.names.en):
            if name:
                names[name.lower()] = region.slug
    near = difflib.get_close_matches(slug.lower(), names, n=6, cutoff=0.5)
    nearest = list(dict.fromkeys(names[name] for name in near))[:3]
    known = nearest or sorted(configuration.regions)[:20]
    raise BadInput(
        f"region: there is no region '{slug}'; "
        + (f"did you mean {', '.join(nearest)}?" if nearest else f"known: {', '.join(known)}"),
        code="unknown_region", field="region", region=slug, nearest=known,
    )  # fmt: skip


def new_id(local_date: str, slug: str) -> str:
    """An id such as 2027-02-19-abai-k3f9: it sorts by date and can be read out on the telephone."""
    return f"{local_date}-{slug}-{''.join(secrets.choice(BASE32) for _ in range(4))}"


def _times(starts: str, ends: str | int, zone: str) -> tuple[datetime, datetime]:
    with _field("starts"):
        starts_at = instant(starts, zone)
    if isinstance(ends, int) or ends.isdigit():
        minutes = int(ends)
        if not 1 <= minutes <= 24 * 60:
            raise BadInput(
                f"ends: {minutes} minutes is not possible; give 1 to 1440, or a time",
                code="end_before_start" if minutes < 1 else "too_long", field="ends", ends=minutes,
            )  # fmt: skip
        return starts_at, starts_at + timedelta(minutes=minutes)
    with _field("ends"):
        ends_at = instant(ends, zone)
        check_plan(starts_at, ends_at)
    return starts_at, ends_at


def _check_times(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    with _field("ends"):
        check_plan(starts_at, ends_at)
    if ends_at <= now:
        raise BadInput(
            "starts: the meeting would be over already; check the year and the time",
            code="in_the_past", field="starts", ends_at=ends_at.astimezone(UTC).isoformat(),
        )  # fmt: skip


def _destinations(wanted: list[str] | None, region: RegionConfig) -> tuple[str, ...]:
    enabled = [one.id for one in region.destinations if one.enabled]
    if wanted is None:
        return tuple(enabled)
    every = {one.id for one in region.destinations}
    for index, name in enumerate(wanted):
        if name in enabled:
            continue
        code = "destination_disabled" if name in every else "unknown_destination"
        wrong = "is switched off in the region's file" if name in every else "is not known"
        raise BadInput(
            f"destinations[{index}]: '{name}' {wrong};"
            f" possible for {region.slug}: {', '.join(enabled) or 'none'}",
            code=code, field=f"destinations[{index}]", destination=name, possible=enabled,
        )  # fmt: skip
    return tuple(dict.fromkeys(wanted))


def _hall(wanted: str, region: RegionConfig) -> str:
    halls = [hall.id for hall in region.halls]
    if not wanted:
        return halls[0] if halls else ""
    if wanted not in halls:
        raise BadInput(
            f"hall: '{wanted}' is not a hall of {region.slug}; possible: {', '.join(halls)}",
            code="unknown_hall", field="hall", hall=wanted, possible=halls,
        )  # fmt: skip
    return wanted


@contextmanager
def _field(name: str) -> Iterator[None]:
    """Name the field in a BadInput that the domain raised."""
    try:
        yield
    except BadInput as error:
        raise BadInput(
            f"{name}: {error.message}", code=error.code, **{**error.tried, "field": name}
        ) from None


def local_date(meeting: Meeting) -> str:
    """The local date of the meeting, ISO."""
    return meeting.starts_at.astimezone(ZoneInfo(meeting.zone)).date().isoformat()
