"""The stand-in accounts, with a real ffmpeg and real nginx servers."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from streamer.demo.accounts import Account
from streamer.demo.measure import compare, frames, timestamps
from streamer.domain.errors import Unavailable
from streamer.media import ingest
from streamer.media.child import Child
from tests.standins.pushing import push

pytestmark = pytest.mark.component

KEY = "abcd-secret-key"


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    account = Account("youtube", tmp_path / "youtube", key=KEY)
    await account.start()
    yield account
    await account.stop()


async def until(reached: Callable[[], object], *, timeout: float = 8.0) -> None:
    async with asyncio.timeout(timeout):
        while not reached():  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.02)


async def ends(child: Child, *, within: float = 8.0) -> int:
    async with asyncio.timeout(within):
        return await child.wait()


async def test_every_frame_arrives_and_the_key_is_nowhere(
    account: Account, recording: Path
) -> None:
    async with push(recording, account.url, "-t", "3") as child:
        assert await ends(child) == 0, child.last_words
    await account.stop()
    (file,) = account.recordings()
    delivery = compare(frames(recording), [frames(file)])
    assert (delivery.received, delivery.lost, delivery.duplicated, delivery.foreign) == (
        75,
        0,
        0,
        0,
    )
    times = timestamps(file)
    assert times["video"].monotonic
    assert times["video"].largest_gap == pytest.approx(0.04, abs=0.002)
    assert [publish.accepted for publish in account.publishes] == [True]
    assert not any(KEY in path.name for path in file.parent.rglob("*"))


async def test_a_wrong_key_is_refused_and_noted(account: Account, recording: Path) -> None:
    async with push(recording, f"{account.address}/wrong") as child:
        assert await ends(child) != 0
    assert [publish.accepted for publish in account.publishes] == [False]
    assert account.recordings() == []


async def test_an_account_goes_away_and_comes_back(account: Account, recording: Path) -> None:
    port = account.port
    async with push(recording, account.url) as child:
        await until(account.recordings)
        await account.stop()
        assert await ends(child) != 0
    async with push(recording, account.url) as child:
        await ends(child)
        assert "refused" in child.last_words
    await account.start()
    assert account.port == port
    async with push(recording, account.url, "-t", "1") as child:
        assert await ends(child) == 0
    assert len(account.recordings()) == 2


async def test_a_frozen_account_takes_nothing_and_keeps_the_connection(
    account: Account, recording: Path
) -> None:
    # As fast as it goes and without end: the buffers of the system hide a stall until they fill.
    fast = ("-stream_loop", "-1")
    async with push(recording, account.url, "-rw_timeout", "2000000", source=fast) as child:
        await until(lambda: any(path.stat().st_size > 200_000 for path in account.recordings()))
        account.freeze()
        assert await ends(child) != 0
        assert "timed out" in child.last_words
    size = account.recordings()[0].stat().st_size
    account.thaw()
    async with push(recording, account.url, "-t", "1") as child:
        assert await ends(child) == 0
    assert account.recordings()[0].stat().st_size >= size
    assert len(account.recordings()) == 2


async def test_a_frozen_rtmps_account_takes_nothing(tmp_path: Path, recording: Path) -> None:
    account = Account("facebook", tmp_path / "facebook", key=KEY, tls=True)
    await account.start()
    try:
        options = ("-tls_verify", "1", "-ca_file", str(account.certificate))
        limit = ("-rw_timeout", "2000000")
        source = ("-stream_loop", "-1")
        async with push(recording, account.url, *options, *limit, source=source) as child:
            await until(lambda: any(p.stat().st_size > 200_000 for p in account.recordings()))
            account.freeze()
            assert await ends(child) != 0
        account.thaw()
        async with push(recording, account.url, *options, "-t", "1") as child:
            assert await ends(child) == 0, child.last_words
    finally:
        await account.stop()


async def test_a_frozen_account_can_be_stopped(account: Account) -> None:
    account.freeze()
    async with asyncio.timeout(3):
        await account.stop()
    assert not account.running


async def test_rtmps_with_a_certificate_of_its_own(tmp_path: Path, recording: Path) -> None:
    account = Account("facebook", tmp_path / "facebook", key=KEY, tls=True)
    await account.start()
    try:
        trusted = ("-tls_verify", "1", "-ca_file", str(account.certificate))
        async with push(recording, account.url, *trusted, "-t", "1") as child:
            assert await ends(child) == 0, child.last_words
        async with push(recording, account.url, "-tls_verify", "1") as child:
            assert await ends(child) != 0
            assert "certificate" in child.last_words
        assert len(frames(account.recordings()[0])) == 25
    finally:
        await account.stop()


async def test_an_account_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from streamer.demo.accounts import Account\n"
        "async def main():\n"
        "    account = Account('vk', Path(sys.argv[1]), key='k')\n"
        "    await account.start()\n"
        "    print(account.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "vk"), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    async with asyncio.timeout(15):
        server = int(await owner.stdout.readline())
    assert _alive(server)
    os.kill(owner.pid, signal.SIGKILL)
    await owner.wait()
    await until(lambda: not _alive(server))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_without_the_module_the_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MODULES", (tmp_path / "none.so",))
    with pytest.raises(Unavailable, match="nginx and libnginx-mod-rtmp"):
        await Account("x", tmp_path / "x", key="k").start()
