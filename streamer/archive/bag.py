"""BagIt (RFC 8493): writing the manifests of a staged folder, and checking a bag.

Reading is done by the `bagit` library. Writing is not: its `make_bag` changes the working
directory of the whole process, which a service with threads cannot allow, and says nothing while
it hashes gigabytes. What is written here is checked with the library in the tests.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import bagit

from streamer.archive.hashing import Meter, digests, sha256

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
INFO = "bag-info.txt"


@dataclass(frozen=True, slots=True)
class Totals:
    """What a bag holds: payload files, their bytes, and the SHA-256 of the payload manifest."""

    files: int
    bytes: int
    manifest_sha256: str


@dataclass(slots=True)
class BagCheck:
    """The outcome of checking a bag: names relative to the bag, each list sorted."""

    totals: Totals
    info: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What makes it no bag at all, or a file that cannot be read."""

    @property
    def ok(self) -> bool:
        return not (self.changed or self.missing or self.extra or self.problems)


def payload_bytes(bag: Path) -> int:
    """Bytes of all files under `data/`."""
    return sum(path.lstat().st_size for path in _files(bag / "data"))


def write(bag: Path, info: Mapping[str, str], meter: Meter) -> Totals:
    """Turn the folder `bag`, whose payload is in `bag/data/`, into a bag.

    The tag manifest is written last and in one step: its presence says that the bag is complete
    (`is_complete`). Raises OSError; ValueError for a file name that a manifest cannot hold as is.
    """
    meter.restart(payload_bytes(bag))
    lines = []
    for path in _files(bag / "data"):
        name = path.relative_to(bag).as_posix()
        if any(c in name for c in "\r\n%"):
            raise ValueError(f"a file name with a line break or a per cent sign: {name!r}")
        lines.append(f"{sha256(path, meter)}  {name}\n")
    oxum = f"{meter.done}.{len(lines)}"
    manifest = "".join(lines)
    write_synced(bag / MANIFEST, manifest)
    write_synced(bag / "bagit.txt", DECLARATION)
    tags = {**info, "Payload-Oxum": oxum}
    write_synced(bag / INFO, "".join(f"{k}: {' '.join(v.split())}\n" for k, v in tags.items()))
    names = ("bagit.txt", INFO, MANIFEST)
    listing = "".join(f"{sha256(bag / name, Meter())}  {name}\n" for name in names)
    write_synced(bag / TAG_MANIFEST, listing)
    return Totals(len(lines), meter.done, hashlib.sha256(manifest.encode()).hexdigest())


def is_complete(bag: Path) -> bool:
    """True when `write` has come to its end in `bag`."""
    return (bag / TAG_MANIFEST).is_file()


def check(bag: Path, meter: Meter) -> BagCheck:
    """Compare every file of the bag with its manifests and name what differs.

    Never raises for what is wrong with the bag, however it was damaged; only `Interrupted`.
    """
    result = BagCheck(Totals(0, 0, ""))
    try:
        read = bagit.Bag(str(bag))
        absent, unlisted = read.compare_manifests_with_fs()
    except (bagit.BagError, OSError, ValueError) as error:
        result.problems.append(f"this is not a bag that can be read: {error}")
        return result
    result.info = {k: v if isinstance(v, str) else "; ".join(v) for k, v in read.info.items()}
    if not list(read.manifest_files()):
        result.problems.append("there is no payload manifest")
    if not list(read.tagmanifest_files()):
        result.missing.append(TAG_MANIFEST)
    result.missing += absent
    result.extra += [*unlisted, *_unlisted_tags(bag, read)]
    _compare(bag, read, result, meter)
    for names in (result.changed, result.missing, result.extra):
        names.sort()
    return result


def _compare(bag: Path, read: bagit.Bag, result: BagCheck, meter: Meter) -> None:
    gone = {*result.missing}
    entries: dict[str, dict[str, str]] = {k: v for k, v in read.entries.items() if k not in gone}
    meter.restart(payload_bytes(bag))
    files = size = 0
    for listed, expected in sorted(entries.items()):
        # The file system may have normalised the name since (a Mac does).
        name = read.normalized_filesystem_names.get(bagit.normalize_unicode(listed), listed)
        path = bag / name
        if path.is_symlink():
            result.problems.append(f"{name} is a link; a package holds its files itself")
            continue
        try:
            found = digests(path, expected, meter)
            length = path.stat().st_size
        except OSError as error:
            result.problems.append(f"{name} cannot be read: {error.strerror}")
            continue
        if any(found[a] != digest.lower() for a, digest in expected.items()):
            result.changed.append(name)
        if listed.startswith("data/"):
            files, size = files + 1, size + length
    manifest = bag / MANIFEST
    digest = sha256(manifest, Meter()) if manifest.is_file() else ""
    result.totals = Totals(files, size, digest)


def _unlisted_tags(bag: Path, read: bagit.Bag) -> Iterator[str]:
    """Files outside `data/` that no tag manifest vouches for."""
    listed = {*read.tagfile_entries(), *(os.path.basename(p) for p in read.tagmanifest_files())}
    for path in _files(bag):
        name = path.relative_to(bag).as_posix()
        if not name.startswith("data/") and name not in listed:
            yield name


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def write_synced(path: Path, text: str) -> None:
    """Write a small file so that a reader sees all of it or none, and a power cut keeps it."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", newline="") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
