"""Where everything of a scene is: layouts of the configuration made into boxes of pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamer.config.scenes import (
    MOST_WINDOWS,
    SHIPPED,
    Arrange,
    Fit,
    Heard,
    Layout,
    Show,
    SignPlace,
    Takes,
)
from streamer.config.values import nearest
from streamer.domain.errors import BadInput
from streamer.programme.canvas import Canvas
from streamer.programme.graphics import Box
from streamer.programme.scenes import (
    HALL_FEED,
    SIGN_FEED,
    SLATE,
    SLIDES_FEED,
    Scene,
    site_feed,
)

GAP = 0.012
"""Share of the picture between the windows of a grid."""
TOP = 0.085
"""Share of the picture that is left free above a grid that does not need all of it."""
MARGIN = 0.015
"""Share of the picture around a grid."""

_Shares = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Pane:
    """One window: what is in it and where it is. `box` lies on even pixels."""

    feed: str
    box: Box
    fit: Fit = Fit.COVER
    label: bool = False
    full: bool = False
    """It is the whole picture, without a frame."""


class Layouts:
    """The scenes of one meeting. Immutable; any thread may ask.

    `sites` are the ids of all places that can be linked, in the order of the region's file. `sign`
    is given where the hall sends sign language.
    """

    def __init__(
        self, layouts: Iterable[Layout] = SHIPPED.layouts, *, sites: Sequence[str] = (),
        sign: SignPlace | None = None,
    ) -> None:  # fmt: skip
        self._layouts = {layout.name: layout for layout in layouts}
        self._sites = tuple(sites)
        self._sign = sign

    # -- names --------------------------------------------------------------------------------

    def scene(self, name: str) -> Scene:
        """The scene that is spelled `name`; BadInput says what is possible in this meeting."""
        return self.check(Scene.parse(name))

    def check(self, scene: Scene) -> Scene:
        """`scene` itself; BadInput (`unknown_scene`, `unknown_site`) when it cannot be shown."""
        layout = self._layouts.get(scene.name)
        if scene.name == SLATE.name or (layout and layout.takes is None):
            if not scene.site:
                return scene
            raise self._unknown(f"the scene '{scene.name}' is not taken with a site", scene)
        if layout is None:
            near = nearest(scene.name, [*self._layouts, SLATE.name])
            raise self._unknown(
                f"there is no scene '{scene.name}'" + (f"; did you mean '{near}'?" if near else ""),
                scene,
            )
        if not scene.site:
            raise self._unknown(f"the scene '{scene.name}' is taken with a site", scene)
        if scene.site not in self._sites:
            near = nearest(scene.site, list(self._sites))
            raise BadInput(
                f"there is no site '{scene.site}'; "
                + (f"did you mean '{near}'? " if near else "")
                + f"possible: {', '.join(self._sites) or 'none is configured'}",
                code="unknown_site", site=scene.site, scene=str(scene), possible=list(self._sites),
            )  # fmt: skip
        return scene

    def possible(self) -> list[str]:
        """How scenes are spelled here: `hall`, `split:<site>`, …"""
        names = [
            f"{layout.name}:<site>" if layout.takes is Takes.SITE else layout.name
            for layout in self._layouts.values()
        ]
        return [*names, SLATE.name]

    def check_site(self, site: str) -> str:
        """`site` itself; BadInput (`unknown_site`) when there is no such place."""
        if site in self._sites:
            return site
        raise BadInput(
            f"there is no site '{site}'; possible: {', '.join(self._sites) or 'none'}",
            code="unknown_site", site=site, possible=list(self._sites),
        )  # fmt: skip

    def _unknown(self, wrong: str, scene: Scene) -> BadInput:
        return BadInput(
            f"{wrong}; possible: {', '.join(self.possible())}",
            code="unknown_scene", scene=str(scene), possible=self.possible(),
        )  # fmt: skip

    # -- places -------------------------------------------------------------------------------

    def panes(
        self, scene: Scene, canvas: Canvas, *, floor: str | None = None,
        linked: Sequence[str] = (),
    ) -> tuple[Pane, ...]:  # fmt: skip
        """The windows of `scene` from the back to the front; none for the slate.

        `floor` is the feed of who has the floor, `linked` are the feeds of the sites that are
        there. The sign language window is not among them (see `sign_pane`).
        """
        layout = self._layouts.get(scene.name)
        if layout is None:
            return ()
        if layout.arrange is Arrange.GRID:
            return self._grid(canvas, floor, linked)
        feeds = {
            Show.HALL: HALL_FEED, Show.SITE: site_feed(scene.site),
            Show.FLOOR: floor or HALL_FEED, Show.SLIDES: SLIDES_FEED,
        }  # fmt: skip
        return tuple(
            Pane(feeds[one.show], pixels(one.box, canvas), one.fit, one.label, one.full)
            for one in layout.arranged(sign=self._sign is not None)
        )

    def heard(
        self, scene: Scene, canvas: Canvas, *, floor: str | None = None,
        linked: Sequence[str] = (),
    ) -> frozenset[str]:  # fmt: skip
        """Ids of the feeds whose sound belongs to `scene`; none for the slate."""
        layout = self._layouts.get(scene.name)
        if layout is None:
            return frozenset()
        given = {floor} if floor else set()
        if layout.heard is None:
            panes = self.panes(scene, canvas, floor=floor, linked=linked)
            return frozenset({pane.feed for pane in panes} | given)
        feeds = {
            Heard.HALL: {HALL_FEED}, Heard.SITE: {site_feed(scene.site)},
            Heard.SITES: set(linked), Heard.SLIDES: {SLIDES_FEED},
        }  # fmt: skip
        return frozenset(given.union(*(feeds[one] for one in layout.heard)))

    def sign_pane(self, canvas: Canvas) -> Pane | None:
        """The sign language window; None where the hall does not send any."""
        if self._sign is None:
            return None
        return Pane(SIGN_FEED, pixels(self._sign.box, canvas, at_least=True), self._sign.fit)

    def _grid(
        self, canvas: Canvas, floor: str | None, linked: Sequence[str]
    ) -> tuple[Pane, ...]:  # fmt: skip
        order = {site_feed(site): number for number, site in enumerate(self._sites)}
        sites = sorted(linked, key=lambda feed: (order.get(feed, len(order)), feed))
        room = MOST_WINDOWS - 1
        if floor in sites[room:]:  # who speaks is always seen
            sites = [*sites[: room - 1], floor]
        feeds = [HALL_FEED, *sites[:room]]
        boxes = grid(len(feeds), self._sign.box if self._sign else None)
        return tuple(
            Pane(feed, pixels(box, canvas), label=True)
            for feed, box in zip(feeds, boxes, strict=True)
        )


def pixels(shares: _Shares, canvas: Canvas, *, at_least: bool = False) -> Box:
    """The box of `shares` on even pixels: the nearest ones, or not smaller when `at_least`."""
    left, right = _even(shares[0], shares[0] + shares[2], canvas.width, at_least)
    top, bottom = _even(shares[1], shares[1] + shares[3], canvas.height, at_least)
    return Box(left, top, right - left, bottom - top)


def _even(low: float, high: float, size: int, at_least: bool) -> tuple[int, int]:
    half = size // 2
    if at_least:
        first, last = int(low * half), -int(-high * half - 0.999)
    else:
        first, last = round(low * half), round(high * half)
    first = min(max(0, first), half - 1)
    return first * 2, min(max(last, first + 1), half) * 2


def grid(count: int, sign: _Shares | None = None) -> list[_Shares]:
    """Places of `count` windows of the picture's own shape, as large as 1 to 4 columns allow.

    They keep clear of `sign`. The last row is centred.
    """
    best: tuple[float, int, _Shares] | None = None
    for area in _free(sign):
        for columns in range(1, 5):
            rows = -(-count // columns)
            side = min(
                (area[2] - GAP * (columns - 1)) / columns, (area[3] - GAP * (rows - 1)) / rows
            )
            # Of two that are nearly the same the wider one: people sit beside each other.
            if best is None or side > best[0] - (0.01 if area is best[2] else 0):
                best = (side, columns, area)
    assert best is not None
    side, columns, area = best
    rows = -(-count // columns)
    # What is left over is left below, where a lower third may come.
    top = area[1] + min(TOP, (area[3] - rows * side - (rows - 1) * GAP) / 2)
    places = []
    for first in range(0, count, columns):
        inside = min(columns, count - first)
        left = area[0] + (area[2] - inside * side - (inside - 1) * GAP) / 2
        places += [(left + n * (side + GAP), top, side, side) for n in range(inside)]
        top += side + GAP
    return places


def _free(sign: _Shares | None) -> list[_Shares]:
    """The parts of the picture in which a grid may be."""
    low, high = MARGIN, 1 - MARGIN
    whole = (low, low, high - low, high - low)
    if sign is None:
        return [whole]
    left, top, right, bottom = sign[0], sign[1], sign[0] + sign[2], sign[1] + sign[3]
    parts = [
        (low, low, left - GAP - low, high - low),
        (right + GAP, low, high - right - GAP, high - low),
        (low, low, high - low, top - GAP - low),
        (low, bottom + GAP, high - low, high - bottom - GAP),
    ]  # fmt: skip
    return [part for part in parts if min(part[2:]) > 0.05] or [whole]


def overlap(one: Box, other: Box) -> bool:
    """The two boxes have pixels in common."""
    return (
        one.left < other.left + other.width
        and other.left < one.left + one.width
        and one.top < other.top + other.height
        and other.top < one.top + one.height
    )
