"""Meetings, what happened in them, people, the audit log and secrets."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _plans()
    _happenings()
    _people()
    _audit()


def downgrade() -> None:
    raise NotImplementedError("the first version has nothing before it")


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _instant(name: str, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _plans() -> None:
    op.create_table(
        "meeting",
        _text("id"), _text("region"), _text("title_kk"), _text("title_ru"), _text("title_en"),
        _instant("starts_at"), _instant("ends_at"), _instant("give_up_at"),
        _text("zone"), _text("wall_start"), _text("speaker"), _text("hall"),
        sa.Column("end_by_schedule", sa.Boolean, nullable=False),
        _text("state"),
        sa.Column("state_seq", sa.BigInteger, nullable=False),
        _text("reason"),
        sa.Column("prepare_before_s", sa.Double, nullable=False),
        sa.Column("line_up_before_s", sa.Double, nullable=False),
        sa.Column("overrun_s", sa.Double, nullable=False),
        _text("frozen", nullable=True), _text("frozen_sha256", nullable=True),
        _instant("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_meeting"),
    )
    op.create_index("ix_meeting_region_starts_at", "meeting", ["region", "starts_at"])
    op.create_index("ix_meeting_starts_at", "meeting", ["starts_at"])
    op.create_index("ix_meeting_state", "meeting", ["state"])
    op.create_table(
        "meeting_destination",
        _text("meeting"), _text("destination"),
        sa.Column("position", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting"], ["meeting.id"], name="fk_meeting_destination_meeting", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("meeting", "destination", name="pk_meeting_destination"),
    )
    op.create_index("ix_meeting_destination_destination", "meeting_destination", ["destination"])


def _happenings() -> None:
    op.create_table(
        "event",
        _text("meeting"),
        sa.Column("seq", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        _text("name"), _text("data"), _text("leg", nullable=True),
        sa.PrimaryKeyConstraint("meeting", "seq", name="pk_event"),
    )
    op.create_index("ix_event_meeting_leg_seq", "event", ["meeting", "leg", "seq"])
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer, nullable=False),
        _text("meeting"), _text("leg"), _text("destination"), _text("target"),
        sa.Column("backup", sa.Boolean, nullable=False),
        sa.Column("opened_seq", sa.BigInteger), sa.Column("opened_at", sa.Double),
        sa.Column("closed_seq", sa.BigInteger), sa.Column("closed_at", sa.Double),
        sa.Column("bytes", sa.BigInteger), sa.Column("seconds", sa.Double),
        _text("reason"), _text("act"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
    )
    op.create_index("ix_delivery_meeting_leg", "delivery", ["meeting", "leg"])
    op.create_table(
        "recording_part",
        _text("meeting"), _text("recorder"),
        sa.Column("part", sa.Integer, autoincrement=False, nullable=False),
        _text("leg"), _text("path"),
        sa.Column("programme_s", sa.Double), sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double), sa.Column("bytes", sa.BigInteger),
        _text("reason"),
        sa.PrimaryKeyConstraint("meeting", "recorder", "part", name="pk_recording_part"),
    )
    op.create_table(
        "package",
        _text("meeting"),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("sealed_at", sa.Double, nullable=False),
        _text("path"),
        sa.Column("files", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        _text("manifest_sha256"),
        sa.PrimaryKeyConstraint("meeting", name="pk_package"),
    )


def _people() -> None:
    op.create_table(
        "user",
        _text("name"), _text("password_hash"), _text("role"), _text("region", nullable=True),
        _instant("created_at"), _text("created_by"),
        sa.PrimaryKeyConstraint("name", name="pk_user"),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer, nullable=False),
        _text("name"), _text("role"), _text("sha256"),
        _instant("created_at"), _text("created_by"),
        _instant("revoked_at", nullable=True), _text("revoked_by", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("sha256", name="uq_api_token_sha256"),
    )
    op.create_table(
        "secret",
        _text("name"), sa.Column("value", sa.LargeBinary, nullable=False),
        _instant("changed_at"), _text("changed_by"),
        sa.PrimaryKeyConstraint("name", name="pk_secret"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        _instant("at"),
        _text("who"), _text("what"), _text("detail"), _text("prev_hash"), _text("hash"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    # The chain of hashes shows a change; these refuse it to everybody who only has our code.
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit"
                " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
    )
