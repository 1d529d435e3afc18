"""A hub with relays and recorders, and a film that is fed into it in real time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamer.config.secrets import Redactor
from streamer.demo.accounts import Account
from streamer.demo.measure import Delivery, compare, frames
from streamer.domain.legs import LegKind, LegState
from streamer.domain.reconnect import Reconnect
from streamer.media.child import Child
from streamer.media.commands import ffmpeg_path
from streamer.media.hub import Hub
from streamer.media.leg import Leg, LegChange
from streamer.media.pipes import close, pipe
from streamer.media.recorder import HlsRecorder, Master
from streamer.media.relay import Address, Relay, RelayEnd
from streamer.run.chain import QUICK
from streamer.run.legs import Legs

START_S = 30.0
"""Seconds that a busy machine may take to start what has to start."""


async def until(reached: Callable[[], object], seconds: float = START_S) -> float:
    """Wait until `reached()`; how many seconds it took. TimeoutError after `seconds`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110 - other processes are watched
            await asyncio.sleep(0.02)
    return loop.time() - began


def given(url: str, *, ca_file: Path | None = None, backup: bool = False) -> Address:
    """An address as the run makes it: its last part is the key."""
    return Address(
        url, url.rpartition("/")[0] + "/***", backup, str(ca_file) if ca_file else None
    )  # fmt: skip


@dataclass
class Stage:
    """The legs around a hub, what they told, and the film's process."""

    folder: Path
    hub: Hub = field(default_factory=Hub)
    legs: Legs = field(default_factory=Legs)
    changes: list[LegChange] = field(default_factory=list)
    ends: list[tuple[str, RelayEnd]] = field(default_factory=list)
    connected: list[tuple[str, Address]] = field(default_factory=list)
    redactor: Redactor = field(default_factory=Redactor)
    _film: Child | None = None
    _fd: int = -1

    def leg(self, leg_id: str, kind: LegKind, attempt: Any, **more: Any) -> Leg:
        """Add a leg and start it."""
        more.setdefault("reconnect", Reconnect(pauses=QUICK))
        leg = Leg(leg_id, kind, attempt, on_change=self.changes.append, **more)
        self.legs.add(leg)
        self.legs.start(leg_id)
        return leg

    def relay(self, name: str, *addresses: Address, connect_s: float = 10.0, **more: Any) -> Leg:
        for address in addresses:
            self.redactor.add(address.url.rpartition("/")[2])

        async def known() -> tuple[Address, ...]:
            return addresses

        relay = Relay(
            self.hub, known, self.redactor.clean, connect_timeout_s=connect_s,
            on_connected=lambda leg, address: self.connected.append((leg.id, address)),
            on_end=lambda leg, end: self.ends.append((leg.id, end)),
        )  # fmt: skip
        more.setdefault("reconnect", Reconnect(pauses=(0.0, 0.5, 1.0, 2.0)))
        more.setdefault("start_s", connect_s + 20)  # a busy machine starts Python slowly
        return self.leg(f"relay:{name}", LegKind.RELAY, relay.attempt, **more)

    def master(self, folder: Path | None = None, name: str = "a") -> Leg:
        master = Master(self.hub, folder or self.folder / "master")
        return self.leg(
            f"recorder:{name}", LegKind.RECORDER, master.attempt, stall_s=4.0, stall_ends=False
        )

    def hls(self, folder: Path | None = None) -> Leg:
        hls = HlsRecorder(self.hub, folder or self.folder / "hls", ffmpeg_path(), 2)
        return self.leg("recorder:b", LegKind.RECORDER, hls.attempt, stall_s=6.0)

    async def play(self, film: Path, speed: float = 1.0) -> None:
        """Feed the film, `speed` times as fast as it is."""
        self._fd, writing = pipe()
        os.set_blocking(self._fd, False)
        self._film = await Child.start(
            "film",
            [ffmpeg_path(), "-nostdin", "-v", "error", "-readrate", str(speed), "-i", str(film),
             "-c", "copy", "-muxdelay", "0", "-flush_packets", "1", "-f", "mpegts", "pipe:1"],
            stdout=writing,
        )  # fmt: skip
        close(writing)
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        data = os.read(self._fd, 262_144)
        if data:
            self.hub.feed(data)
        else:
            asyncio.get_running_loop().remove_reader(self._fd)

    async def stop_film(self) -> None:
        """No more bytes come; what is in the hub still goes out."""
        if self._film is not None:
            await self._film.kill()
            asyncio.get_running_loop().remove_reader(self._fd)
            close(self._fd)
            self._film = None

    async def finish(self) -> None:
        """Relays first, recorders last, as at the end of a meeting."""
        await self.stop_film()
        await self.legs.stop(self.legs.ids("relay:"))
        await self.legs.stop_all()

    def states(self, leg: Leg) -> list[LegState]:
        return [change.status.state for change in self.changes if change.status.id == leg.id]

    async def running(self, *legs: Leg) -> None:
        await until(lambda: all(leg.state is LegState.RUNNING for leg in legs))

    async def moves_on(self, leg: Leg, count: int = 200_000) -> None:
        """Wait until so many more bytes of it have moved."""
        goal = leg.bytes + count
        await until(lambda: leg.bytes >= goal)

    async def delivered(self, account: Account, part: int = 1) -> Delivery:
        """What of the master arrived at `account`."""
        master = self.folder / "master" / f"part-{part:04d}.ts"
        return await asyncio.to_thread(
            lambda: compare(frames(master), [frames(path) for path in account.recordings()])
        )


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """A stage that is cleaned up whatever happens."""
    it = Stage(folder)
    try:
        yield it
    finally:
        await it.finish()


@asynccontextmanager
async def accounts(folder: Path, *names: str, tls: bool = False) -> AsyncIterator[list[Account]]:
    """Real RTMP servers, each with a key of its own."""
    made = [Account(name, folder / name, key=f"quiet-{name}-7391", tls=tls) for name in names]
    try:
        for account in made:
            await account.start()
        yield made
    finally:
        for account in made:
            await account.stop()


def all_argv(text: str) -> list[str]:
    """Command lines of this machine that hold `text`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if text in line:
                found.append(line)
    return found
