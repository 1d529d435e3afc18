"""The playlists of one viewing copy: whole for staff, from going live on for everybody else."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from streamer.web import playlist as hls

INDEX, MASTER = "index", "master.m3u8"
NAMES = (INDEX, "video", "sound", "sound2", "low")
"""The playlists of a viewing copy; the first is picture and main sound and is always there."""
PACKED = 5
"""How hard playlists are packed: one of five hours to a thirtieth, in milliseconds."""
_SOUND = re.compile(r'#EXT-X-MEDIA:TYPE=AUDIO,.*?NAME="([^"]*)",LANGUAGE="([^"]*)".*URI="([^"]*)"')


@dataclass(slots=True)
class Rendition:
    """One playlist as it was read last. `public` begins at the moment of going live."""

    stamp: tuple[float, int, float]
    """Time and size of the file, and the moment of going live."""
    whole: hls.Playlist
    public: hls.Playlist
    whole_files: frozenset[str]
    public_files: frozenset[str]
    _text: str
    """What was read."""
    _packer: Packer
    """Has all of `public`. Never added to again: a request may be reading from it."""

    @classmethod
    def read(cls, path: Path, stamp: tuple[float, int, float]) -> Rendition:
        """Read a playlist. Blocking."""
        text = _text(path)
        whole = hls.parse(text)
        public = hls.cut(whole, stamp[2])
        packer = Packer()
        packer.add([*public.head, *hls.entries(public.segments, ())])
        return cls(stamp, whole, public, whole.files, public.files, text, packer)

    def again(self, path: Path, stamp: tuple[float, int, float]) -> Rendition:
        """The playlist as it is now: only what was added since is looked at. Blocking.

        In a meeting of hours it is long, and it is read every two seconds.
        """
        text = _text(path)
        known, segments = self._text, self.whole.segments
        if stamp[2] != self.stamp[2] or not segments or not text.startswith(known):
            return Rendition.read(path, stamp)
        new = hls.parse(text[len(known) :], segments[-1])
        if new.closed:
            return Rendition.read(path, stamp)
        whole = hls.Playlist(self.whole.head, (*segments, *new.segments), closed=False)
        added = hls.cut(new, stamp[2])
        before = self.public.segments
        public = hls.Playlist(self.public.head, (*before, *added.segments), closed=False)
        packer = self._packer.copy()
        packer.add(hls.entries(added.segments, before))
        return Rendition(
            stamp, whole, public, self.whole_files | new.files, self.public_files | added.files,
            text, packer,
        )  # fmt: skip

    def text(self, *, staff: bool) -> bytes:
        """The playlist, packed with gzip; empty when there is nothing in it to be shown."""
        if not self.whole.head:
            return b""
        if staff:
            return gzip.compress(hls.write(self.whole).encode(), 1)
        return self._packer.packed("#EXT-X-ENDLIST\n" if self.public.closed else "")


class Packer:
    """Lines packed with gzip, to which lines can be added."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(PACKED, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self._done = b""

    def copy(self) -> Packer:
        """Another one that goes on from here."""
        other = Packer()
        other._packer, other._done = self._packer.copy(), self._done
        return other

    def add(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        self._done += self._packer.compress(text.encode())

    def packed(self, end: str) -> bytes:
        """All of it, with `end` behind."""
        last = self._packer.copy()
        return self._done + last.compress(end.encode()) + last.flush()


def read_all(folder: Path, since: float, before: dict[str, Rendition]) -> dict[str, Rendition]:
    """Read the playlists in `folder` that changed since `before`. Blocking; `index` always is
    there, perhaps empty."""
    found = {}
    for name in NAMES:
        path = folder / f"{name}.m3u8"
        try:
            stat = path.stat()
            stamp = (stat.st_mtime, stat.st_size, since)
        except OSError:
            stamp = (0.0, 0, since)
        if stamp[1] == 0 and name != INDEX:
            continue
        known = before.get(name)
        if known is None:
            found[name] = Rendition.read(path, stamp)
        else:
            found[name] = known if known.stamp == stamp else known.again(path, stamp)
    return found


def _text(path: Path) -> str:
    """The text of a playlist up to its last whole line."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text[: text.rfind("\n") + 1]


def sounds_of(master: str) -> list[dict[str, str]]:
    """The sounds that a multivariant playlist offers: `name`, `language` and playlist of each."""
    return [
        {"name": name, "language": language, "playlist": uri}
        for name, language, uri in _SOUND.findall(master)
    ]
