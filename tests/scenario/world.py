"""A service as a stranger has it: `streamer up` as a process tree, and a client of its API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import aiohttp

from streamer.control.stores import records_of
from streamer.demo.accounts import Account
from streamer.demo.api import Api
from streamer.demo.stage import REGION
from streamer.domain.roles import Role
from streamer.media.child import Child
from streamer.run.lock import holder

ZONE = ZoneInfo("Asia/Almaty")
MARK = "STREAMER_SCENARIO"
"""Environment variable by which every process of one service is found, whoever its parent is."""
UP_S = 60.0
KILL_S = 10.0
COMPILED = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "streamer-scenario-bytecode"),
}
"""An installed service has its bytecode; without it every process compiles for seconds."""
TITLE = {"kk": "Әкімнің халық алдындағы есебі", "ru": "Отчётная встреча акима"}
T = TypeVar("T")


async def until(
    found: Callable[[], Awaitable[T | None]], seconds: float, what: str, every: float = 0.05
) -> T:
    """Wait until `found` answers something true; AssertionError names `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await found()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(every)


async def until_there(found: Callable[[], T | None], seconds: float, what: str) -> T:
    """`until` for a look at files and processes, which is done in a thread."""
    return await until(lambda: asyncio.to_thread(found), seconds, what)


def wall(moment: float) -> str:
    """POSIX seconds as the wall time that is typed into a plan."""
    return datetime.fromtimestamp(moment, ZONE).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


class Client(Api):
    """The demonstration's client, and what it does not need: commands, raw answers, waiting."""

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer, whatever it says."""
        async with self._session.request(method, f"{self.base}{path}", json=body) as answer:
            return answer.status, await answer.json()

    async def plan_in(
        self, seconds: float, lasting: float, *, destinations: list[str], **more: Any
    ) -> str:
        """Plan a meeting that starts in so many seconds; its id."""
        start = time.time() + seconds
        body = {
            "region": REGION, "title": TITLE, "starts": wall(start), "ends": wall(start + lasting),
            "destinations": destinations, "end_by_schedule": False, **more,
        }  # fmt: skip
        status, made = await self.ask("POST", "/api/meetings", body)
        assert status == 201, made
        return str(made["id"])

    async def command(self, meeting: str, command: str, **args: Any) -> tuple[int, dict[str, Any]]:
        body = {"command": command, **args}
        return await self.ask("POST", f"/api/meetings/{meeting}/commands", body)

    async def does(self, meeting: str, command: str, **args: Any) -> dict[str, Any]:
        """Send a command that must be carried out; the event that answers it."""
        status, answer = await self.command(meeting, command, **args)
        assert status == 202, answer
        id_ = answer["command_id"]

        async def answered() -> dict[str, Any] | None:
            events = await self.as_run(meeting)
            return next((e for e in events if e["data"].get("id") == id_), None)

        event = await until(answered, 20, f"an answer to {command}")
        assert event["name"] == "command_done", event
        return event

    async def as_run(self, meeting: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else 0
            path = f"/api/meetings/{meeting}/as-run?after={after}&limit=1000"
            status, page = await self.ask("GET", path)
            assert status == 200, page
            found += page["events"]
            if len(page["events"]) < 1000:
                return found

    async def reaches(self, meeting: str, state: str, seconds: float = 60) -> None:
        """Wait for a state, also while the pages are away."""

        async def there() -> bool:
            try:
                return await self.state(meeting) == state
            except (aiohttp.ClientError, TimeoutError):
                return False

        await until(there, seconds, f"{meeting} is {state}", every=0.1)

    async def legs(self, meeting: str) -> dict[str, dict[str, Any]]:
        return {leg["id"]: leg for leg in (await self.live(meeting))["legs"]}

    async def leg_runs(self, meeting: str, leg: str, seconds: float = 20) -> dict[str, Any]:
        """Wait until bytes of a leg move; the leg as the snapshot shows it."""

        async def moving() -> dict[str, Any] | None:
            found = (await self.legs(meeting)).get(leg)
            return found if found and found["health"] == "green" and found["pid"] else None

        return await until(moving, seconds, f"{leg} of {meeting} runs")


class Service:
    """One `streamer up`: started, stopped, killed and started again on the same home."""

    def __init__(self, configs: Path, home: Path, url: str, environment: dict[str, str]) -> None:
        self.configs, self.home, self.url = configs, home, url
        self._token = secrets.token_hex(8)
        self._environment = {**os.environ, **COMPILED, **environment, MARK: self._token}
        self._child: Child | None = None
        self._log = configs.parent / "up.log"
        self.session: aiohttp.ClientSession | None = None

    async def start(self) -> Client:
        """Start it, wait until it says that it is there; a client with an administrator's token."""
        await self.spawn()
        await until_there(self._announced, UP_S, "streamer up is ready")
        if self.session is None:
            async with records_of(self.configs) as records:
                token = await records.create_token("scenario", Role.ADMINISTRATOR, "scenario")
            self.session = aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {token}"},
                timeout=aiohttp.ClientTimeout(total=10),
            )
        return Client(self.session, self.url)

    async def spawn(self) -> None:
        """Start it and do not wait."""
        argv = [sys.executable, "-m", "streamer.cli", "up", "--configs", str(self.configs)]
        await asyncio.to_thread(self._log.write_bytes, b"")
        out = os.open(self._log, os.O_WRONLY | os.O_APPEND)
        try:
            self._child = await Child.start(
                "streamer up", argv, stdout=out, environment=self._environment
            )
        finally:
            os.close(out)

    async def stop(self) -> None:
        """Ctrl+C: the parts end, meeting runs go on."""
        if self._child is not None:
            await self._child.stop(((signal.SIGTERM, 25.0), (signal.SIGKILL, 5.0)))

    async def kill_everything(self) -> float:
        """The power fails: every process of the service ends at once; POSIX seconds of that."""
        at = time.time()
        await asyncio.to_thread(self._kill_all)
        if self._child is not None:
            await self._child.wait()
        return at

    async def close(self) -> None:
        if self.session is not None:
            await self.session.close()
        await self.stop()
        await self.kill_everything()

    def processes(self) -> list[int]:
        """Every living process of this service, meeting runs and their children too. Blocking."""
        mark = f"{MARK}={self._token}".encode()
        parents = dict(_living())
        found = {pid for pid in parents if mark in _about(pid, "environ")}
        # Redis and nginx write their title over the environment.
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found)

    async def kill_part(self, name: str) -> float:
        """kill -9 of web, scheduler, worker or redis, and wait for the next one.

        Returns POSIX seconds of the kill.
        """
        pid = await until_there(lambda: self._part(name), 20, f"{name} is there")
        at = time.time()
        os.kill(pid, signal.SIGKILL)
        await until_there(lambda: self._part(name) not in (None, pid), 20, f"{name} is back")
        return at

    async def kill_run(self, meeting: str) -> float:
        living = await asyncio.to_thread(holder, self.home / "meetings" / meeting)
        assert living is not None, "no meeting run is there to be killed"
        at = time.time()
        os.kill(living.pid, signal.SIGKILL)
        return at

    def _announced(self) -> bool:
        if self._child is not None and self._child.returncode is not None:
            raise AssertionError(f"streamer up ended:\n{self._child.last_words}")
        return "home:" in self._log.read_text()

    def _part(self, name: str) -> int | None:
        for pid in self.processes():
            argv = _about(pid, "cmdline").decode(errors="replace").split("\0")
            if argv[0] == "setpriv":
                continue
            if name in argv or (name == "redis" and "redis-server" in argv[0]):
                return pid
        return None

    def _kill_all(self) -> None:
        deadline = time.monotonic() + KILL_S
        while living := self.processes():
            assert time.monotonic() < deadline, f"these cannot be killed: {living}"
            for pid in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _living() -> Iterator[tuple[int, int]]:
    """Every process that is not a zombie, and its parent."""
    for entry in os.listdir("/proc"):
        state = _about(entry, "stat").rpartition(b")")[2].split() if entry.isdigit() else []
        if state and state[0] not in (b"Z", b"X"):
            yield int(entry), int(state[1])


def _about(pid: int | str, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""  # it has just ended


def events_of(folder: Path) -> list[dict[str, Any]]:
    """The journal of a meeting, as far as it is whole. Blocking."""
    try:
        lines = (folder / "as-run.ndjson").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def new_recordings(account: Account, before: set[Path]) -> list[Path]:
    """What arrived at an account since `before` and has a picture. Blocking."""
    found = [path for path in account.recordings() if path not in before]
    return [path for path in found if path.stat().st_size > 2000]
