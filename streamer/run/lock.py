"""The lock of a meeting's folder: one run per meeting and machine."""

from __future__ import annotations

import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import IO

EXIT_BUSY = 75
"""How a run ends when another run has the meeting (EX_TEMPFAIL): the worker tries again later."""


def hold(folder: Path) -> IO[str] | None:
    """The lock of `folder`, or None when another run on this machine holds it. Blocking.

    The kernel gives it back at the very moment a run dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / "run.lock", "a+")  # noqa: SIM115  held for the life of the process
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    file.truncate(0)
    file.write(f"{socket.gethostname()} {os.getpid()}")
    file.flush()
    return file


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has a meeting. `pid` says something on its own `host` only."""

    host: str
    pid: int

    @property
    def here(self) -> bool:
        return self.host == socket.gethostname()


def holder(folder: Path) -> Holder | None:
    """Who holds the lock of `folder`; None when nobody does. Blocking."""
    try:
        with open(folder / "run.lock", "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                host, _, pid = file.read().partition(" ")
                return Holder(host, int(pid))
    except (OSError, ValueError):
        return None
    return None
