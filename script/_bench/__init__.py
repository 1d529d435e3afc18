"""What the measurements of `script/bench` share: figures, the table, the JSON file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Peer:
    """What our value is held against: another program, or a limit."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `how` says how it was measured. `ratio` is ours divided by the peer's."""

    name: str
    value: float
    unit: str
    peer: Peer | None
    how: str

    @property
    def ratio(self) -> float | None:
        return self.value / self.peer.value if self.peer and self.peer.value else None

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "ratio": self.ratio}


def save(path: Path, figures: Sequence[Figure]) -> None:
    """Write the figures as JSON."""
    path.write_text(json.dumps([figure.as_dict() for figure in figures], indent=1) + "\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
