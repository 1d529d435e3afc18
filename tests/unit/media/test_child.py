"""One child: its last words, its end, and that it does not outlive us."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from streamer.domain.errors import Unavailable
from streamer.media.child import STDERR_LINES, Child, read_lines, secret_fd
from streamer.media.pipes import close, pipe


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def of_process(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


async def until_dead(pid: int) -> None:
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.02)


async def ends(child: Child) -> int:
    async with asyncio.timeout(10):
        return await child.wait()


OWNER = """
import asyncio, signal
from streamer.media.child import Child
async def main():
    how = [signal.SIGKILL, None]
    children = [await Child.start("x", ["sleep", "60"], orphaned=signal) for signal in how]
    print(*(child.pid for child in children), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_children_die_with_a_parent_that_is_killed() -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    async with asyncio.timeout(20):
        dies, outlives = map(int, (await owner.stdout.readline()).split())
    try:
        os.kill(owner.pid, signal.SIGKILL)
        await owner.wait()
        await until_dead(dies)
        assert alive(outlives)  # it ends at the end of its input, in its own time
    finally:
        os.kill(outlives, signal.SIGKILL)


async def test_last_words_are_kept_and_cleaned() -> None:
    heard: list[str] = []
    child = await Child.start(
        "x", ["sh", "-c", "for n in $(seq 100); do echo key $n >&2; done; exit 3"],
        clean=lambda line: line.replace("key", "***"), on_line=heard.append,
    )  # fmt: skip
    assert await ends(child) == 3
    assert child.last_words.splitlines() == [f"*** {n}" for n in range(61, 101)]
    assert len(child.stderr) == STDERR_LINES
    assert len(heard) == 100
    assert child.cause == "*** 61"


async def test_without_words_the_exit_code_is_the_cause() -> None:
    child = await Child.start("x", ["sh", "-c", "exit 7"])
    await ends(child)
    assert child.cause == "ended with 7"


async def test_a_line_without_end_is_no_harm() -> None:
    child = await Child.start(
        "x", ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2"]
    )
    assert await ends(child) == 0
    assert child.stderr[-1].endswith("last")


async def test_a_child_that_ignores_signals_is_killed() -> None:
    child = await Child.start(
        "x", [sys.executable, "-c",
              "import signal, time, sys\n"
              "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
              "print('ready', file=sys.stderr, flush=True)\n"
              "time.sleep(60)\n"],
    )  # fmt: skip
    async with asyncio.timeout(10):
        while not child.stderr:  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.02)
        code = await child.stop(((signal.SIGINT, 0.1), (signal.SIGKILL, 5.0)))
    assert code == -signal.SIGKILL
    assert await child.stop() == -signal.SIGKILL


async def test_a_grandchild_that_keeps_the_pipe_open_is_not_waited_for() -> None:
    child = await Child.start("x", ["sh", "-c", "sleep 30 & echo $! >&2; exit 1"])
    async with asyncio.timeout(8):
        assert await child.wait() == 1
    os.kill(int(child.stderr[0]), signal.SIGKILL)


async def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(Unavailable, match="'no-such-program' is not installed"):
        await Child.start("x", ["no-such-program"])


async def test_a_secret_on_a_descriptor_stands_nowhere_else() -> None:
    fd = secret_fd("canary-key-1")
    script = f"cat /dev/fd/{fd} >&2; echo >&2; exec sleep 30"
    child = await Child.start("x", ["sh", "-c", script], pass_fds=(fd,))
    close(fd)
    try:
        async with asyncio.timeout(10):
            while not child.stderr:  # noqa: ASYNC110 - another process is watched
                await asyncio.sleep(0.02)
        assert child.last_words == "canary-key-1"
        for name in ("cmdline", "environ"):
            assert b"canary-key-1" not in of_process(child.pid, name)
    finally:
        await child.kill()


async def test_lines_of_a_pipe_until_its_end() -> None:
    reading, writing = pipe()
    lines: list[bytes] = []
    task = asyncio.create_task(read_lines(os.fdopen(reading, "rb"), lines.append), name="lines")
    os.write(writing, b"one\ntw")
    os.write(writing, b"o\nthree")
    close(writing)
    async with asyncio.timeout(5):
        await task
    assert lines == [b"one\n", b"two\n", b"three"]


def test_descriptors_are_closed_once_and_twice() -> None:
    reading, writing = pipe()
    close(reading, writing)
    close(reading, writing)


async def test_a_stop_that_is_cancelled_leaves_no_child_behind() -> None:
    """A leg that was stopped while it cleaned up left its decoder running."""
    ready = asyncio.Event()
    child = await Child.start(
        "deaf", ["sh", "-c", "trap '' INT; echo deaf >&2; while :; do sleep 0.1; done"],
        on_line=lambda line: ready.set(),
    )  # fmt: skip
    async with asyncio.timeout(5):
        await ready.wait()
    stopping = asyncio.create_task(
        child.stop(((signal.SIGINT, 0.3), (signal.SIGKILL, 5.0))), name="stopping"
    )
    await asyncio.sleep(0)  # it has sent the first signal and waits
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert child.returncode == -signal.SIGKILL
