"""What the verification of a package found, for people and for programs."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streamer.archive.bag import Totals
from streamer.archive.media_facts import Hole, MediaFacts


class Level(StrEnum):
    """How much a finding matters."""

    FAULT = "fault"
    """The package is not what was sealed, or does not hold what a package must hold."""
    NOTE = "note"
    """True to what happened, but a reader should know: an outage, a recorder that was killed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `path` is relative to the package."""

    level: Level
    code: str
    path: str
    text: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{self.level.upper()}: {where}{self.text}"

    def as_dict(self) -> dict[str, str]:
        return {"level": self.level, "code": self.code, "path": self.path, "text": self.text}


@dataclass(slots=True)
class Report:
    """The outcome of verifying one package. Seconds are of programme time."""

    path: str
    meeting: str = ""
    totals: Totals = field(default_factory=lambda: Totals(0, 0, ""))
    findings: list[Finding] = field(default_factory=list)
    events: int = 0
    master: list[MediaFacts] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    """Where the master has nothing, inside its parts and between them."""
    viewing: list[MediaFacts] = field(default_factory=list)
    viewing_s: float = 0.0
    segments: int = 0
    took_s: float = 0.0

    @property
    def faults(self) -> list[Finding]:
        return [f for f in self.findings if f.level is Level.FAULT]

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def exit_code(self) -> int:
        """0: as it was sealed and whole. 1: at least one fault."""
        return 0 if self.ok else 1

    @property
    def master_s(self) -> float:
        """Recorded seconds: the parts together, without the holes between them."""
        return sum(part.seconds for part in self.master)

    def fault(self, code: str, path: str, text: str) -> None:
        self.findings.append(Finding(Level.FAULT, code, path, text))

    def note(self, code: str, path: str, text: str) -> None:
        self.findings.append(Finding(Level.NOTE, code, path, text))

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "ok": self.ok, "path": self.path, "meeting": self.meeting,
            "files": self.totals.files, "bytes": self.totals.bytes,
            "manifest_sha256": self.totals.manifest_sha256,
            "findings": [f.as_dict() for f in self.findings],
            "events": self.events,
            "master": {
                "seconds": round(self.master_s, 3),
                "holes": [[round(h.start_s, 3), round(h.end_s, 3)] for h in self.holes],
                "parts": [part.as_dict() for part in self.master],
            },
            "viewing_copy": {
                "seconds": round(self.viewing_s, 3), "segments": self.segments,
                "parts": [part.as_dict() for part in self.viewing],
            },
            "took_s": round(self.took_s, 3),
        }  # fmt: skip

    def text(self) -> str:
        """What a person reads."""
        totals = self.totals
        lines = [
            f"Package {self.meeting or '(unknown)'}",
            f"  {self.path}",
            f"  {totals.files} files, {size(totals.bytes)}",
            f"  SHA-256 of the manifest: {totals.manifest_sha256 or '(none)'}",
            f"  journal: {self.events} events",
            f"  master: {_parts(len(self.master))}, {clock(self.master_s)}",
            f"  viewing copy: {_parts(len(self.viewing))}, {self.segments} segments,"
            f" {clock(self.viewing_s)}",
        ]
        ordered = sorted(self.findings, key=lambda f: f.level is Level.NOTE)
        lines += [f"  {finding}" for finding in ordered]
        count = len(self.faults)
        lines.append("OK" if self.ok else f"NOT OK: {count} fault{'s' if count > 1 else ''}")
        return "\n".join(lines)


def clock(seconds: float) -> str:
    """`1:02:03.4` for 3723.4 seconds."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}.{rest % 10}"


def size(count: int) -> str:
    """`4.2 GB` for 4,200,000,000 bytes."""
    value = float(count)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _parts(count: int) -> str:
    return "1 part" if count == 1 else f"{count} parts"
