"""The tables, and the types both databases understand in the same way."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An instant: aware on the way in and out, stored as UTC, also where SQL has no zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _word(name: str, **more: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **more)


meeting = sa.Table(
    "meeting", metadata,
    _word("id", primary_key=True),
    _word("region"),
    _word("title_kk"),
    _word("title_ru"),
    _word("title_en"),
    sa.Column("starts_at", UtcTime, nullable=False, index=True),
    sa.Column("ends_at", UtcTime, nullable=False),
    # Kept beside what it follows from, so that an overlap can be asked for in SQL.
    sa.Column("give_up_at", UtcTime, nullable=False),
    _word("zone"),
    _word("wall_start"),
    _word("speaker"),
    _word("hall"),
    sa.Column("end_by_schedule", sa.Boolean, nullable=False),
    _word("state"),
    # seq of the newest event that set the state: an older one that comes late changes nothing.
    sa.Column("state_seq", sa.BigInteger, nullable=False, default=-1),
    _word("reason"),
    sa.Column("prepare_before_s", sa.Double, nullable=False),
    sa.Column("line_up_before_s", sa.Double, nullable=False),
    sa.Column("overrun_s", sa.Double, nullable=False),
    sa.Column("frozen", sa.Text),
    sa.Column("frozen_sha256", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index(None, "region", "starts_at"),
    sa.Index(None, "state"),
)  # fmt: skip

meeting_destination = sa.Table(
    "meeting_destination", metadata,
    sa.Column(
        "meeting", sa.Text, sa.ForeignKey("meeting.id", ondelete="CASCADE"), primary_key=True
    ),
    _word("destination", primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Index(None, "destination"),
)  # fmt: skip

# The tables below are filled from events. They have no foreign key to `meeting`: what happened is
# kept even when the plan it belongs to is not in this database.
event = sa.Table(
    "event", metadata,
    _word("meeting", primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Double, nullable=False),
    _word("name"),
    # Text, not JSON: it is never searched, and a NUL from a child's error line would be refused.
    _word("data"),
    # Only of events about a leg; the intervals of a relay are found by it.
    sa.Column("leg", sa.Text),
    sa.Index(None, "meeting", "leg", "seq"),
)  # fmt: skip

delivery = sa.Table(
    "delivery", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _word("meeting"),
    _word("leg"),
    _word("destination"),
    _word("target"),
    sa.Column("backup", sa.Boolean, nullable=False),
    sa.Column("opened_seq", sa.BigInteger),
    sa.Column("opened_at", sa.Double),
    sa.Column("closed_seq", sa.BigInteger),
    sa.Column("closed_at", sa.Double),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("seconds", sa.Double),
    _word("reason"),
    _word("act"),
    sa.Index(None, "meeting", "leg"),
)  # fmt: skip

recording_part = sa.Table(
    "recording_part", metadata,
    _word("meeting", primary_key=True),
    _word("recorder", primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    _word("leg"),
    _word("path"),
    sa.Column("programme_s", sa.Double),
    sa.Column("started_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Column("bytes", sa.BigInteger),
    _word("reason"),
)  # fmt: skip

package = sa.Table(
    "package", metadata,
    _word("meeting", primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("sealed_at", sa.Double, nullable=False),
    _word("path"),
    sa.Column("files", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    _word("manifest_sha256"),
)  # fmt: skip

user = sa.Table(
    "user", metadata,
    _word("name", primary_key=True),
    _word("password_hash"),
    _word("role"),
    sa.Column("region", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    _word("created_by"),
)  # fmt: skip

api_token = sa.Table(
    "api_token", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _word("name"),
    _word("role"),
    _word("sha256", unique=True),
    sa.Column("created_at", UtcTime, nullable=False),
    _word("created_by"),
    sa.Column("revoked_at", UtcTime),
    sa.Column("revoked_by", sa.Text),
)  # fmt: skip

audit = sa.Table(
    "audit", metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    _word("who"),
    _word("what"),
    _word("detail"),
    _word("prev_hash"),
    _word("hash"),
)  # fmt: skip

secret = sa.Table(
    "secret", metadata,
    _word("name", primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    _word("changed_by"),
)  # fmt: skip
