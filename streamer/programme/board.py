"""The board: what is shown over the picture just now, as overlays for the mixer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from PIL import Image

from streamer.config.region import GraphicsSettings
from streamer.domain.errors import BadInput, StreamerError
from streamer.domain.graphics import Content, Graphic, LowerThird, Next, On, Question, parse
from streamer.domain.meeting import zone as zone_of
from streamer.programme import titles
from streamer.programme.canvas import Canvas
from streamer.programme.graphics import Box
from streamer.programme.lanes import Lanes, lay_out
from streamer.programme.overlay import Overlay
from streamer.programme.titles import Drawn, Style

log = structlog.get_logger(__name__)

EMBLEM = "emblem"
_Made = tuple[object, Box, Overlay]
"""Of one graphic: what it was drawn for, its lane, the overlay."""


class Board:
    """Graphics of one meeting. `zone` is the IANA zone of the clock; `keep_clear` a part of the
    picture that nothing may cover (the sign-language window).

    Raises FontMissing when no font has the letters, BadInput for an unknown zone. An emblem that
    cannot be used is left out and told in `faults`: the meeting goes on without it.

    `show`, `on_air` and `keep` only note what is wanted (from one thread). `overlays` draws what
    changed, some milliseconds each, and may run in a worker thread, one call at a time.
    """

    def __init__(
        self, canvas: Canvas, settings: GraphicsSettings, zone: str, *,
        keep_clear: Box | None = None, font_folders: tuple[Path, ...] | None = None,
    ) -> None:  # fmt: skip
        self._canvas = canvas
        self._zone = zone_of(zone)
        self._accent, self._folders = settings.accent, font_folders
        self.faults: list[StreamerError] = []
        self._emblem = self._load(settings.emblem)
        self._shown: Mapping[Graphic, Content | None] = {
            **dict.fromkeys(Graphic),
            Graphic.CLOCK: On() if settings.clock else None,
            Graphic.LIVE_MARK: On() if settings.live_mark else None,
        }
        self._live = False
        self._clear = keep_clear
        self._laid: tuple[Box | None, Lanes, Style] | None = None
        self._layout(keep_clear)
        self._made: dict[str, _Made] = {}
        self._without_room: set[str] = set()
        self._overlays: tuple[Overlay, ...] = ()
        self.renders: Counter[str] = Counter()
        """How often each graphic was drawn."""
        self.took_ms: dict[str, float] = {}
        """Of the last drawing of each graphic."""

    # -- what is wanted -----------------------------------------------------------------------

    def show(self, graphic: Graphic | str, content: Content | None) -> None:
        """Show `content` (of `domain.graphics.parse`) as `graphic`; None hides it."""
        try:
            kind = Graphic(graphic)
        except ValueError:
            parse(graphic, None)  # says what there is
            raise
        if content is not None and not isinstance(content, _KINDS[kind]):
            raise BadInput(f"{kind} cannot show this", code="wrong_graphics", graphic=str(kind))
        self._shown = {**self._shown, kind: content}

    def on_air(self, live: bool) -> None:
        """The live mark is seen only while `live`."""
        self._live = live

    def keep(self, clear: Box | None) -> None:
        """From now on `clear` is kept clear; nothing when None."""
        self._clear = clear

    def state(self) -> dict[str, Any]:
        """What is shown, as plain JSON, for the snapshot: texts by graphic, None: hidden."""
        return {
            str(kind): content.as_dict() if content is not None else None
            for kind, content in self._shown.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Show what `state` (of a snapshot) says; what it does not name stays. What cannot be
        read is left out: an old snapshot must not stop a run that takes over."""
        for graphic, shown in state.items():
            try:
                self.show(graphic, parse(graphic, shown))
            except BadInput as error:
                log.warning("a graphic of the snapshot is left out", error=error.message)

    # -- what is seen -------------------------------------------------------------------------

    def overlays(self, at: float) -> tuple[Overlay, ...]:
        """What is seen at POSIX second `at`. The same tuple as before when nothing changed."""
        shown, live, clear = self._shown, self._live, self._clear
        lanes, style = self._layout(clear)
        name = shown[Graphic.LOWER_THIRD]
        made = [
            self._draw(EMBLEM, self._emblem, lanes.emblem, style, _emblem),
            self._draw(
                Graphic.LIVE_MARK, shown[Graphic.LIVE_MARK] if live else None, lanes.live_mark,
                style, lambda _, lane, style: titles.live_mark(lane, style),
            ),
            self._draw(
                Graphic.CLOCK, self._time(at) if shown[Graphic.CLOCK] else None, lanes.clock,
                style, titles.clock,
            ),
            self._draw(Graphic.NEXT, shown[Graphic.NEXT], lanes.next, style, titles.next_strip),
            third := self._draw(
                Graphic.LOWER_THIRD, name, lanes.lower_third, style, titles.lower_third
            ),
            self._draw(
                Graphic.QUESTION, shown[Graphic.QUESTION],
                lanes.question(third.box if third else None), style, titles.question,
            ),
        ]  # fmt: skip
        seen = tuple(one for one in made if one is not None)
        if len(seen) != len(self._overlays) or any(
            one is not before for one, before in zip(seen, self._overlays, strict=True)
        ):
            self._overlays = seen
        return self._overlays

    def next_change(self, at: float) -> float | None:
        """POSIX second at which `overlays` changes by itself (the clock's minute), if ever."""
        return (at // 60 + 1) * 60 if self._shown[Graphic.CLOCK] else None

    def _draw(
        self, name: str, content: Any, lane: Box | None, style: Style,
        how: Callable[[Any, Box, Style], Drawn],
    ) -> Overlay | None:  # fmt: skip
        """The overlay of one graphic, drawn anew only for other content in another place."""
        if content is None:
            return None  # kept: shown again unchanged, it need not be drawn again
        if lane is None:
            if name not in self._without_room:
                log.warning("there is no room for a graphic", graphic=str(name))
            self._without_room.add(name)
            return None
        self._without_room.discard(name)
        known = self._made.get(name)
        if known is not None and known[:2] == (content, lane):
            return known[2]
        started = time.perf_counter()
        drawn = how(content, lane, style)
        overlay = Overlay.of(drawn.image, drawn.box.left, drawn.box.top)
        self._made[name] = (content, lane, overlay)
        self.renders[str(name)] += 1
        self.took_ms[str(name)] = round((time.perf_counter() - started) * 1000, 2)
        log.debug("graphic drawn", graphic=str(name), ms=self.took_ms[str(name)])
        return overlay

    def _layout(self, clear: Box | None) -> tuple[Lanes, Style]:
        if self._laid is None or self._laid[0] != clear:
            lanes = lay_out(self._canvas, clear, emblem=self._emblem is not None)
            self._laid = (clear, lanes, Style.of(lanes.unit, self._accent, self._folders))
        return self._laid[1], self._laid[2]

    def _time(self, at: float) -> str:
        return datetime.fromtimestamp(at // 60 * 60, self._zone).strftime("%H:%M")

    def _load(self, path: Path | None) -> Image.Image | None:
        if path is None:
            return None
        try:
            return titles.load_emblem(path)
        except BadInput as error:
            self.faults.append(error)
            log.warning("no emblem", error=error.message)
            return None


def _emblem(picture: Image.Image, lane: Box, _: Style) -> Drawn:
    return titles.emblem(picture, lane)


_KINDS: Mapping[Graphic, type[Content]] = {
    Graphic.LOWER_THIRD: LowerThird, Graphic.QUESTION: Question, Graphic.NEXT: Next,
    Graphic.CLOCK: On, Graphic.LIVE_MARK: On,
}  # fmt: skip
