"""The direction of a meeting: who has the floor, graphics, and the sound of each feed.

What a person wants of them is an event of the journal, and the run that takes over reads it there;
nothing of it is kept anywhere else. Scene and mute belong to the meeting run itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from streamer.config.spec import MeetingSpec
from streamer.domain.errors import BadInput
from streamer.domain.events import Event, EventName
from streamer.domain.graphics import Graphic, parse
from streamer.domain.lifecycle import Command
from streamer.programme.board import Board
from streamer.programme.mixer import Mixer
from streamer.programme.programme import Programme
from streamer.programme.scenes import INTERPRETER_FEED, FeedState, Scene, site_feed
from streamer.run.intakes import Intakes
from streamer.run.surroundings import Record

log = logging.getLogger(__name__)
LOOK_S = 1.0
"""How often the graphics are looked at for what changes by itself: the clock."""
NO_SCENE = "none"
ORDERS = frozenset({
    Command.GIVE_FLOOR, Command.TAKE_FLOOR_BACK, Command.GRAPHICS, Command.SOUND,
})  # fmt: skip
"""The commands that are carried out here."""
Take = Callable[[Scene, bool], object]


class Direction:
    """Owned by the meeting run and used on its loop; `keep_graphics` is a task of the run.

    `recall` may be called before the programme is there, everything else after `attach`.
    """

    def __init__(self, spec: MeetingSpec, record: Record) -> None:
        self._spec, self._record = spec, record
        self.floor: str | None = None
        self._sounds: dict[str, dict[str, Any]] = {}
        self._shown: dict[str, Any] = {}
        self._changed = asyncio.Event()
        self._mixer: Mixer | None = None
        self._board: Board | None = None

    def attach(
        self, programme: Programme, intakes: Intakes, board: Board | None, take: Take
    ) -> None:
        """`take` takes a scene, faded or not. In the copying mode there is nothing to direct."""
        self._mixer = programme if isinstance(programme, Mixer) else None
        self._intakes, self._board, self._take = intakes, board, take

    # Over a crash ---------------------------------------------------------------------------

    def recall(self, event: Event) -> None:
        """Take over what one event of the journal says."""
        data = event.data
        match event.name:
            case EventName.FLOOR_GIVEN:
                self.floor = str(data["site"])
            case EventName.FLOOR_TAKEN_BACK:
                self.floor = None
            case EventName.GRAPHICS_CHANGED:
                self._shown[str(data["graphic"])] = data["shown"]
            case EventName.SOUND_CHANGED:
                self._sounds[str(data["feed"])] = data
            case _:
                pass

    def restore(self, *, on_air: bool) -> None:
        """What was recalled holds again."""
        if self._mixer is not None:
            self._mixer.give_floor(self.floor)
        for feed, data in self._sounds.items():
            with contextlib.suppress(BadInput):  # a feed that is not there any more
                self._set_sound(feed, data)
        if self._board is not None:
            self._board.restore(self._shown)
        self.on_air(on_air)

    def on_air(self, on_air: bool) -> None:
        """The LIVE mark is in the picture on air only."""
        if self._board is not None:
            self._board.on_air(on_air)
        self._changed.set()

    # Commands -------------------------------------------------------------------------------

    def do(self, command: Command, args: dict[str, Any], by: str) -> None:
        """Carry out one of `ORDERS`. Raises BadInput and changes nothing then."""
        if self._mixer is None:
            raise BadInput(
                "in pass mode the hall's picture is only copied; choose mode: mix for floor,"
                " graphics and sound", code="no_scene_in_pass_mode", command=str(command),
            )  # fmt: skip
        match command:
            case Command.GIVE_FLOOR:
                self._give_floor(self._mixer, args, by)
            case Command.TAKE_FLOOR_BACK:
                self._take_floor_back(self._mixer, args, by)
            case Command.GRAPHICS:
                self._graphics(args, by)
            case _:
                feed = str(args.get("feed", ""))
                self._set_sound(feed, args)
                given: dict[str, Any] = {
                    name: args[name] for name in ("gain_db", "delay_ms", "muted") if name in args
                }
                self._sounds[feed] = {**self._sounds.get(feed, {}), **given}
                self._record(
                    EventName.SOUND_CHANGED, {"feed": feed, **self._sounds[feed], "by": by}
                )

    def _give_floor(self, mixer: Mixer, args: dict[str, Any], by: str) -> None:
        site = str(args.get("site", ""))
        if site_feed(site) not in self._intakes.feeds:
            raise BadInput(
                f"the site '{site}' sends nothing: it has no source, and the conference link does"
                " not bring it",
                code="no_link", site=site,
            )  # fmt: skip
        name = str(args.get("scene") or self._spec.floor.scene)
        scene = None if name == NO_SCENE else self._scene_with(mixer, name, site)
        mixer.give_floor(site)
        self.floor = site
        self._record(EventName.FLOOR_GIVEN, {"site": site, "by": by})
        if scene is not None:
            self._take(scene, bool(args.get("fade", self._spec.floor.fade)))

    def _take_floor_back(self, mixer: Mixer, args: dict[str, Any], by: str) -> None:
        scene = mixer.check(self._spec.floor.back)
        site, self.floor = self.floor, None
        mixer.give_floor(None)
        self._record(EventName.FLOOR_TAKEN_BACK, {"site": site or "", "by": by})
        self._take(scene, bool(args.get("fade", self._spec.floor.fade)))

    @staticmethod
    def _scene_with(mixer: Mixer, name: str, site: str) -> Scene:
        """The scene with the site in it; a scene that takes no site as it is."""
        try:
            return mixer.check(f"{name}:{site}")
        except BadInput:
            return mixer.check(name)

    def _graphics(self, args: dict[str, Any], by: str) -> None:
        graphic = str(args.get("graphic", ""))
        content = parse(graphic, args.get("shown"))
        if self._board is not None:
            self._board.show(Graphic(graphic), content)
        shown = content.as_dict() if content is not None else None
        self._shown[graphic] = shown
        self._record(EventName.GRAPHICS_CHANGED, {"graphic": graphic, "shown": shown, "by": by})
        self._changed.set()

    def _set_sound(self, feed: str, args: dict[str, Any]) -> None:
        if self._mixer is None or feed not in self._intakes.feeds:
            raise BadInput(
                f"there is no feed '{feed}'; there are: {', '.join(self._intakes.feeds)}",
                code="unknown_feed", feed=feed,
            )  # fmt: skip
        if (delay := args.get("delay_ms")) is not None:
            self._intakes.set_delay(feed, int(delay))
        gain, muted = args.get("gain_db"), args.get("muted")
        self._mixer.bus.set(
            feed, gain_db=None if gain is None else float(gain),
            muted=None if muted is None else bool(muted),
        )  # fmt: skip

    def wanted_feeds(self, scene: Scene) -> list[str]:
        """What must be decoded at full rate: the hall, who has the floor, whom the scene names."""
        sites = [site for site in (scene.site, self.floor) if site]
        return ["feed:hall", INTERPRETER_FEED, *map(site_feed, sites)]

    # Graphics -------------------------------------------------------------------------------

    async def keep_graphics(self) -> None:
        """Draw what has changed, never in the mixer's thread, and hand it to the mixer."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()
            self._changed.clear()
            if self._board is None or self._mixer is None:
                continue
            try:
                overlays = await asyncio.to_thread(self._board.overlays, time.time())
                self._mixer.show_overlays(overlays)
            except Exception:
                # Graphics must never take the programme off air.
                log.exception("the graphics could not be drawn; tried again")

    # Looks ----------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Floor, graphics, sound and scenes as docs/architecture.md describes them."""
        spec, mixer = self._spec, self._mixer
        if mixer is None:
            return {"floor": None}
        sound = mixer.bus.state()
        loudness = sound.programme
        return {
            "scenes": [
                {"name": layout.name, "takes": layout.takes, "names": layout.names.model_dump()}
                for layout in spec.scenes
            ],
            "floor": self.floor,
            "graphics": self._board.state() if self._board is not None else {},
            "sound": {
                "lufs": {"m": loudness.momentary, "s": loudness.short_term,
                         "i": loudness.integrated},
                "leveller_db": round(loudness.gain_db, 1),
                "limiter_db": round(loudness.reduction_db, 1),
            },
        }  # fmt: skip

    def sound_of(self, feed: str) -> dict[str, Any]:
        """Gain, delay and mute of a feed, and whether it is a still picture."""
        if self._mixer is None:
            return {}
        one = self._mixer.bus.state().feeds.get(feed)
        return {
            "gain_db": one.gain_db if one else 0.0, "muted": one.muted if one else False,
            "delay_ms": self._intakes.delay(feed), "reduced": feed in self._intakes.reduced,
        }  # fmt: skip

    def sites(self, states: Mapping[str, FeedState]) -> list[dict[str, Any]]:
        """The sites that have a feed, in the order of the region's file."""
        return [
            {"id": site.id, "names": site.names.model_dump(), "feed": site_feed(site.id),
             "state": str(states.get(site_feed(site.id), "NONE"))}
            for site in self._spec.sites
            if site_feed(site.id) in self._intakes.feeds
        ]  # fmt: skip
