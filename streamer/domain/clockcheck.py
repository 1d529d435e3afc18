"""Refuse to work with time zones that are older than the law of 1 March 2024."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from streamer.domain.errors import Act, StreamerError


class OldTimeZones(StreamerError):
    """The time zone data of this machine is older than March 2024: every start would be wrong."""

    act = Act.CORRECT_SETTING


def check_time_zones(now: datetime | None = None) -> None:
    """Raise OldTimeZones unless Asia/Almaty is UTC+5 at `now`.

    All of Kazakhstan has been UTC+5 since 1 March 2024; tzdata 2024a is the first that knows.
    With an older one a meeting would start an hour early.
    """
    at = now or datetime.now(UTC)
    offset = at.astimezone(ZoneInfo("Asia/Almaty")).utcoffset()
    if offset != timedelta(hours=5):
        raise OldTimeZones(
            f"the time zone data says that Asia/Almaty is UTC{offset} today; it is UTC+5 since"
            " 1 March 2024: update the package tzdata to 2024a or newer",
            offset=str(offset),
        )
