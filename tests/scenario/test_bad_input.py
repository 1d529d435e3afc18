"""Bad input, typed by people: every message says what is wrong and what to do."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from streamer.demo.accounts import free_port
from tests.scenario.house import House
from tests.scenario.world import COMPILED, TITLE, until, wall

pytestmark = pytest.mark.scenario
on_one_loop = pytest.mark.asyncio(loop_scope="session")
DAY = 86_400.0


# Plans ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wrong:
    """A plan that is refused: what is typed, and how the answer speaks of it."""

    typed: dict[str, Any]
    status: int
    code: str
    words: tuple[str, ...]


def tomorrow(hours: float = 0) -> str:
    return wall(time.time() + DAY + hours * 3600)[:16]


WRONG = {
    "a date that does not exist": Wrong(
        {"starts": "2027-02-30T10:00"}, 422, "wrong_date", ("starts", "2027-02-30", "exists")),
    "a date in another form": Wrong(
        {"starts": "19.02.2027 10:00"}, 422, "wrong_date", ("starts", "2027-02-19T10:00")),
    "an unknown region": Wrong(
        {"region": "abay"}, 422, "unknown_region", ("abay", "did you mean", "abai")),
    "an end before the start": Wrong(
        {"starts": "2127-02-19T10:00", "ends": "2127-02-19T09:00"}, 422, "end_before_start",
        ("ends", "not after the start", "correct")),
    "a date that is over": Wrong(
        {"starts": "2024-02-19T10:00"}, 422, "in_the_past", ("starts", "year")),
    "an unknown destination": Wrong(
        {"destinations": ["youtube"]}, 422, "unknown_destination", ("youtube", "first")),
    "a word that is no field": Wrong(
        {"start": "2127-02-19T10:00"}, 422, "wrong_fields", ("start", "known here", "starts")),
}  # fmt: skip


@on_one_loop
@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_plan_is_refused_with_what_would_be_right(house: House, case: str) -> None:
    wrong = WRONG[case]
    body = {"region": "abai", "title": TITLE, "starts": tomorrow(), "ends": 60, **wrong.typed}
    status, answer = await house.client.ask("POST", "/api/meetings", body)
    error = answer["error"]
    assert (status, error["code"], error["act"]) == (wrong.status, wrong.code, "correct_setting")
    for word in wrong.words:
        assert word in error["message"]


@on_one_loop
@pytest.mark.parametrize(
    ("also", "code", "word"),
    [({"hall": "small"}, "account_busy", "another account"),
     ({"destinations": ["second"]}, "hall_busy", "another hall")],
)  # fmt: skip
async def test_two_meetings_with_one_account_or_hall_at_one_time_are_refused(
    house: House, also: dict[str, Any], code: str, word: str
) -> None:
    client = house.client
    first = await client.plan_in(DAY, 3600, destinations=["first"])
    body = {"region": "abai", "title": TITLE, "starts": tomorrow(0.5), "ends": 60,
            "destinations": ["first", "second"], **also}  # fmt: skip
    status, answer = await client.ask("POST", "/api/meetings", body)
    await client.command(first, "cancel", reason="only a test")
    assert (status, answer["error"]["code"]) == (409, code)
    assert first in answer["error"]["message"]
    assert "choose another time" in answer["error"]["message"]
    assert word in answer["error"]["message"]


@on_one_loop
async def test_a_taken_ingest_port_is_a_red_leg_that_names_it(house: House) -> None:
    """The hall's port belongs to another program: everything else runs, and a person sees it."""
    client = house.client
    meeting = await client.plan_in(3600, 600, destinations=["first"])
    region = await asyncio.to_thread((house.service.configs / "regions/abai.yaml").read_text)
    port = next(int(line.split(":")[1]) for line in region.splitlines() if " port:" in line)
    with occupied(port):
        await client.command(meeting, "prepare")

        async def said() -> str | None:
            legs = (await client.live(meeting))["legs"]
            return next(
                (leg["error"] for leg in legs if leg["health"] == "red"
                 and str(port) in leg["error"]), None,
            )  # fmt: skip

        error = await until(said, 30, "the leg says which port is taken")
        assert "taken" in error or "in use" in error
    await client.leg_runs(meeting, "ingest:hall", 30)
    await client.does(meeting, "cancel", reason="only a test")


