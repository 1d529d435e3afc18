"""Staging the package of a meeting: everything that is archived, in the layout that is archived.

The folder of the meeting is only read. Media are hard-linked, so that staging many gigabytes costs
neither time nor disk; everything that could still be appended to is copied.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from streamer.archive import bag, deliveries, journal, leaks, record
from streamer.archive.hashing import Meter, sha256
from streamer.config.secrets import HIDDEN
from streamer.config.spec import MeetingSpec
from streamer.domain.errors import NotFound, StreamerError
from streamer.domain.meeting import Meeting
from streamer.media import hls
from streamer.media.renditions import Viewing

Extra = Callable[[Path, Meter], None]
"""Adds files (a web MP4, a sound file) to the staged `data/` folder before it is hashed.

It calls `meter.add` now and then, so that its thread does not look hung, and can be stopped.
"""

_MEDIA = re.compile(r"master/part-\d{4,}\.ts|hls/part-\d{4,}/([\w-]*init\.mp4|[\w-]+\.m4s)")
_COPIED = re.compile(r"hls/part-\d{4,}/[\w-]+\.m3u8")
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS})
_REFERENCE = re.compile(r"(env|file|store):.+", re.DOTALL)
_OURS = frozenset({"home", "path", "ca_file", "second_disk", "ffmpeg"})
_SECRETS = frozenset({"key", "backup_key", "passphrase", "login", "token"})
"""Settings that name places on our machines: nobody else's business."""
_TEXTS = frozenset({".json", ".ndjson", ".csv", ".xml", ".txt", ".vtt", ".m3u8"})


class SecretInPackage(StreamerError):
    """A text of the package contains a secret; it was not sealed."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A finished bag in the staging folder, ready to be stored."""

    folder: Path
    totals: bag.Totals


def build(
    folder: Path,
    meeting: Meeting,
    spec: MeetingSpec,
    stage: Path,
    *,
    secrets: Collection[str] = (),
    extras: Sequence[Extra] = (),
    meter: Meter | None = None,
) -> Staged:
    """Stage the meeting in `folder` as a bag in `stage`, and hash it.

    A bag that is complete in `stage` is taken as it is; one that a crash left half done is built
    again. `secrets` are the resolved secrets of the meeting: none may occur in any text.
    Raises NotFound (no folder, no journal), SecretInPackage, OSError, Interrupted. Blocks for as
    long as hashing takes: call it in a thread.
    """
    meter = meter or Meter()
    if not folder.is_dir():
        raise NotFound(f"there is no folder of the meeting {meeting.id}", code="no_meeting_folder")
    if bag.is_complete(stage):
        return Staged(stage, _totals(stage))
    if stage.exists():
        shutil.rmtree(stage)
    data = stage / "data"
    data.mkdir(parents=True)
    video = _stage_video(folder, data / "video", Viewing.of(spec))
    _stage_texts(folder, meeting, spec, data, video)
    for extra in extras:
        extra(data, meter)
    refuse_secrets(data, secrets)
    return Staged(stage, bag.write(stage, _info(meeting, spec), meter))


def refuse_secrets(data: Path, known: Collection[str]) -> None:
    """Raise SecretInPackage when a text below `data` holds a secret."""
    for name, kinds in secrets_in(data, known):
        raise SecretInPackage(
            f"'{name}' contains {kinds[0]}; it was not sealed", file=name, kinds=kinds
        )


def secrets_in(data: Path, known: Collection[str] = ()) -> Iterator[tuple[str, list[str]]]:
    """Every text below `data` that holds a secret, with the kinds of what it holds."""
    for path in sorted(data.rglob("*")):
        if path.suffix in _TEXTS and path.is_file() and not path.is_symlink():
            kinds = leaks.find(path.read_text(encoding="utf-8", errors="replace"), known)
            if kinds:
                yield path.relative_to(data).as_posix(), kinds


def redacted(spec: MeetingSpec) -> dict[str, Any]:
    """The frozen configuration without where secrets and files lie on our machines."""

    def clean(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: clean(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [clean(v) for v in value]
        if isinstance(value, str) and key in _OURS:
            return HIDDEN
        if isinstance(value, str) and key in _SECRETS:
            found = _REFERENCE.fullmatch(value)
            return f"{found.group(1)}:{HIDDEN}" if found else HIDDEN
        return value

    shown = clean(spec.model_dump(mode="json"))
    # The hash in the journal is that of the whole configuration, which stays with us.
    return {"frozen_sha256": spec.sha256, **shown}


def _stage_video(folder: Path, video: Path, viewing: Viewing) -> record.Video:
    master: list[str] = []
    for path in sorted((*folder.glob("master/part-*"), *folder.glob("hls/part-*/*"))):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or path.is_symlink():
            continue
        if _MEDIA.fullmatch(name):
            _link(path, video / name)
            if name.startswith("master/"):
                master.append(f"video/{name}")
        elif _COPIED.fullmatch(name):
            _copy(path, video / name)
    texts = hls.compose_all(folder, closed=True, viewing=viewing)
    if not texts:
        return record.Video(tuple(master), "", None)
    for name, text in texts.items():
        bag.write_synced(video / "hls" / name, text)
    seconds = hls.listed(texts[hls.NAME]).seconds
    return record.Video(tuple(master), f"video/hls/{hls.NAME}", seconds)


def _stage_texts(
    folder: Path, meeting: Meeting, spec: MeetingSpec, data: Path, video: record.Video
) -> None:
    book = journal.read(folder / journal.NAME)
    _copy(folder / journal.NAME, data / journal.NAME)
    rows = deliveries.intervals(book.events)
    bag.write_synced(data / "deliveries.csv", deliveries.to_csv(rows))
    text = record.meeting_json(meeting, spec, book.events, rows, video)
    bag.write_synced(data / "meeting.json", text)
    bag.write_synced(data / "dc.xml", record.dublin_core(meeting, spec))
    shown = json.dumps(redacted(spec), ensure_ascii=False, indent=1) + "\n"
    bag.write_synced(data / "spec.json", shown)


def _info(meeting: Meeting, spec: MeetingSpec) -> dict[str, str]:
    return {
        "Source-Organization": spec.region_names.ru,
        "External-Identifier": meeting.id,
        "External-Description": f"{meeting.title.kk} / {meeting.title.ru}."
        " Check the files with: sha256sum -c manifest-sha256.txt",
        "Bagging-Date": datetime.now(UTC).date().isoformat(),
        "Bag-Software-Agent": f"meeting-streamer {version('meeting-streamer')}",
    }


def _totals(stage: Path) -> bag.Totals:
    """What the manifest in `stage` says, without reading the media again."""
    lines = (stage / bag.MANIFEST).read_text(encoding="utf-8").splitlines()
    digest = sha256(stage / bag.MANIFEST, Meter())
    return bag.Totals(len(lines), bag.payload_bytes(stage), digest)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copy2(source, target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
