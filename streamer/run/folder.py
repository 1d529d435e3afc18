"""The folder of a meeting that is prepared a second time."""

from __future__ import annotations

from pathlib import Path

MEDIA = ("master", "hls", "run.json")


def put_aside(folder: Path) -> None:
    """Move recordings of an earlier preparation to `earlier-N/`. Blocking; nothing is deleted.

    A meeting that was postponed in line-up has recorded its slate, on a programme clock of that
    day. The meeting itself begins a new clock and part 1.
    """
    found = [folder / name for name in MEDIA if (folder / name).exists()]
    if not found:
        return
    number = 1
    while (folder / f"earlier-{number}").exists():
        number += 1
    aside = folder / f"earlier-{number}"
    aside.mkdir()
    for path in found:
        path.rename(aside / path.name)
