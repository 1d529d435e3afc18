"""Small parts of `streamer up`."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.control import up
from streamer.control.services import Service
from streamer.domain.errors import BadInput


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"), ("0.0.0.0", "http://127.0.0.1:8080"),
        ("192.0.2.7", "http://192.0.2.7:8080"), ("localhost", "http://localhost:8080"),
        ("::", "http://[::1]:8080"), ("2001:db8::7", "http://[2001:db8::7]:8080"),
    ],
)  # fmt: skip
def test_pages_are_asked_for_where_they_are_served(host: str, url: str) -> None:
    assert up.base_url(host, 8080) == url


def test_a_home_belongs_to_one_service(tmp_path: Path) -> None:
    """Two of them on different ports took each other's Redis away."""
    with up.lock(tmp_path):
        with pytest.raises(BadInput) as refused:
            up.lock(tmp_path)
        assert str(tmp_path) in refused.value.message
    up.lock(tmp_path).close()


async def never() -> bool:
    return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_part_runs_without_its_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that was read-only ended the keeper of the part, and `up` with exit code 0."""
    argv = [sys.executable, "-c", "import sys; print('said', file=sys.stderr); sys.exit(3)"]
    service = Service("part", argv, tmp_path / "gone" / "part.log", {}, never)
    task = asyncio.create_task(service.run(), name="part")
    await until(lambda: service.starts >= 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "said" in capfd.readouterr().err
    assert "logs to stderr" in caplog.text


async def test_a_log_on_a_full_disk_does_not_silence_the_part(
    capfd: pytest.CaptureFixture[str],
) -> None:
    argv = [sys.executable, "-c", "import sys\nfor n in range(3): print(n, file=sys.stderr)"]
    service = Service("part", argv, Path("/dev/full"), {}, never)
    assert await service._once() == 0
    assert capfd.readouterr().err.split() == ["0", "1", "2"]


async def test_a_part_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    service = Service("part", ["no-such-program"], tmp_path / "part.log", {}, never)
    task = asyncio.create_task(service.run(), name="part")
    await until(lambda: service.starts >= 2)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


RUN = """
import pathlib, sys, time
from streamer.run.lock import hold
held = hold(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


async def test_a_run_that_is_stopped_is_not_started_again(tmp_path: Path) -> None:
    """Ctrl+C in the demonstration left a live run behind: the worker had a spare at hand."""
    folder = tmp_path / "meetings" / "m1"
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert run.stdout is not None
    async with asyncio.timeout(20):
        assert await run.stdout.readline() == b"held\n"
    started_again = []

    async def worker() -> None:
        await run.wait()
        started_again.append("m1")

    task = asyncio.create_task(worker(), name="worker")
    await up.Everything(tmp_path, "", "", {}, {"worker": task}).stop_runs()
    async with asyncio.timeout(10):
        assert await run.wait() != 0
    assert task.cancelled()
    assert not started_again
