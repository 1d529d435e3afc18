"""Verifying a package. It needs the package and nothing else: no database, no network, no settings.

Three questions: is every byte as it was sealed; does the recording open, with picture and sound,
and where are its holes; is the journal complete. With the published chain a fourth: is this the
manifest that was sealed.
"""

import re
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from streamer.archive import bag, chain, journal, media_facts
from streamer.archive.hashing import Meter
from streamer.archive.media_facts import GAP_S, Hole, MediaFacts
from streamer.archive.package import secrets_in
from streamer.archive.record import since_prepared
from streamer.archive.report import Report, clock
from streamer.domain.errors import NotFound
from streamer.domain.events import Event, EventName
from streamer.media import hls, multivariant

TINY = 64 * 1024
"""Bytes below which a part was cut off in its first fraction of a second."""
SHORTER_S = 5.0
"""Seconds by which the viewing copy may be shorter than the master without a word."""

_MASTER = re.compile(r"part-(\d{4,})\.ts")
_SEGMENT = re.compile(r"(part-\d{4,})/[\w-]+\.(?:m4s|mp4)")


def verify(
    path: Path, *, deep: bool = False, chain_file: Path | None = None, meter: Meter | None = None
) -> Report:
    """Verify the package in the folder `path`.

    `deep` also decodes every picture and block of sound. `chain_file` is a copy of the archive's
    chain that must contain the package. Raises NotFound when there is no such folder, Interrupted
    when `meter.stop` is set; what is wrong with the package is in the report. Blocks for minutes.
    """
    if not path.is_dir():
        raise NotFound(f"'{path}' is not a folder", code="no_package", path=str(path))
    meter = meter or Meter()
    begun = time.monotonic()
    report = Report(str(path))
    _bag(path, report, meter)
    events = _journal(path, report)
    _master(path, events, report, deep, meter)
    _viewing(path, report, deep, meter)
    for name, kinds in secrets_in(path / "data"):
        report.fault("secret", f"data/{name}", f"contains {', '.join(kinds)}")
    if chain_file is not None:
        _chain(chain_file, report)
    report.took_s = time.monotonic() - begun
    return report


def _bag(path: Path, report: Report, meter: Meter) -> None:
    checked = bag.check(path, meter)
    report.totals = checked.totals
    report.meeting = checked.info.get("External-Identifier", "")
    for problem in checked.problems:
        report.fault("not_a_bag", "", problem)
    for name in checked.changed:
        report.fault("changed", name, "was changed after it was sealed")
    for name in checked.missing:
        report.fault("missing", name, "is missing")
    for name in checked.extra:
        report.fault("extra", name, "was added after it was sealed")


def _journal(path: Path, report: Report) -> tuple[Event, ...]:
    name = f"data/{journal.NAME}"
    try:
        book = journal.read(path / name)
    except NotFound:
        report.fault("no_journal", name, "there is no journal")
        return ()
    except OSError as error:
        report.fault("no_journal", name, f"cannot be read: {error.strerror}")
        return ()
    report.events = len(book.events)
    for first, last in book.gaps:
        which = f"event {first} is" if first == last else f"events {first} to {last} are"
        report.fault("journal_gap", name, f"{which} missing")
    if book.damaged:
        lines = ", ".join(map(str, book.damaged[:10]))
        report.note("journal_damaged", name, f"not readable: line {lines}")
    if book.torn:
        report.note("journal_torn", name, "the last line was not written to its end")
    if book.unknown:
        names = ", ".join(book.unknown)
        report.note("journal_newer", name, f"events of a newer version: {names}")
    return book.events


def _master(path: Path, events: Sequence[Event], report: Report, deep: bool, meter: Meter) -> None:
    parts = _master_parts(path / "data/video/master")
    meter.restart(sum(part.stat().st_size for part in parts))
    for part in parts:
        found = media_facts.facts(part, deep=deep, meter=meter)
        found.path = part.relative_to(path).as_posix()
        report.master.append(found)
        _judge(found, part.stat().st_size, report)
    if not any(part.whole for part in report.master):
        report.fault("no_master", "data/video/master", "there is no master recording that opens")
    _holes(report)
    _named_parts(path, events, report)


def _master_parts(folder: Path) -> list[Path]:
    """The parts in their order; a link is no part (the check of the bag names it)."""
    found = {
        int(match.group(1)): part
        for part in folder.glob("part-*.ts")
        if (match := _MASTER.fullmatch(part.name)) and part.is_file() and not part.is_symlink()
    }
    return [found[number] for number in sorted(found)]


def _judge(found: MediaFacts, length: int, report: Report) -> None:
    """What one part lacks. A part that was cut off at once is no fault: the journal says why."""
    say = report.note if length < TINY else report.fault
    if length == 0:
        say("empty", found.path, "is empty: its recorder ended before the first byte")
    elif found.error:
        say("unreadable", found.path, f"does not open: {found.error}")
    elif not found.whole:
        say("half", found.path, f"has no {'picture' if found.video is None else 'sound'}")
    for stream in found.streams:
        if stream.backward:
            text = f"timestamps of the {stream.kind} go back {stream.backward} times"
            report.fault("not_monotonic", found.path, text)
        if stream.corrupt:
            text = f"{stream.corrupt} packets of the {stream.kind} are damaged"
            report.note("corrupt", found.path, text)
    if found.undecodable:
        report.note("undecodable", found.path, f"{found.undecodable} packets cannot be decoded")


