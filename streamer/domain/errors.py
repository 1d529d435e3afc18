"""Errors that say who must act.

Every error that reaches a person is a `StreamerError`: a stable code (which the pages translate),
the values that were tried, and who has to do something about it.
"""

from enum import StrEnum
from typing import Any


class Act(StrEnum):
    """Who must act before it works again."""

    WAIT = "wait"
    """Nobody: the service tries again by itself."""
    SIGN_IN = "sign_in"
    """A person must sign in to the account again, or type a new key."""
    CORRECT_SETTING = "correct_setting"
    """A person must correct what was typed or configured."""
    CALL_US = "call_us"
    """A fault of ours: call the people who run the service."""


class StreamerError(Exception):
    """Something went wrong; the docstring of each subclass is its default message."""

    act: Act = Act.CALL_US

    def __init__(
        self, message: str | None = None, *, code: str | None = None, **tried: Any
    ) -> None:
        self.code = code or _snake(type(self).__name__)
        self.message = message or " ".join((type(self).__doc__ or self.code).split())
        self.tried = tried
        super().__init__(self.message)

    def as_dict(self) -> dict[str, Any]:
        """The error as the API and the journal show it. Never contains a secret."""
        return {
            "code": self.code, "message": self.message, "act": str(self.act), "tried": self.tried,
        }  # fmt: skip


class NotAllowed(StreamerError):
    """The command is not possible in the present state."""

    act = Act.CORRECT_SETTING


class BadInput(StreamerError):
    """What was given cannot be used."""

    act = Act.CORRECT_SETTING


class NotFound(StreamerError):
    """There is nothing by this name."""

    act = Act.CORRECT_SETTING


class Unavailable(StreamerError):
    """A part of the service cannot be reached just now; it is tried again."""

    act = Act.WAIT


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
