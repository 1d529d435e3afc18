"""Measures what the demonstration left behind, and says which promise was kept."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.archive.verify import verify
from streamer.demo import measure
from streamer.demo.api import Api
from streamer.demo.stage import NAMES, Stage
from streamer.demo.watching import Arrivals, KeyHunt
from streamer.run.clock import LEAD_S

if TYPE_CHECKING:
    from streamer.demo.director import Story

FRAME_S = 0.04
"""The demonstration runs at 25 pictures a second."""
FAULT_REST_S = 3.0
"""Seconds after a fault's end that still belong to it: the reconnect itself."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: what was measured against what was promised."""

    what: str
    measured: str
    limit: str
    kept: bool


@dataclass(slots=True)
class AccountFigures:
    """What reached one account. `lost` outside of its own faults must be zero."""

    name: str
    received: int
    lost: int
    lost_outside_faults: int
    connections: int
    largest_gap_s: float
    monotonic: bool
    slate_s: float
    seconds: float


@dataclass(slots=True)
class Verdict:
    """All figures of a demonstration."""

    accounts: list[AccountFigures] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    recording: dict[str, Any] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        return all(promise.kept for promise in self.promises)

    def promise(self, what: str, measured: float | None, limit: float, unit: str = "s") -> None:
        """A figure that must not be above its limit; None when it never happened."""
        text = "never" if measured is None else f"{measured:.2f} {unit}".replace(".00 ", " ")
        kept = measured is not None and measured <= limit
        self.promises.append(Promise(what, text, f"≤ {limit:g} {unit}", kept))

    def truth(self, what: str, kept: bool, measured: str) -> None:
        self.promises.append(Promise(what, measured, "yes", kept))

    def as_dict(self) -> dict[str, Any]:
        return {
            "kept": self.kept,
            "accounts": [
                {name: getattr(account, name) for name in AccountFigures.__slots__}
                for account in self.accounts
            ],
            "recording": self.recording,
            "promises": [
                {"what": p.what, "measured": p.measured, "limit": p.limit, "kept": p.kept}
                for p in self.promises
            ],
        }

    def table(self) -> str:
        """The tables that a person reads."""
        head = ("account", "frames", "lost", "of them unexplained", "connections", "largest gap",
                "slate", "received")  # fmt: skip
        rows = [
            (NAMES[a.name], str(a.received), str(a.lost), str(a.lost_outside_faults),
             str(a.connections), f"{a.largest_gap_s:.2f} s", f"{a.slate_s:.1f} s",
             f"{a.seconds:.1f} s")
            for a in self.accounts
        ]  # fmt: skip
        judged = [
            ("kept" if p.kept else "BROKEN", p.what, p.measured, p.limit) for p in self.promises
        ]
        verdict = "every promise was kept" if self.kept else "A PROMISE WAS BROKEN"
        return "\n".join(
            ["measured at the accounts", *_columns([head, *rows]), "",
             "promises", *_columns([("", "what", "measured", "promised"), *judged]), "", verdict]
        )  # fmt: skip


async def judge(stage: Stage, story: Story, arrivals: Arrivals, hunt: KeyHunt, api: Api) -> Verdict:
    """Measure everything; takes about twenty seconds."""
    verdict = Verdict()
    var = stage.home / "var"
    folder = var / "meetings" / story.meeting
    package = await asyncio.to_thread(_package, story.meeting, var)
    pages = [await api.text(path) for path in _pages(story.meeting)]
    await asyncio.to_thread(_measure_files, verdict, stage, story, folder, package)
    _measure_times(verdict, story, arrivals)
    for text in pages:
        hunt.search_text("an answer of the service", text)
    await asyncio.to_thread(hunt.search_files, stage.home, leave_out=(stage.home / "accounts",))
    verdict.truth(
        "no key in any command line, log, answer or package", not hunt.found,
        ", ".join(sorted(hunt.found)) or
        f"{hunt.command_lines} command lines, {hunt.files} files, {len(pages)} answers",
    )  # fmt: skip
    return verdict


def _pages(meeting: str) -> list[str]:
    return [
        "/", f"/meetings/{meeting}", f"/archive/{meeting}", f"/api/meetings/{meeting}",
        f"/api/meetings/{meeting}/live", f"/api/archive/meetings/{meeting}", "/metrics",
    ]  # fmt: skip


def _package(meeting: str, var: Path) -> Path | None:
    """The sealed package, where the archive keeps it. Blocking."""
    return next((var / "archive").glob(f"*/{meeting}"), None)


