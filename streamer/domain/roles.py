"""Who may do what."""

from enum import StrEnum


class Role(StrEnum):
    """What a user or a token is for."""

    TECHNICIAN = "technician"
    SITE_TECHNICIAN = "site_technician"
    DIRECTOR = "director"
    MODERATOR = "moderator"
    PRESS_OFFICER = "press_officer"
    REPORTER = "reporter"
    ARCHIVIST = "archivist"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Right(StrEnum):
    """One thing that needs permission."""

    VIEW = "view"
    """See meetings, their legs, and their recordings before publication."""
    PLAN = "plan"
    """Create, change, postpone and cancel meetings."""
    RUN = "run"
    """Send the commands of a live meeting."""
    ADMINISTER = "administer"
    """Tokens, users, secrets."""


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.TECHNICIAN: frozenset({Right.VIEW, Right.PLAN, Right.RUN}),
    Role.SITE_TECHNICIAN: frozenset({Right.VIEW}),
    Role.DIRECTOR: frozenset({Right.VIEW, Right.PLAN, Right.RUN}),
    Role.MODERATOR: frozenset({Right.VIEW}),
    Role.PRESS_OFFICER: frozenset({Right.VIEW, Right.PLAN}),
    Role.REPORTER: frozenset(),
    Role.ARCHIVIST: frozenset({Right.VIEW}),
    Role.ADMINISTRATOR: frozenset(Right),
    Role.AUDITOR: frozenset({Right.VIEW}),
}


def may(role: Role, right: Right) -> bool:
    return right in RIGHTS[role]
