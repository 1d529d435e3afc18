"""A meeting as it was planned, and the state it is in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streamer.domain.errors import BadInput


class MeetingState(StrEnum):
    """Where a meeting stands. What is true in each state is said here once."""

    PLANNED = "PLANNED"
    """It has a date; nothing runs."""
    POSTPONED = "POSTPONED"
    """Its date was taken away; a new date makes it PLANNED again."""
    CANCELLED = "CANCELLED"
    """It will not take place. Final."""
    PREPARING = "PREPARING"
    """Configuration is frozen into the meeting; keys are fetched; sites can join."""
    LINE_UP = "LINE_UP"
    """Programme and both recorders run; relays of previewable destinations are connected."""
    LIVE = "LIVE"
    """Public on every destination."""
    ENDING = "ENDING"
    """Slate and silence everywhere, outputs close, recorders close last."""
    ARCHIVED = "ARCHIVED"
    """The package is sealed, verified and indexed. Final."""

    @property
    def final(self) -> bool:
        return self in (MeetingState.CANCELLED, MeetingState.ARCHIVED)

    @property
    def running(self) -> bool:
        """True while a meeting run should exist for the meeting."""
        return self in (
            MeetingState.PREPARING, MeetingState.LINE_UP, MeetingState.LIVE, MeetingState.ENDING,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """One thing's name in the languages of the service; Kazakh and Russian are required."""

    kk: str
    ru: str
    en: str = ""

    def in_language(self, language: str) -> str:
        """The name in `language`, else in Kazakh, the state language."""
        return getattr(self, language, "") or self.kk


@dataclass(frozen=True, slots=True)
class Meeting:
    """The plan of one reporting meeting.

    `starts_at` and `ends_at` are UTC instants; `zone` and `wall_start` (ISO local time without
    offset) are what was announced: the wall time is the promise.
    """

    id: str
    region: str
    title: Names
    starts_at: datetime
    ends_at: datetime
    zone: str
    wall_start: str
    destinations: tuple[str, ...] = ()
    speaker: str = ""
    hall: str = ""
    end_by_schedule: bool = False
    state: MeetingState = MeetingState.PLANNED
    reason: str = ""
    prepare_before: timedelta = field(default=timedelta(minutes=60))
    line_up_before: timedelta = field(default=timedelta(minutes=30))
    overrun: timedelta = field(default=timedelta(minutes=60))

    @property
    def prepare_at(self) -> datetime:
        return self.starts_at - self.prepare_before

    @property
    def line_up_at(self) -> datetime:
        return self.starts_at - self.line_up_before

    @property
    def give_up_at(self) -> datetime:
        """Until then no destination is given up: planned end plus overrun."""
        return self.ends_at + self.overrun


def zone(name: str) -> ZoneInfo:
    """The IANA zone `name`; BadInput when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInput(
            f"'{name}' is not a time zone; use an IANA name such as Asia/Almaty",
            code="unknown_zone", zone=name,
        ) from None  # fmt: skip


def instant(wall: str, zone_name: str) -> datetime:
    """The UTC instant of a local wall time such as `2027-02-19T10:00`.

    Raises BadInput for a date that does not exist. A wall time that occurs twice (the hour before
    a change of offset) is taken as its first occurrence.
    """
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?", wall):
        raise BadInput(
            f"'{wall}' is not a date and time; write it as 2027-02-19T10:00",
            code="wrong_date", wall=wall,
        )  # fmt: skip
    try:
        local = datetime.fromisoformat(wall).replace(tzinfo=zone(zone_name))
    except ValueError as error:
        raise BadInput(
            f"'{wall}' is not a date that exists: {error}", code="wrong_date", wall=wall
        ) from None
    return local.astimezone(ZoneInfo("UTC"))


def check_plan(starts_at: datetime, ends_at: datetime) -> None:
    """Refuse a plan whose end is not after its start, or that lasts longer than a day."""
    if ends_at <= starts_at:
        raise BadInput(
            "the end is not after the start; correct one of the two",
            code="end_before_start", starts_at=starts_at.isoformat(), ends_at=ends_at.isoformat(),
        )  # fmt: skip
    if ends_at - starts_at > timedelta(hours=24):
        raise BadInput(
            "a meeting longer than 24 hours cannot be planned; check the date of the end",
            code="too_long", starts_at=starts_at.isoformat(), ends_at=ends_at.isoformat(),
        )  # fmt: skip