@contextmanager
def occupied(port: int) -> Iterator[None]:
    """Another program has this TCP port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


# Files and machines -----------------------------------------------------------------------------

SERVICE = "home: {home}\nweb:\n  port: {port}\n"
REGION = """\
slug: abai
code: "100000000"
kind: region
names: {kk: "Абай облысы", ru: "область Абай"}
centre: {kk: "Семей", ru: "Семей"}
time_zone: Asia/Almaty
"""


@dataclass(slots=True)
class Machine:
    """Configuration files and the surroundings in which a command is run."""

    folder: Path
    port: int = field(default_factory=free_port)
    path: str = ""

    def __post_init__(self) -> None:
        (self.folder / "configs" / "regions").mkdir(parents=True)
        self.write("streamer.yaml", SERVICE.format(home=self.home, port=self.port))
        self.write("regions/abai.yaml", REGION)

    @property
    def home(self) -> Path:
        return self.folder / "var"

    def write(self, name: str, text: str) -> None:
        (self.folder / "configs" / name).write_text(text)

    def run(self, command: str, *guard: str, seconds: float = 40) -> tuple[int, str]:
        """Exit code and everything that was said."""
        environment = {**os.environ, **COMPILED}
        if self.path:
            environment["PATH"] = self.path
        done = subprocess.run(
            [*guard, sys.executable, "-m", "streamer.cli", command, "--configs",
             str(self.folder / "configs")],
            capture_output=True, text=True, timeout=seconds, env=environment, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


FAULTY: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "an unknown key": (
        "streamer.yaml", "webb:\n  port: 8080\n", ("streamer.yaml:1", "webb", "web")),
    "a wrong duration": (
        "streamer.yaml", "schedule:\n  overrun: soon\n", ("streamer.yaml:2", "overrun", "60m")),
    "a key in the file": (
        "regions/abai.yaml", REGION + "destinations:\n  - {id: a, name: A, "
        "url: 'rtmp://127.0.0.1/live', key: canary-in-file}\n", ("regions/abai.yaml:8", "env:")),
    "not YAML": ("regions/abai.yaml", "slug: [\n", ("abai.yaml:2", "not YAML", "correct the line")),
    "a wrong zone": (
        "regions/abai.yaml", REGION.replace("Asia/Almaty", "Asia/Alma-Ata"),
        ("abai.yaml:6", "Asia/Alma-Ata", "Asia/Almaty")),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTY)
def test_check_names_file_line_and_what_is_right(machine: Machine, case: str) -> None:
    name, text, words = FAULTY[case]
    machine.write(name, text)
    code, said = machine.run("check")
    assert code == 1
    assert "Traceback" not in said
    assert "canary" not in said
    for word in words:
        assert word in said


def test_check_is_content_with_what_is_right(machine: Machine) -> None:
    code, said = machine.run("check")
    assert (code, "everything is right" in said) == (0, True)


def test_up_with_wrong_files_prints_every_fault_and_starts_nothing(machine: Machine) -> None:
    machine.write("streamer.yaml", "homer: var\n")
    machine.write("regions/abai.yaml", REGION.replace("kind: region", "kind: oblast"))
    code, said = refused(machine)
    assert code == 1
    assert "homer" in said
    assert "oblast" in said
    assert not machine.home.exists()


def test_up_says_that_the_web_port_is_taken(machine: Machine) -> None:
    with occupied(machine.port):
        _, said = refused(machine)
    assert f"port {machine.port}" in said
    assert "taken" in said
    assert "web.port" in said


def test_up_names_the_missing_package(machine: Machine) -> None:
    machine.path = only(machine.folder / "bin", "setpriv")
    _, said = refused(machine)
    assert "Debian package redis-server" in said
    assert "REDIS_URL" in said


def test_up_says_that_its_home_cannot_be_written(machine: Machine) -> None:
    machine.home.mkdir()
    machine.home.chmod(0o500)
    # A superuser would write all the same.
    guard = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if not os.geteuid() else []
    _, said = refused(machine, *guard)
    assert str(machine.home) in said
    assert "choose another home" in said
    assert "mend the disk" in said


def refused(machine: Machine, *guard: str) -> tuple[int, str]:
    """`streamer up` must end by itself, soon, with a message and no traceback."""
    code, said = machine.run("up", *guard)
    assert code == 1, said
    assert "Traceback" not in said
    return code, said


def only(folder: Path, *programs: str) -> str:
    """A PATH on which nothing but `programs` is found."""
    folder.mkdir()
    for program in programs:
        found = shutil.which(program)
        assert found, program
        (folder / program).symlink_to(found)
    return str(folder)
