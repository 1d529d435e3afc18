"""Private servers for the tests: started, killed, paused and brought back."""

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGQUIT

DEADLINE_S = 30.0


def until(ready: Callable[[], bool], child: subprocess.Popen[bytes], what: str) -> None:
    """Wait for a server; RuntimeError when it ends, or is not ready in time."""
    deadline = time.monotonic() + DEADLINE_S
    while not ready():
        if child.poll() is not None:
            raise RuntimeError(f"{what} ended with {child.returncode}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} was not ready in {DEADLINE_S:.0f} s")
        time.sleep(0.02)


class Server:
    """One child with a folder of its own under /tmp (a socket's path must be short)."""

    def __init__(self, prefix: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
        self.child: subprocess.Popen[bytes] | None = None

    def tell(self, number: int) -> None:
        assert self.child is not None
        self.child.send_signal(number)

    def kill(self, number: int = SIGKILL) -> None:
        """End it at once; nothing when it is not running."""
        if self.child is not None:
            self.child.send_signal(number)
            self.child.wait(DEADLINE_S)
            self.child = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)


class RedisServer(Server):
    def __init__(self) -> None:
        super().__init__("redis-")
        self.socket = self.folder / "s"
        self.url = f"unix://{self.socket}"

    def start(self, *options: str) -> None:
        binary = os.environ.get("REDIS_SERVER", "redis-server")
        self.child = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder),
             "--appendonly", "yes", "--appendfsync", "always", "--save", "", *options],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._answers, self.child, "redis-server")

    def _answers(self) -> bool:
        ping = subprocess.run(
            ["redis-cli", "-s", str(self.socket), "ping"], capture_output=True, timeout=DEADLINE_S
        )
        return ping.stdout == b"PONG\n"


class Postgres(Server):
    """PostgreSQL on a unix socket; it refuses to run as root, so then it runs as `postgres`."""

    def __init__(self) -> None:
        super().__init__("pg-")
        found = [*sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")), shutil.which("initdb")]
        if found == [None]:
            raise RuntimeError("PostgreSQL is not installed: no initdb")
        self.programs = Path(str(found[0])).resolve().parent
        self.data = self.folder / "data"
        self.account: dict[str, object] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self.account = {
                "user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": self.folder
            }  # fmt: skip
        self._run(
            "initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"
        )

    def start(self) -> None:
        self.child = subprocess.Popen(
            [str(self.programs / "postgres"), "-D", str(self.data), "-c", "listen_addresses=",
             "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.account,
        )  # type: ignore[call-overload]  # fmt: skip
        until(self._answers, self.child, "postgres")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def create(self, database: str, template: str = "template0") -> None:
        self._run(
            "createdb", "-h", str(self.folder), "-U", "postgres", "-T", template, database
        )  # fmt: skip

    def remove(self) -> None:
        self.kill(SIGQUIT)  # at once, with its children and its shared memory
        super().remove()

    def _answers(self) -> bool:
        ready = [str(self.programs / "pg_isready"), "-q", "-h", str(self.folder)]
        return subprocess.run(ready, timeout=DEADLINE_S).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.programs / program), *arguments],
            check=True, timeout=DEADLINE_S, stdout=subprocess.DEVNULL, **self.account,
        )  # type: ignore[call-overload]  # fmt: skip
