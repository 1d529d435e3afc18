"""Long-lived processes of the service under `streamer up`: started, watched, started again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamer.domain.errors import Unavailable
from streamer.media.child import Child

PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0)
GOOD_AFTER = 10.0
READY_S = 30.0
STARTS_ENOUGH = 3
NOT_STARTED = -1
STDERR = 2
STOP: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0))
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Service:
    """One process that must always be there. Its output goes to `log_file`."""

    name: str
    argv: Sequence[str]
    log_file: Path
    environment: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]]
    starts: int = 0
    child: Child | None = None
    _is_ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Keep the process going until cancelled."""
        failures = 0
        while True:
            began, code = time.monotonic(), NOT_STARTED
            try:
                code = await self._once()
            except (OSError, Unavailable) as error:
                log.error("%s cannot be started: %s", self.name, error)
            failures = 0 if time.monotonic() - began > GOOD_AFTER else failures + 1
            pause = PAUSES[min(failures, len(PAUSES)) - 1] if failures else 0.0
            log.warning("%s ended (%s); started again in %.1f s", self.name, code, pause)
            await asyncio.sleep(pause)

    async def wait_ready(self, seconds: float = READY_S) -> None:
        """Wait until it answers; Unavailable with its last words when it does not, or when it
        ended again and again."""
        try:
            async with asyncio.timeout(seconds):
                while not await self.ready():
                    if self.starts > STARTS_ENOUGH:
                        raise self._not_started(f"ended {STARTS_ENOUGH} times at its start")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise self._not_started(f"did not start within {seconds:.0f} s") from None

    def _not_started(self, how: str) -> Unavailable:
        return Unavailable(
            f"{self.name} {how}; its log {self.log_file} ends:\n{self.last_words()}",
            code="not_started", part=self.name,
        )  # fmt: skip

    def last_words(self, lines: int = 8) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
        return ""

    async def _once(self) -> int:
        self.starts += 1
        out = await asyncio.to_thread(self._open_log)
        try:
            self.child = await Child.start(
                self.name, self.argv, stdout=out, environment=dict(self.environment),
                on_line=lambda line: _write(out, f"{line}\n".encode()),
            )  # fmt: skip
            try:
                return await self.child.wait()
            finally:
                await self.child.stop(STOP)
        finally:
            os.close(out)

    def _open_log(self) -> int:
        """The log file, or our own stderr while the disk takes nothing. Blocking."""
        try:
            return os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        except OSError as error:
            log.error("%s logs to stderr: %s: %s", self.name, self.log_file, error.strerror)
            return os.dup(STDERR)


def _write(out: int, line: bytes) -> None:
    """A line for the log. A full disk takes it away, but never the one who reads the next line."""
    try:
        os.write(out, line)
    except OSError:
        with contextlib.suppress(OSError):
            os.write(STDERR, line)
