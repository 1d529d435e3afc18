"""A viewer at an account: decodes what the account sends out, and notes when it saw what."""

from __future__ import annotations

import asyncio
import threading
import time
from enum import StrEnum

import av
import numpy as np

from streamer.domain.errors import Unavailable


class Seen(StrEnum):
    """What a picture is, by the colour of its left edge."""

    HALL = "hall"
    SITE = "site"
    SLATE = "slate"
    OTHER = "other"


COLOURS = {
    Seen.HALL: (210, 16, 146),  # the frame around the hall's picture: yellow
    Seen.SITE: (170, 166, 16),  # around the site's: cyan
    Seen.SLATE: (45, 145, 116),
}
NEAR = 24


class Eye(threading.Thread):
    """Watches one stream of an RTMP server until `stop`."""

    def __init__(self, url: str) -> None:
        super().__init__(name="eye", daemon=True)
        self._url = url
        self._end = threading.Event()
        self.pictures: list[tuple[float, Seen]] = []
        """POSIX second at which a picture was decoded, and what it was."""
        self.error = ""

    def run(self) -> None:
        options = {"fflags": "nobuffer", "probesize": "200000", "analyzeduration": "500000"}
        try:
            with av.open(self._url, options=options, timeout=10.0) as stream:
                for frame in stream.decode(video=0):
                    if self._end.is_set():
                        return
                    self.pictures.append((time.time(), _seen(frame)))
        except av.FFmpegError as error:
            self.error = str(error.strerror)

    def stop(self) -> None:
        self._end.set()
        self.join(5.0)

    async def first(self, what: Seen, after: float, seconds: float = 15.0) -> float:
        """When `what` was first seen after the POSIX second `after`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = [t for t, seen in self.pictures[-1000:] if t >= after and seen is what]
                    if found:
                        return found[0]
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise Unavailable(
                f"'{what}' was not seen at the account in {seconds:.0f} s"
                f" (last: {self.pictures[-1:]}, {self.error})"
            ) from None


def _seen(frame: av.VideoFrame) -> Seen:
    found = []
    for plane, by in zip(frame.planes, (1, 2, 2), strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        middle = frame.height // by // 2
        found.append(float(rows[middle - 2 : middle + 2, 2:6].mean()))
    for seen, colour in COLOURS.items():
        if all(abs(is_ - wanted) < NEAR for is_, wanted in zip(found, colour, strict=True)):
            return seen
    return Seen.OTHER
