"""The archive as a folder: packages are linked or copied in, and appear whole or not at all."""

import asyncio
import errno
import hashlib
import os
import shutil
from pathlib import Path, PurePosixPath

import structlog

from streamer.domain.errors import Act, BadInput, StreamerError

INCOMING = ".incoming"
"""Folder, inside the archive, of trees that are not complete yet."""
_BLOCK = 1 << 20
# What os.link says where a hard link cannot be made: another file system, one without links, a
# limit of links, or a rule of the kernel (fs.protected_hardlinks).
_NO_LINK = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}
)

log = structlog.get_logger(__name__)


class AlreadyStored(StreamerError):
    """The archive already holds other files under this key; nothing was overwritten."""


class ArchiveUnwritable(StreamerError):
    """The archive folder cannot be written."""

    act = Act.CORRECT_SETTING


class FolderStore:
    """An `ArchiveStore` in a folder. Files are hard-linked where the file system allows it.

    A tree is built beside its place and renamed into it, so that a crash leaves either nothing or
    everything under the key. What a crash left in `.incoming` is thrown away by the next attempt.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    async def put_tree(self, local: Path, key: str) -> None:
        """See `ArchiveStore.put_tree`. ArchiveUnwritable when the disk refuses."""
        target = self._place(key)
        try:
            await asyncio.to_thread(self._put, local, target, key)
        except OSError as error:
            raise ArchiveUnwritable(
                f"the archive folder cannot be written: {error}",
                path=str(error.filename or target), error=error.strerror or str(error),
            ) from error  # fmt: skip

    async def path(self, key: str) -> Path | None:
        target = self._place(key)
        return target if await asyncio.to_thread(target.is_dir) else None

    async def exists(self, key: str) -> bool:
        return await self.path(key) is not None

    def _place(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or any(part.startswith((".", "/")) or "\\" in part for part in parts):
            raise BadInput(
                f"'{key}' is not a key of the archive; use a relative path without dots in front",
                code="wrong_key", key=key,
            )  # fmt: skip
        return self.root.joinpath(*parts)

    def _put(self, local: Path, target: Path, key: str) -> None:
        if not local.is_dir():
            raise BadInput(f"'{local}' is not a folder", code="no_such_folder", path=str(local))
        if target.exists():
            _check_same(local, target, key)
            return
        staged = self.root / INCOMING / hashlib.sha256(key.encode()).hexdigest()[:32]
        if staged.exists():
            log.warning("archive_leftover_removed", key=key, path=str(staged))
            shutil.rmtree(staged)
        staged.mkdir(parents=True)
        _bring_tree(local, staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(target)
        for folder in (target.parent, *target.parent.parents):
            _sync(folder)
            if folder == self.root:
                break


def _files(folder: Path) -> dict[str, Path]:
    """Every file below `folder` by its relative path; BadInput for what is neither file nor folder.

    A symbolic link would make the archive depend on something outside it.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BadInput(
                f"'{path}' is not an ordinary file and cannot be archived",
                code="not_a_file", path=str(path),
            )  # fmt: skip
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = path
    return found


def _bring_tree(local: Path, staged: Path) -> None:
    folders = {staged}
    for name, source in _files(local).items():
        target = staged / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _bring(source, target)
        folders.update(p for p in target.parents if p.is_relative_to(staged))
    for folder in folders:
        _sync(folder)


def _bring(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copy2(source, target)
    _sync(target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_same(local: Path, target: Path, key: str) -> None:
    """Return when both trees hold the same bytes; AlreadyStored with the first differing name."""
    ours, theirs = _files(local), _files(target)
    for name in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(name), theirs.get(name)
        if a is None or b is None or not _same_file(a, b):
            raise AlreadyStored(
                f"the archive already holds other files as '{key}' ('{name}' differs);"
                " nothing was overwritten",
                key=key, file=name,
            )  # fmt: skip


def _same_file(a: Path, b: Path) -> bool:
    if a.samefile(b):
        return True
    return a.stat().st_size == b.stat().st_size and _digest(a) == _digest(b)


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()