def _holes(report: Report) -> None:
    parts = [part for part in report.master if part.first_s is not None]
    for part in parts:
        seen = part.video.holes if part.video else []
        heard = part.audio.holes if part.audio else []
        report.holes += seen
        for hole in heard:
            if not any(hole.start_s < o.end_s and o.start_s < hole.end_s for o in seen):
                text = f"the sound has a hole of {hole.seconds:.1f} s at {clock(hole.start_s)}"
                report.note("sound_hole", part.path, text)
    for before, after in pairwise(parts):
        end, start = before.end_s or 0.0, after.first_s or 0.0
        if start - end > GAP_S:
            report.holes.append(Hole(end, start))
        elif end - start > GAP_S:
            text = f"begins {end - start:.1f} s before the part before it ends"
            report.note("overlap", after.path, text)
    report.holes.sort(key=lambda hole: hole.start_s)
    for hole in report.holes:
        text = f"the master has a hole of {hole.seconds:.1f} s at {clock(hole.start_s)}"
        report.note("hole", "", text)


def _named_parts(path: Path, events: Sequence[Event], report: Report) -> None:
    """Every part that the journal says was begun here must be here."""
    for event in since_prepared(events):
        place = Path(str(event.data.get("path", "")))
        if event.name is not EventName.RECORDING_PART_STARTED or place.is_absolute():
            continue  # a second disk's part is not in the package
        if ".." not in place.parts and (path / "data/video" / place).exists():
            continue
        text = f"event {event.seq} of the journal says it was recorded, but it is not here"
        # The master's file is there before the event; a viewing copy may have died before its
        # first segment.
        say = report.fault if event.data.get("recorder") == "a" else report.note
        say("part_missing", f"data/video/{place}", text)


def _viewing(path: Path, report: Report, deep: bool, meter: Meter) -> None:
    folder = path / "data/video/hls"
    name = f"data/video/hls/{hls.NAME}"
    try:
        text = (folder / hls.NAME).read_text(encoding="utf-8", errors="replace")
    except OSError:
        report.fault("no_viewing_copy", name, "there is no viewing copy")
        return
    playlist = hls.listed(text)
    report.viewing_s, report.segments = playlist.seconds, playlist.segments
    parts = _listed_files(folder, name, playlist, report)
    for other in sorted(folder.glob("*.m3u8")):
        if other.name not in (hls.NAME, multivariant.NAME):
            text = other.read_text(encoding="utf-8", errors="replace")
            place = f"data/video/hls/{other.name}"
            _listed_files(folder, place, hls.listed(text), report)
    meter.restart(sum(file.stat().st_size for files in parts.values() for file in files))
    for part, files in parts.items():
        facts = media_facts.facts_of_parts(
            f"data/video/hls/{part}", files, deep=deep, meter=meter
        )  # fmt: skip
        report.viewing.append(facts)
        _judge(facts, sum(file.stat().st_size for file in files), report)
    _compare(report, name)


def _listed_files(
    folder: Path, name: str, playlist: hls.Listed, report: Report
) -> dict[str, list[Path]]:
    """The files of a composed playlist by their part; what is not as it must be is said."""
    if not playlist.ended:
        report.fault("not_closed", name, "the playlist is not closed")
    parts: dict[str, list[Path]] = {}
    for file in playlist.files:
        found = _SEGMENT.fullmatch(file)
        if found is None:
            report.fault("foreign", name, f"lists something outside the package: {file[:80]}")
        elif not (folder / file).is_file():
            report.fault("not_there", name, f"lists {file}, which is not there")
        else:
            parts.setdefault(found.group(1), []).append(folder / file)
    return parts


def _compare(report: Report, name: str) -> None:
    packets = sum(part.video.seconds for part in report.viewing if part.video)
    if abs(packets - report.viewing_s) > 1.0 + 0.001 * packets:
        text = f"says {report.viewing_s:.1f} s, but its segments hold {packets:.1f} s"
        report.fault("wrong_length", name, text)
    if report.master_s - report.viewing_s > SHORTER_S:
        text = f"is {report.master_s - report.viewing_s:.1f} s shorter than the master"
        report.note("shorter", name, text)


def _chain(chain_file: Path, report: Report) -> None:
    found = chain.verify_chain(chain_file)
    if not found.ok:
        report.fault("chain_broken", chain_file.name, f"was altered at line {found.broken}")
    digest = report.totals.manifest_sha256
    if digest not in {entry.manifest_sha256 for entry in found.entries}:
        text = "does not contain the manifest of this package"
        report.fault("not_in_chain", chain_file.name, text)
