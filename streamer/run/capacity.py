"""How many feeds this machine decodes at full rate: measured once with the real ffmpeg.

Processor seconds are counted, not the clock, so that what else the machine does matters little.
The worker measures when it starts; meeting runs read what it found.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from streamer.config.models import ProgrammeSettings
from streamer.media import commands

CLIP_S = 4
SHORT_CLIP_S = 2
HEAVY = 1280 * 720 * 30
"""Pixels a second beyond which the clip is the short one: measuring takes about three seconds."""
DEADLINE_S = 60.0
USED = 0.8
"""Share of the processors that is given out; the rest is for peaks and for the system."""
REST = 0.25
"""Cores for everything else of a meeting at 720p25: mixer, relays, recorders, small rendition."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Measure:
    """What was measured. `encode` and `feed` are cores, at the size and rate of `programme`."""

    machine: str
    cores: float
    programme: dict[str, int | str]
    encode: float
    feed: float

    def feeds(self, programme: ProgrammeSettings) -> int:
        """Feeds of one meeting with `programme`, when this is the machine's only meeting."""
        scale = _pixels(programme) / (
            int(self.programme["width"]) * int(self.programme["height"])
            * int(self.programme["fps"])
        )  # fmt: skip
        left = self.cores * USED - REST - self.encode * scale
        return max(1, int(left / max(0.001, self.feed * scale)))


def known(home: Path, binary: str, programme: ProgrammeSettings) -> int | None:
    """Feeds at full rate for `programme` as far as it was measured. Reads files: blocking."""
    found = []
    for path in sorted((home / "workers").glob("capacity-*.json")):
        measure = _read(path)
        if measure is not None and measure.machine == _machine(binary):
            found.append(measure)
    if not found:
        return None
    same = [one for one in found if one.programme == _key(programme)]
    return (same or found)[0].feeds(programme)


def measured(home: Path, binary: str, programme: ProgrammeSettings) -> Measure:
    """The measure of this machine; measured now when it was not before. Blocking.

    OSError or RuntimeError when it cannot be measured.
    """
    name = hashlib.sha256(f"{_machine(binary)} {_key(programme)}".encode()).hexdigest()[:12]
    path = home / "workers" / f"capacity-{name}.json"
    if (measure := _read(path)) is not None:
        return measure
    measure = _measure(binary, programme)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(measure), indent=1))
    fresh.rename(path)
    log.info(
        "measured: encoding %.2f and a feed %.3f cores of %.1f: %d feeds",
        measure.encode, measure.feed, measure.cores, measure.feeds(programme),
    )  # fmt: skip
    return measure


def _measure(binary: str, programme: ProgrammeSettings) -> Measure:
    seconds = CLIP_S if _pixels(programme) <= HEAVY else SHORT_CLIP_S
    with tempfile.TemporaryDirectory(prefix="capacity-") as folder:
        clip = Path(folder) / "clip.ts"
        encode = _processor_seconds(commands.sample(binary, programme, seconds, clip))
        feed = _processor_seconds(
            commands.feed(binary, programme, commands.sample_input(clip))
        )  # fmt: skip
    return Measure(_machine(binary), _cores(), _key(programme), encode / seconds, feed / seconds)


def _processor_seconds(argv: list[str]) -> float:
    """Processor seconds of one child, of low priority: meetings that run come first."""
    child = subprocess.Popen(
        ["nice", "-n", "10", "timeout", str(DEADLINE_S), *argv], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"ffmpeg ended with {child.returncode} while the machine was measured")
    return usage.ru_utime + usage.ru_stime


def _read(path: Path) -> Measure | None:
    try:
        return Measure(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _key(programme: ProgrammeSettings) -> dict[str, int | str]:
    return {
        "width": programme.width, "height": programme.height, "fps": programme.fps,
        "kbps": programme.video_kbps, "preset": str(programme.preset),
    }  # fmt: skip


def _pixels(programme: ProgrammeSettings) -> int:
    return programme.width * programme.height * programme.fps


def _machine(binary: str) -> str:
    """Processor model, cores and ffmpeg: what a measure is true for."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "?")
    return f"{model}, {_cores()} cores, {Path(binary).name}"


def _cores() -> float:
    """Cores that this process may use; a container may have less than the machine."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return cores if quota == "max" else min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        return cores
