"""One run per meeting and machine."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from streamer.run.lock import hold, holder

HOLD = """
import sys, time
from pathlib import Path
from streamer.run.lock import hold
held = hold(Path(sys.argv[1]))
print("held" if held else "busy", flush=True)
time.sleep(60 if held else 0)
"""


def other(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )


def test_the_kernel_gives_it_back_when_a_run_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "meeting"
    assert holder(folder) is None
    with other(folder) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        found = holder(folder)
        assert found is not None
        assert (found.host, found.pid, found.here) == (socket.gethostname(), first.pid, True)
        assert hold(folder) is None
        with other(folder) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "busy\n"
        found = holder(folder)  # who came too late has not written his name over it
        assert found is not None
        assert found.pid == first.pid
        os.kill(first.pid, signal.SIGKILL)
        first.wait(10)
    assert holder(folder) is None
    mine = hold(folder)
    assert mine is not None
    mine.close()


def test_a_holder_elsewhere_is_not_here(tmp_path: Path) -> None:
    mine = hold(tmp_path)
    assert mine is not None
    mine.truncate(0)
    mine.write("another-machine 17")
    mine.flush()
    found = holder(tmp_path)
    assert found is not None
    assert (found.pid, found.here) == (17, False)
    mine.close()


def test_a_lock_that_is_being_written_is_nobodys_name(tmp_path: Path) -> None:
    mine = hold(tmp_path)
    assert mine is not None
    mine.truncate(0)
    assert holder(tmp_path) is None
    mine.close()