def _events(folder: Path) -> list[dict[str, Any]]:
    with open(folder / "as-run.ndjson", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _measure_files(
    verdict: Verdict, stage: Stage, story: Story, folder: Path, package: Path | None
) -> None:
    """Everything that is read from files. Blocking."""
    epoch = float(json.loads((folder / "run.json").read_text())["epoch"])
    parts = sorted((folder / "master").glob("part-*.ts"))
    master = [frame for part in parts for frame in measure.frames(part)]
    for name, account in stage.accounts.items():
        files = [path for path in account.recordings() if path.stat().st_size > 2000]
        verdict.accounts.append(_account(name, files, master, _faults(name, story, epoch)))
    first = stage.accounts["first"].recordings()[0]
    _judge_programme(verdict, first)
    for figures in verdict.accounts:
        verdict.promise(
            f"{NAMES[figures.name]}: frames lost outside its own faults",
            float(figures.lost_outside_faults), 0, "frames",
        )  # fmt: skip
        verdict.truth(
            f"{NAMES[figures.name]}: timestamps monotonic in every connection",
            figures.monotonic, "yes" if figures.monotonic else "no",
        )  # fmt: skip
    verdict.promise(
        "First account: connections (one, and one after the run was killed)",
        float(verdict.accounts[0].connections), 2, "",
    )  # fmt: skip
    _judge_recording(verdict, story, folder, package, _holes(master))


def _faults(name: str, story: Story, epoch: float) -> list[tuple[float, float]]:
    """The spans of programme time in which this account may lose frames."""
    moments = story.moments
    killed = moments["run killed"]
    spans = [(killed - 0.5, killed + FAULT_REST_S)]
    if name == "second":
        spans.append((moments["frozen"] - 1, moments["thawed"] + 2 * FAULT_REST_S))
    if name == "third":
        spans.append((moments["relay killed"] - 1, moments["relay killed"] + FAULT_REST_S))
    return [(start - epoch, end - epoch) for start, end in spans]


def _account(
    name: str, files: list[Path], master: list[measure.Frame], faults: list[tuple[float, float]]
) -> AccountFigures:
    delivery = measure.compare(master, [measure.frames(path) for path in files])
    times = [found["video"] for path in files if "video" in (found := measure.timestamps(path))]
    pictures = [measure.read_picture(path) for path in files]
    return AccountFigures(
        name=name,
        received=delivery.received,
        lost=delivery.lost,
        lost_outside_faults=delivery.lost_outside(*faults),
        connections=len(files),
        largest_gap_s=round(max((t.largest_gap for t in times), default=0.0), 3),
        monotonic=all(t.monotonic for t in times),
        slate_s=round(sum(p.seconds(measure.Shown.SLATE) for p in pictures), 2),
        seconds=round(sum(t.seconds for t in times), 2),
    )


def _judge_programme(verdict: Verdict, first: Path) -> None:
    """The hall's loss, as the first account's viewers saw it; sound against picture."""
    picture = measure.read_picture(first)
    outages = picture.outages()
    verdict.promise(
        "hall lost: standstill until the slate, seen at an account",
        outages[0].to_slate if outages else None, 1.0,
    )  # fmt: skip
    back = outages[0].back_at if outages else None
    verdict.truth(
        "hall back after the cut", back is not None,
        f"slate for {outages[0].slate_seconds:.1f} s" if outages else "no outage seen",
    )  # fmt: skip
    offset = measure.av_offset(picture, measure.read_sound(first))
    worst = offset.median_ms
    verdict.promise(
        "sound against picture at an account (median)", abs(worst) if worst is not None else None,
        60, "ms",
    )  # fmt: skip


def _holes(master: list[measure.Frame]) -> float:
    """Seconds of programme time that have no picture in the master, counted from its pictures."""
    times = sorted(frame.pts for frame in master)
    steps = [after - before for before, after in itertools.pairwise(times)]
    return sum(step - FRAME_S for step in steps if step > 1.5 * FRAME_S)


def _judge_recording(
    verdict: Verdict, story: Story, folder: Path, package: Path | None, holes: float
) -> None:
    events = _events(folder)
    at = {event["data"]["to"]: event["at"] for event in events
          if event["name"] == "meeting_state_changed"}  # fmt: skip
    finished = next(e["at"] for e in events if e["name"] == "run_finished")
    if package is None:
        verdict.truth("package verified", False, "there is no package")
        return
    report = verify(package)
    wall = finished - at["LINE_UP"]
    outage = sum(
        later["at"] - story.moments["run killed"]
        for later in events
        if later["name"] == "run_started" and later["data"]["resumed"]
    )
    verdict.recording = {
        "wall_s": round(wall, 2), "master_s": round(report.master_s, 2),
        "viewing_s": round(report.viewing_s, 2), "holes_s": round(holes, 2),
        "process_away_s": round(outage, 2),
    }  # fmt: skip
    verdict.truth(
        "package verified", report.ok,
        f"{report.totals.files} files, {report.totals.bytes / 1e6:.1f} MB"
        if report.ok else "; ".join(str(f) for f in report.faults[:3]),
    )  # fmt: skip
    verdict.promise(
        "recording: missing beside the time without a process", max(0.0, holes - outage), 1.0
    )
    verdict.promise(
        "recording: shorter than the wall time beside its hole",
        max(0.0, wall - holes - report.master_s), LEAD_S + 2.5,
    )  # fmt: skip


def _measure_times(verdict: Verdict, story: Story, arrivals: Arrivals) -> None:
    moments = story.moments
    live = moments["starts"]
    third = arrivals.after("third", live - 1)
    verdict.promise(
        "go live to the first frame at the account that is public on its first byte",
        None if third is None else third - moments["live"], 2.0,
    )  # fmt: skip
    killed = arrivals.after("third", moments["relay killed"])
    verdict.promise(
        "relay killed: the account receives again",
        None if killed is None else killed - moments["relay killed"], 2.0,
    )  # fmt: skip
    thawed = arrivals.after("second", moments["frozen"])
    verdict.promise(
        "frozen account: receives again after it came back",
        None if thawed is None else thawed - moments["thawed"], 16.0,
    )  # fmt: skip
    for name in NAMES:
        again = arrivals.after(name, moments["run killed"])
        verdict.promise(
            f"meeting run killed: {NAMES[name]} receives again",
            None if again is None else again - moments["run killed"], 3.0,
        )  # fmt: skip
    verdict.promise("end to watchable in the archive", moments["watchable"] - moments["end"], 5.0)


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
