"""Watches from outside what the demonstration has to prove: bytes at accounts, keys in `ps`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from streamer.demo.accounts import Account

EVERY_S = 0.05
HEADER_BYTES = 2_000
"""A recording larger than this holds a picture, not only headers."""


@dataclass(slots=True)
class Arrivals:
    """When each recording of each account began to grow, POSIX seconds."""

    accounts: dict[str, Account]
    first_bytes: dict[str, list[float]] = field(default_factory=dict)
    _seen: set[Path] = field(default_factory=set)

    async def run(self) -> None:
        """Look at the accounts' folders until cancelled."""
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(EVERY_S)

    def after(self, account: str, at: float) -> float | None:
        """When the first recording after `at` had a picture; None when none has."""
        later = [moment for moment in self.first_bytes.get(account, []) if moment > at]
        return min(later, default=None)

    def _look(self) -> None:
        for name, account in self.accounts.items():
            for path in account.recordings():
                if path not in self._seen and path.stat().st_size > HEADER_BYTES:
                    self._seen.add(path)
                    self.first_bytes.setdefault(name, []).append(time.time())


@dataclass(slots=True)
class KeyHunt:
    """Looks for keys where they must not be: command lines while it plays, files at the end."""

    canaries: tuple[str, ...]
    found: set[str] = field(default_factory=set)
    command_lines: int = 0
    files: int = 0

    async def run(self, hall_pid: Callable[[], int | None]) -> None:
        """Look at every command line four times a second until cancelled.

        The hall's encoder stands for another house's device; its own argv is its own affair.
        """
        while True:
            await asyncio.to_thread(self._look, hall_pid)
            await asyncio.sleep(0.25)

    def _look(self, hall_pid: Callable[[], int | None]) -> None:
        innocent = hall_pid()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == innocent:
                continue
            try:
                argv = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            self.command_lines += 1
            for canary in self.canaries:
                if canary.encode() in argv and b"lavfi" not in argv:
                    self.found.add(f"argv of {argv.split(bytes(1))[0].decode(errors='replace')}")

    def search_files(self, folder: Path, *, leave_out: tuple[Path, ...] = ()) -> None:
        """Look through every file under `folder` for a key. Blocking."""
        for path in folder.rglob("*"):
            if not path.is_file() or any(path.is_relative_to(other) for other in leave_out):
                continue
            self.files += 1
            data = path.read_bytes()
            for canary in self.canaries:
                if canary.encode() in data:
                    self.found.add(str(path))

    def search_text(self, where: str, text: str) -> None:
        for canary in self.canaries:
            if canary in text:
                self.found.add(where)
