"""What a design costs: processes below one, their run time, their own memory. From /proc alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def tree(pid: int) -> list[int]:
    """The process and everything below it."""
    below = [
        int(child)
        for path in Path(f"/proc/{pid}/task").glob("*/children")
        for child in path.read_text().split()
    ]
    return [pid, *(found for child in below for found in tree(child))]


def cpu_of(pids: Iterable[int]) -> float:
    """Seconds of run time. schedstat counts nanoseconds; the usual ticks are 10 ms long, more
    than nginx needs for a destination in half a minute."""
    total = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            text = Path(f"/proc/{pid}/task/{thread}/schedstat").read_text()
            total += int(text.split()[0])
    return total / 1e9


def private_kb(pid: int) -> float:
    """Memory that the process shares with nobody, kB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(
        float(line.split()[1])
        for line in lines
        if line.startswith(("Private_Clean:", "Private_Dirty:"))
    )


def threads(pid: int) -> dict[str, float]:
    """Seconds of run time of one process's threads, by the names that the kernel knows."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        spent = int((task / "schedstat").read_text().split()[0]) / 1e9
        found[name] = found.get(name, 0.0) + spent
    return found
