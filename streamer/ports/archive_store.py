"""Where finished packages are kept: a folder, later an object store."""

from pathlib import Path
from typing import Protocol


class ArchiveStore(Protocol):
    """Keeps whole trees of files under keys such as `2027/2027-02-19-abai-k3f9`.

    A key is a relative path with `/`; BadInput when it is not. Every method is safe to call twice.
    """

    async def put_tree(self, local: Path, key: str) -> None:
        """Keep every file under the folder `local` as `key`: wholly, or not at all.

        Returns when the files are on disk. Calling it again with the same files does nothing;
        StreamerError `already_stored` when `key` holds other files (nothing is overwritten).
        """
        ...

    async def path(self, key: str) -> Path | None:
        """The folder of `key` on this machine; None when there is none or it is kept elsewhere."""
        ...

    async def exists(self, key: str) -> bool:
        """True when `key` is kept, completely."""
        ...
