"""The playlists of one viewing copy: whole for staff, from going live on for everybody else."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
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
    _texts: dict[bool, bytes] = field(default_factory=dict)

    def text(self, *, staff: bool) -> bytes:
        """The playlist, packed with gzip; empty when there is nothing in it to be shown."""
        if staff not in self._texts:
            shown = self.whole if staff else self.public
            text = hls.write(shown) if shown.head else ""
            self._texts[staff] = gzip.compress(text.encode(), PACKED) if text else b""
        return self._texts[staff]


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
        found[name] = known if known and known.stamp == stamp else _read(path, stamp)
    return found


def _read(path: Path, stamp: tuple[float, int, float]) -> Rendition:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    whole = hls.parse(text)
    public = hls.cut(whole, stamp[2])
    found = Rendition(stamp, whole, public, whole.files, public.files)
    found.text(staff=False)  # here, where it may take its time
    return found


def sounds_of(master: str) -> list[dict[str, str]]:
    """The sounds that a multivariant playlist offers: `name`, `language` and playlist of each."""
    return [
        {"name": name, "language": language, "playlist": uri}
        for name, language, uri in _SOUND.findall(master)
    ]
