"""Paints the programme's picture: windows, overlays, the sign language window, fades.

A change of scene is a change of boxes and nothing else. What did not change since the last tick is
not painted again. Everything here is for the mixer's thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from streamer.config.scenes import Fit
from streamer.programme.canvas import Canvas, Patch, Picture, Planes
from streamer.programme.cards import BACKGROUND_YUV, FRAME_YUV, Cards
from streamer.programme.fade import FULL, Blender, fade_ticks
from streamer.programme.feed_buffer import Pulled
from streamer.programme.graphics import Box
from streamer.programme.layouts import Layouts, Pane, overlap
from streamer.programme.overlay import Overlay
from streamer.programme.scenes import HALL_FEED, SITE_FEEDS, SLATE, Scene

BLACK = (16, 128, 128)
SKIP_FROM = 3
"""Where a window is so many times lower than the picture, only every other row is looked at: nearly
half of the time of a large grid, and nothing that is seen in windows so small."""
KNOWN_PANES = 32
"""Arrangements that are remembered, so that they are not reckoned at every tick."""
FRAMES_FROM = 180
"""Height of the smallest picture in which windows have a frame."""


class SlatePicture(Protocol):
    """What the painter needs of a slate."""

    def picture(self, at: float) -> Picture:
        """The slate as it looks at POSIX second `at`; valid until the next call."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """What one tick is painted from. `floor` is the feed of who has the floor."""

    pulled: Mapping[str, Pulled]
    at: float
    floor: str | None = None
    overlays: tuple[Overlay, ...] = ()

    @property
    def linked(self) -> tuple[str, ...]:
        """Feeds of the sites that are there."""
        return tuple(feed for feed in self.pulled if feed.startswith(SITE_FEEDS))


class _Window:
    """One pane with the last picture that it got, scaled."""

    def __init__(self, pane: Pane, canvas: Canvas, cards: Cards) -> None:
        self.pane = pane
        self._canvas, self._cards = canvas, cards
        self._framed = not pane.full and canvas.height >= FRAMES_FROM
        edge = max(2, round(canvas.height / 540) * 2) if self._framed else 0
        box = pane.box
        self._box = Box(
            box.left + edge, box.top + edge, box.width - 2 * edge, box.height - 2 * edge
        )
        self._cut, self._target = self._fitted(pane.fit)
        # One for each plane: a plane by itself may be cut before it is scaled, which costs half.
        self._reformatters = tuple(VideoReformatter() for _ in range(3))
        self._source: Picture | None = None
        self._patch: Patch | None = None
        self._label: Patch | None = None

    def _fitted(self, fit: Fit) -> tuple[Box, Box]:
        """The part of the feed's picture that is seen, and where it goes in ours."""
        box, canvas = self._box, self._canvas
        shares = (box.width / canvas.width, box.height / canvas.height)
        share = max(shares) if fit is Fit.COVER else min(shares)
        seen = (even(box.width / share, canvas.width), even(box.height / share, canvas.height))
        size = (even(canvas.width * share, box.width), even(canvas.height * share, box.height))
        cut = Box((canvas.width - seen[0]) // 4 * 2, (canvas.height - seen[1]) // 4 * 2, *seen)
        left = box.left + (box.width - size[0]) // 4 * 2
        return cut, Box(left, box.top + (box.height - size[1]) // 4 * 2, *size)

    def picture(self, pulled: Mapping[str, Pulled]) -> Picture:
        """What it shows just now, of the canvas' size: the feed's picture, or its card."""
        one = pulled.get(self.pane.feed)
        if one is not None and one.picture_alive and one.picture is not None:
            return one.picture
        return self._cards.picture(self.pane.feed)

    def look(self, pulled: Mapping[str, Pulled]) -> bool:
        """Take in what its feed has; True when that looks otherwise than before."""
        named = self._find_label()
        picture = self.picture(pulled)
        if picture is self._source:
            return named
        self._source = picture  # kept, so that no other picture gets the same identity
        self._patch = self._scale(picture)
        return True

    def _find_label(self) -> bool:
        """True when there is a label now and was none before: it is drawn in another thread."""
        if self._label is not None or not self.pane.label:
            return False
        self._label = self._cards.label(self.pane.feed, self._box.width * 19 // 20)
        return self._label is not None

    def _scale(self, picture: Picture) -> Patch:
        cut, target = self._cut, self._target
        planes = []
        for plane, scaler, by in zip(
            self._canvas.planes(picture), self._reformatters, (1, 2, 2), strict=True
        ):
            rows = slice(cut.top // by, (cut.top + cut.height) // by)
            part = plane[rows, cut.left // by : (cut.left + cut.width) // by]
            planes.append(_scaled(part, scaler, target.width // by, target.height // by))
        return Patch(*planes)

    def put(self, planes: Planes) -> None:
        """Copy it into the picture of `planes`."""
        assert self._patch is not None
        box = self._box
        self._patch.put(planes, self._target.left, self._target.top)
        if self._label is not None:
            self._label.put(planes, box.left, box.top + box.height - self._label.height)

    def put_frame(self, planes: Planes) -> None:
        """Fill its place with the colours of its frame and of its bars."""
        if self._framed:
            fill(planes, self.pane.box, FRAME_YUV)
        if self._target != self._box:
            fill(planes, self._box, BLACK)


def _scaled(
    plane: NDArray[np.uint8], scaler: VideoReformatter, width: int, height: int
) -> NDArray[np.uint8]:
    """One plane in another size; the plane itself when the size is the same.

    AREA averages what falls together: of the cheap ways the only one that leaves a flat colour
    exactly as it is in windows of an eighth of the picture's width and more (one unit off below
    that). One thread: a window takes half a millisecond.
    """
    if plane.shape == (height, width):
        return plane
    if plane.shape[0] >= SKIP_FROM * height:
        plane = plane[::2]
    frame = scaler.reformat(
        av.VideoFrame.from_numpy_buffer(plane, "gray"), width, height, "gray",
        interpolation=Interpolation.AREA, threads=1,
    )  # fmt: skip
    made = frame.planes[0]
    rows = np.frombuffer(memoryview(made), np.uint8).reshape(height, made.line_size)
    return rows[:, :width]


class Stage:
    """One scene as it stands: its picture stays, and only windows that changed are painted."""

    def __init__(self, canvas: Canvas, cards: Cards, panes: tuple[Pane, ...]) -> None:
        self.panes = panes
        self._windows = [_Window(pane, canvas, cards) for pane in panes]
        self._below = [
            [n for n, low in enumerate(panes[:number]) if overlap(low.box, pane.box)]
            for number, pane in enumerate(panes)
        ]
        self._alone = len(panes) == 1 and panes[0].full and not panes[0].label
        self._picture = np.empty(0 if self._alone else canvas.picture_bytes, dtype=np.uint8)
        if not self._alone:
            self._planes = canvas.planes(self._picture)
            fill(self._planes, Box(0, 0, canvas.width, canvas.height), BACKGROUND_YUV)
            for window in self._windows:
                window.put_frame(self._planes)

    def paint(self, pulled: Mapping[str, Pulled]) -> Picture:
        """Its picture at this tick; valid until the next one, not to be changed."""
        if self._alone:
            return self._windows[0].picture(pulled)
        painted: set[int] = set()
        for number, window in enumerate(self._windows):
            covered = not painted.isdisjoint(self._below[number])
            if window.look(pulled) or covered:
                if covered:
                    window.put_frame(self._planes)
                window.put(self._planes)
                painted.add(number)
        return self._picture


@dataclass(slots=True)
class _Side:
    """A scene that is on, wholly or as one side of a fade."""

    scene: Scene
    stage: Stage | None = None


class Painter:
    """Paints whatever scene it was told, tick by tick. `slate` is on at the beginning."""

    def __init__(self, canvas: Canvas, slate: SlatePicture, layouts: Layouts, cards: Cards) -> None:
        self._canvas, self._slate, self._layouts, self._cards = canvas, slate, layouts, cards
        pane = layouts.sign_pane(canvas)
        self._sign = _Window(pane, canvas, cards) if pane else None
        self._side = _Side(SLATE)
        self._panes: dict[tuple[Scene, str | None, tuple[str, ...]], tuple[Pane, ...]] = {}
        self._blender = Blender()
        self._from: _Side | Picture | None = None
        self._step, self._steps = 0, fade_ticks(canvas.fps)
        # The old side of a fade, and the last picture of one: a fade that is broken off by
        # another one goes on from what was seen.
        self._old = canvas.blank()
        self._seen = canvas.blank()

    def panes(self, scene: Scene, look: Look) -> tuple[Pane, ...]:
        """The windows of `scene` as they are now; the same objects while nothing changes."""
        key = (scene, look.floor, look.linked)
        if key not in self._panes:
            if len(self._panes) >= KNOWN_PANES:
                self._panes.clear()
            self._panes[key] = self._layouts.panes(
                scene, self._canvas, floor=look.floor, linked=look.linked
            )
        return self._panes[key]

    def alive(self, scene: Scene, look: Look) -> bool:
        """Something of `scene` can be seen or heard.

        The hall's sound alone has no card: the slate is the hall's card, and says more.
        """
        for pane in self.panes(scene, look):
            one = look.pulled.get(pane.feed)
            if one is not None and (
                one.picture_alive or (one.sound_alive and pane.feed != HALL_FEED)
            ):
                return True
        return False

    def change(self, scene: Scene, *, fade: bool = False) -> None:
        """Show `scene` from the next tick on, or at the end of a fade that begins with it."""
        if fade:
            self._from = self._side if self._from is None else self._seen.copy()
            self._step = 0
        else:
            self._from = None
        self._side = _Side(scene)

    def paint(self, look: Look, out: Picture) -> None:
        """Paint one tick into `out`."""
        self._compose(self._side, look, out)
        if self._from is None:
            return
        self._step += 1
        if self._step >= self._steps:
            self._from = None
            return
        old = self._from
        if isinstance(old, _Side):
            self._compose(old, look, self._old)
            old = self._old
        self._blender.mix(old, out, round(FULL * self._step / self._steps), out)
        np.copyto(self._seen, out)

    def _compose(self, side: _Side, look: Look, out: Picture) -> None:
        """One scene with all that lies over it."""
        if side.scene == SLATE:
            np.copyto(out, self._slate.picture(look.at))
            return
        panes = self.panes(side.scene, look)
        if side.stage is None or side.stage.panes != panes:
            side.stage = Stage(self._canvas, self._cards, panes)
        np.copyto(out, side.stage.paint(look.pulled))
        planes = self._canvas.planes(out)
        for overlay in look.overlays:
            overlay.blend(planes)
        if self._sign is not None:  # last: nothing may cover it
            self._sign.look(look.pulled)
            self._sign.put_frame(planes)
            self._sign.put(planes)


def fill(planes: Planes, box: Box, yuv: tuple[int, int, int]) -> None:
    """Fill `box` (even pixels) with one colour."""
    for plane, value, by in zip(planes, yuv, (1, 2, 2), strict=True):
        rows = slice(box.top // by, (box.top + box.height) // by)
        plane[rows, box.left // by : (box.left + box.width) // by] = value


def even(value: float, most: int) -> int:
    """The nearest even number of pixels, 2 at least and `most` at most."""
    return max(2, min(most, round(value / 2) * 2))
