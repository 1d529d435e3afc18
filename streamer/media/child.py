"""One child process: started, its stderr always read, stopped by a ladder with deadlines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import IO

from streamer.domain.errors import Unavailable

STDERR_LINES = 40
"""Last lines of stderr that are kept for the technician."""
LADDER: tuple[tuple[signal.Signals, float], ...] = (
    (signal.SIGINT, 1.5),
    (signal.SIGINT, 1.5),
    (signal.SIGKILL, 5.0),
)
"""Signal and seconds to wait after it. ffmpeg ignores the first signal while an output stalls."""


class Child:
    """A running child. Create it with `Child.start`.

    When the process that started it dies, the kernel sends the child `orphaned`
    (`setpriv --pdeathsig`). None: it ends by itself, at the end of its input.
    """

    def __init__(
        self,
        name: str,
        process: asyncio.subprocess.Process,
        clean: Callable[[str], str],
        stderr: IO[bytes],
    ) -> None:
        self.name = name
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._process = process
        self._clean = clean
        self._on_line: Callable[[str], object] | None = None
        self._reader = asyncio.create_task(self._read_stderr(stderr), name=f"{name} stderr")

    @classmethod
    async def start(
        cls,
        name: str,
        argv: Sequence[str],
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        pass_fds: Iterable[int] = (),
        clean: Callable[[str], str] = str,
        on_line: Callable[[str], object] | None = None,
        orphaned: signal.Signals | None = signal.SIGKILL,
        cwd: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> Child:
        """Start `argv`. `clean` masks secrets in every line of stderr before anybody sees it.

        Raises Unavailable when the program is not installed.
        """
        name_of = orphaned.name.removeprefix("SIG") if orphaned else ""
        guard = ["setpriv", "--pdeathsig", name_of, "--"] if orphaned else []
        if shutil.which(argv[0]) is None:
            raise Unavailable(f"the program '{argv[0]}' is not installed", code="program_missing")
        # A pipe of our own: with asyncio's, `wait` would wait for a grandchild that keeps it open.
        reading, writing = os.pipe()
        words = os.fdopen(reading, "rb", buffering=0)
        try:
            process = await asyncio.create_subprocess_exec(
                *guard,
                *argv,
                stdin=stdin if stdin is not None else asyncio.subprocess.DEVNULL,
                stdout=stdout if stdout is not None else asyncio.subprocess.DEVNULL,
                stderr=writing,
                pass_fds=tuple(pass_fds),
                cwd=cwd,
                env=environment,
                # A Ctrl+C in the terminal is for us; children are stopped in our order.
                start_new_session=True,
            )
        except BaseException:
            words.close()
            raise
        finally:
            os.close(writing)
        child = cls(name, process, clean, words)
        child._on_line = on_line
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def last_words(self) -> str:
        """The last lines of stderr, redacted."""
        return "\n".join(self.stderr)

    @property
    def cause(self) -> str:
        """Why it ended, in one line: what it said first of its last words, else its exit code.

        ffmpeg names the cause first and its consequences after that.
        """
        if not self.stderr:
            return f"ended with {self.returncode}"
        return re.sub(r"^\[[^\]]* @ 0x[0-9a-f]+\] ", "", self.stderr[0])

    async def wait(self) -> int:
        """Wait for the end (no deadline: a live leg may run for hours) and for its last words."""
        code = await self._process.wait()
        await self._finish_stderr()
        return code

    async def stop(self, ladder: Sequence[tuple[signal.Signals, float]] = LADDER) -> int:
        """Climb the ladder until the child has ended; returns its exit code.

        Who is cancelled meanwhile waits for the top of the ladder (bounded by it) before he goes: a
        leg that was stopped while it cleaned up left its decoder running.
        """
        climbing = asyncio.create_task(self._climb(ladder), name=f"{self.name} stop")
        try:
            return await asyncio.shield(climbing)
        except asyncio.CancelledError:
            await asyncio.wait({climbing})
            raise

    async def _climb(self, ladder: Sequence[tuple[signal.Signals, float]]) -> int:
        for number, seconds in ladder:
            if self._process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._process.wait()
        await self._finish_stderr()
        return self._process.returncode if self._process.returncode is not None else -9

    async def kill(self) -> int:
        return await self.stop(((signal.SIGKILL, 5.0),))

    async def _finish_stderr(self) -> None:
        # A grandchild may keep the pipe open: the last words get two seconds, not for ever.
        done, _ = await asyncio.wait({self._reader}, timeout=2.0)
        if not done:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read_stderr(self, pipe: IO[bytes]) -> None:
        reader, transport = await _connect(pipe)
        try:
            while True:
                try:
                    # ffmpeg ends status lines with CR; they are never asked for (-nostats).
                    raw = await reader.readline()
                except ValueError:  # longer than the limit: its rest is read as the next line
                    continue
                if not raw:
                    return
                line = self._clean(raw.decode(errors="replace").rstrip())
                if line:
                    self.stderr.append(line)
                    if self._on_line:
                        self._on_line(line)
        finally:
            transport.close()


def secret_fd(text: str, name: str = "target") -> int:
    """An inheritable descriptor from which a child reads `text` once, from the beginning.

    A secret handed over like this stands in no argv, no environment and no file.
    """
    fd = os.memfd_create(name, 0)
    os.write(fd, text.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


async def read_lines(stream: IO[bytes], on_line: Callable[[bytes], None]) -> None:
    """Read lines of a child's pipe on the loop until its end."""
    reader, transport = await _connect(stream)
    try:
        while line := await reader.readline():
            on_line(line)
    finally:
        transport.close()


async def _connect(pipe: IO[bytes]) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=1 << 20)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader, transport
