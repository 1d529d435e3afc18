"""What the records give back. Instants are aware UTC; `*_at` floats are POSIX seconds UTC."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamer.domain.roles import Role


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One interval in which a relay was connected to its destination.

    `closed_at` None: still connected, or (when a later interval of the leg exists) the end was
    never told. `opened_at` None: only the end was told, without how long it lasted.
    """

    meeting: str
    leg: str
    destination: str
    target: str
    """Redacted address."""
    backup: bool
    opened_at: float | None
    closed_at: float | None
    bytes: int | None
    seconds: float | None
    reason: str
    act: str


@dataclass(frozen=True, slots=True)
class PartRow:
    """One unbroken piece of one recorder; `finished_at` None while it grows (or was killed)."""

    meeting: str
    recorder: str
    part: int
    leg: str
    path: str
    """Relative to the meeting's folder."""
    programme_s: float | None
    started_at: float | None
    finished_at: float | None
    bytes: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class PackageRow:
    meeting: str
    sealed_at: float
    path: str
    files: int
    bytes: int
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token of the API without the token itself."""

    id: int
    name: str
    role: Role
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    revoked_by: str | None


@dataclass(frozen=True, slots=True)
class UserRow:
    """A person who may sign in; `region` None means every region."""

    name: str
    role: Role
    region: str | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    id: int
    at: datetime
    who: str
    what: str
    detail: dict[str, Any]
    hash: str
