"""The meeting run: owner of everything live about one meeting.

One process per meeting. Its state changes here and nowhere else between PREPARING and ENDING;
commands come through one inbox, what happened goes to the journal first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import uuid
from pathlib import Path
from typing import Any

from streamer.config.models import Mode
from streamer.config.secrets import Redactor
from streamer.config.spec import MeetingSpec
from streamer.domain import lifecycle
from streamer.domain.errors import BadInput, StreamerError, Unavailable
from streamer.domain.events import Event, EventName
from streamer.domain.lifecycle import Command
from streamer.domain.meeting import MeetingState
from streamer.media import commands, hls
from streamer.media.renditions import Viewing
from streamer.programme import scenes
from streamer.programme.board import Board
from streamer.programme.bus import SoundBus
from streamer.programme.canvas import Canvas
from streamer.programme.mixer import Mixer
from streamer.programme.passing import Passing
from streamer.programme.scenes import HALL, SLATE, Scene
from streamer.run import capacity
from streamer.run.chain import Chain
from streamer.run.cleaning import cleaned
from streamer.run.clock import ProgrammeClock
from streamer.run.direction import ORDERS, Direction
from streamer.run.folder import put_aside
from streamer.run.journal import Journal
from streamer.run.outbox import Outbox
from streamer.run.scenes import cards_of, layouts_of
from streamer.run.secrets import Secrets
from streamer.run.slate import slate_of
from streamer.run.snapshot import Reporter
from streamer.run.surroundings import Surroundings
from streamer.store.live import CommandMessage, Live

log = logging.getLogger(__name__)
OFF_AIR_DEADLINE_S = 15.0
CLOSE_TRIES = 60
CLOSE_PAUSE_S = 5.0
COMPOSE_S = 0.5


class MeetingRun:
    """Create it, then await `run`; it returns when the meeting needs no run any more."""

    def __init__(
        self,
        spec: MeetingSpec,
        live: Live,
        *,
        worker: str,
        ffmpeg: Path | None = None,
        database_url: str | None = None,
        redactor: Redactor | None = None,
        feeds: int | None = None,
    ) -> None:
        self.spec, self.live, self.worker = spec, live, worker
        self.id = uuid.uuid4().hex[:12]
        self.folder = spec.home / "meetings" / spec.id
        self.state = MeetingState.PREPARING
        self.since = time.time()
        self.on_air_since: float | None = None
        self.muted = False
        self.scene = SLATE
        """The scene that a person or the start of the meeting asked for; kept over a crash."""
        self.journal = Journal(self.folder / "as-run.ndjson", spec.id)
        self.outbox = Outbox(live, self.record)
        redactor = redactor or Redactor()
        self._secrets = Secrets(redactor, database_url, spec.home / "secret.key")
        self._redactor, self._binary = redactor, commands.ffmpeg_path(ffmpeg)
        self._feeds = feeds
        self._changed = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._position = "0"
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        """Done when the meeting needs no run any more; fails when this one cannot go on."""
        self._dropped_before = 0
        self.direction = Direction(spec, self.record)
        self._reporter = Reporter(self)

    # Life -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take the meeting up where it stands and serve it to its end."""
        await asyncio.to_thread(self.journal.open)
        resumed = self._recall()
        if not resumed:
            await asyncio.to_thread(put_aside, self.folder)
        clock = await asyncio.to_thread(
            ProgrammeClock.open, self.folder / "run.json", self.spec.programme.fps
        )
        await self._build(clock)
        self.record(
            EventName.RUN_STARTED,
            {"run": self.id, "worker": self.worker, "pid": os.getpid(), "resumed": resumed},
        )
        if not resumed:
            self.record(EventName.CONFIGURATION_FROZEN, {"sha256": self.spec.sha256})
            self.on_air_since, self.muted = None, False
            self._moved(MeetingState.PLANNED, Command.PREPARE, "schedule", "")
        self._bring_up()
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in {
                "journal": self.journal.keep_durable(),
                "outbox": self.outbox.run(),
                "inbox": self._serve_inbox(),
                "reporter": self._reporter.run(),
                "playlist": self._compose(),
                "graphics": self.direction.keep_graphics(),
                "done": self._wait_done(),
            }.items()
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a side task that died is a fault of ours: end loudly, be restarted
        finally:
            await self._shut(tasks)

    async def _build(self, clock: ProgrammeClock) -> None:
        settings = self.spec.programme
        canvas = Canvas(settings.width, settings.height, settings.fps)
        self.mixer: Mixer | Passing
        board = None
        if self.spec.mode is Mode.PASS:
            self.mixer = Passing(
                canvas, lambda size: slate_of(self.spec, size).still(), epoch=clock.epoch,
                on_change=self._programme_changed,
            )  # fmt: skip
        else:
            self.mixer, board = await asyncio.to_thread(self._mixing, canvas, clock)
        self.mixer.take(SLATE)
        feeds = self._feeds or await asyncio.to_thread(
            capacity.known, self.spec.home, self._binary, settings
        )
        self.chain = Chain(
            Surroundings(
                self.spec, self.folder, self._binary, self._secrets, self._redactor,
                self.record, self._changed.set, feeds,
            ),
            self.mixer, settings.fps,
        )  # fmt: skip
        self.direction.attach(
            self.mixer, self.chain.intakes, board, lambda scene, fade: self._take(scene, fade=fade)
        )
        self.mixer.start()

    def _mixing(self, canvas: Canvas, clock: ProgrammeClock) -> tuple[Mixer, Board]:
        """The mixer with its slate, cards, sound and graphics. Blocking: fonts are looked for."""
        spec = self.spec
        cards = cards_of(spec, canvas)
        mixer = Mixer(
            canvas, slate_of(spec, canvas), start_tick=clock.next_tick(),
            on_change=self._from_mixer, layouts=layouts_of(spec), cards=cards,
            bus=SoundBus(canvas, spec.sound, languages=len(spec.sounds)),
        )  # fmt: skip
        cards.draw_soon()
        board = Board(canvas, spec.graphics, spec.zone, keep_clear=mixer.sign_box)
        return mixer, board

    def _recall(self) -> bool:
        """State, sound and place in the inbox as the journal knows them; False when it is new."""
        finished = False
        for event in self.journal.events:
            data = event.data
            self.direction.recall(event)
            match event.name:
                case EventName.MEETING_STATE_CHANGED:
                    self.state, self.since = MeetingState(data["to"]), event.at
                    if self.state is MeetingState.LIVE:
                        self.on_air_since = event.at
                        self.scene = HALL
                case EventName.MUTED:
                    self.muted = bool(data["muted"])
                case EventName.COMMAND_DONE | EventName.COMMAND_REFUSED:
                    self._position = data.get("position", self._position)
                    with contextlib.suppress(BadInput):  # a scene of a newer version
                        self.scene = Scene.parse(data.get("scene", str(self.scene)))
                case EventName.RUN_FINISHED:
                    finished = True
                case EventName.RUN_STARTED:
                    finished = False
                case _:
                    pass
            self.outbox.put(event)  # what Redis has already, the projection takes once
        if finished and self.state is MeetingState.POSTPONED:
            return False  # it was given a new date and is prepared again
        if finished:
            self._finish()
        return bool(self.journal.events)

    def _bring_up(self) -> None:
        """Start what is true in the present state; also after a run before us was killed."""
        if self._over.done():
            return
        chain, state = self.chain, self.state
        if state.running and state is not MeetingState.ENDING:
            chain.start_sources()
        if state in (MeetingState.LINE_UP, MeetingState.LIVE):
            chain.start_programme()
            chain.start_relays(public=state is MeetingState.LIVE)
            try:
                self._take(self.scene)
            except BadInput:  # a scene of a newer version
                self._take(HALL if state is MeetingState.LIVE else SLATE)
            self.mixer.mute(self.muted)
            self.direction.restore(on_air=state is MeetingState.LIVE)
        if state is MeetingState.ENDING or not state.running:
            self._begin_end()

    async def _shut(self, tasks: list[asyncio.Task[None]]) -> None:
        if self._ending is not None and not self._ending.done():
            self._ending.cancel()
        await self.chain.close()
        await asyncio.to_thread(self.mixer.stop)
        await self.outbox.drain(3.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self.journal.close)

    async def _wait_done(self) -> None:
        await self._over
        await self.outbox.drain(5.0)

    # Record ---------------------------------------------------------------------------------

    def record(self, name: EventName, data: dict[str, Any]) -> Event:
        """Put one event on record: journal first, then whoever listens. Event loop only."""
        event = self.journal.append(name, cleaned(data, self._redactor.clean))
        self.outbox.put(event)
        self._changed.set()
        return event

    @property
    def _over_or_ending(self) -> bool:
        return self._ending is not None or self._over.done()

    def _from_mixer(self, change: scenes.Change) -> None:
        """Called in the mixer's thread."""
        self._loop.call_soon_threadsafe(self._programme_changed, change)

    def _programme_changed(self, change: scenes.Change) -> None:
        match change:
            case scenes.SourceLost() if self._over_or_ending:
                pass  # we closed it ourselves
            case scenes.SourceLost():
                self.record(
                    EventName.SOURCE_LOST, {"feed": change.feed, "programme_s": change.programme_s}
                )
            case scenes.SourceBack():
                self.record(
                    EventName.SOURCE_BACK,
                    {"feed": change.feed, "programme_s": change.programme_s,
                     "seconds": change.seconds},
                )  # fmt: skip
            case scenes.SourceChanged():
                self.record(
                    EventName.SOURCE_CHANGED,
                    {"feed": change.feed, "before": change.before, "after": change.after},
                )
            case scenes.SceneShown():
                self.record(
                    EventName.SCENE_TAKEN,
                    {"scene": str(change.scene), "programme_s": change.programme_s,
                     "automatic": change.automatic, "by": ""},
                )  # fmt: skip
            case scenes.OutputDropping():
                self._encoder_drops(change)
            case scenes.MixerFailed():
                # Nothing can be mended inside; a new process takes the meeting up.
                self._break(RuntimeError(f"the mixer failed: {change.error}"))
            case _:
                log.warning("programme: %s", change)
        self._changed.set()

    def _encoder_drops(self, change: scenes.OutputDropping) -> None:
        """An encoder that does not take a whole second of programme hangs, and its time lags."""
        if change.over:
            self._dropped_before = change.ticks
        elif change.ticks - self._dropped_before >= self.spec.programme.fps:
            self._dropped_before = 0  # the next encoder counts anew
            self.chain.restart("encoder")

    def _moved(self, before: MeetingState, command: Command, by: str, reason: str) -> None:
        self.state, self.since = lifecycle.after(before, command), time.time()
        self.record(
            EventName.MEETING_STATE_CHANGED,
            {"from": str(before), "to": str(self.state), "command": str(command), "by": by,
             "reason": reason},
        )  # fmt: skip

    # Commands -------------------------------------------------------------------------------

    async def _serve_inbox(self) -> None:
        while True:
            try:
                messages = await self.live.commands(self.spec.id, self._position, block_ms=1000)
            except Unavailable:
                await asyncio.sleep(0.5)  # the outbox says it; commands wait in Redis
                continue
            for position, message in messages:
                self._position = position
                await self._answer(position, message)

    async def _answer(self, position: str, message: CommandMessage) -> None:
        """Do one command; the answer is an event that carries its id."""
        head = {"id": message.id, "command": str(message.command), "by": message.by,
                "position": position}  # fmt: skip
        try:
            self.do(message.command, message.args, message.by)
        except StreamerError as error:
            self.record(EventName.COMMAND_REFUSED, {**head, "error": error.as_dict()})
        except Exception as error:
            # A command that breaks us must be answered once, not at every start of a run again.
            log.exception("the command %s broke", message.command)
            fault = StreamerError(f"{type(error).__name__}: {error}", code="our_fault")
            self.record(EventName.COMMAND_REFUSED, {**head, "error": fault.as_dict()})
        else:
            # The snapshot first: who reads that it is done may give the next command at once.
            await self._reporter.now()
            self.record(EventName.COMMAND_DONE, {**head, "scene": str(self.scene)})

    def do(self, command: Command, args: dict[str, Any], by: str) -> None:
        """Carry out one command. Raises NotAllowed or BadInput and changes nothing then."""
        lifecycle.after(self.state, command)
        match command:
            case Command.LINE_UP:
                self._moved(self.state, command, by, "")
                self.chain.start_programme()
                self.chain.start_relays(public=False)
            case Command.GO_LIVE:
                self._moved(self.state, command, by, "")
                self.on_air_since = time.time()
                self.chain.start_relays(public=True)
                self.mixer.mute(self.muted)
                self.direction.on_air(True)
                self._take(HALL)
            case Command.END | Command.CANCEL | Command.POSTPONE:
                self._moved(self.state, command, by, str(args.get("reason", "")))
                self._begin_end()
            case Command.SLATE:
                self._take(SLATE)
            case Command.TAKE_SCENE:
                scene = self.mixer.check(str(args.get("scene", "")))
                self._take(scene, fade=bool(args.get("fade", False)))
            case Command.MUTE:
                self.muted = bool(args.get("muted", True))
                self.mixer.mute(self.muted)
                self.record(EventName.MUTED, {"muted": self.muted, "by": by})
            case Command.RESTART_LEG:
                self.chain.restart(str(args.get("leg", "")))
            case _ if command in ORDERS:
                self.direction.do(command, args, by)
            case _:
                raise BadInput(f"'{command}' is not for a run", code="not_allowed")
        self._changed.set()

    def _end_loudly(self, task: asyncio.Task[None]) -> None:
        """An ending that broke is a fault of ours: this process goes, the next one ends it."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._break(error)

    def _break(self, error: BaseException) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _begin_end(self) -> None:
        self._ending = asyncio.create_task(self._end(), name="ending")
        self._ending.add_done_callback(self._end_loudly)

    def _take(self, scene: Scene, *, fade: bool = False) -> None:
        self.mixer.take(scene, fade)
        self.scene = scene
        self.chain.intakes.want(self.direction.wanted_feeds(scene))

    async def _end(self) -> None:
        """Slate and silence first, then outputs, OFF AIR from bytes, recorders last."""
        was_on_air = self.on_air_since is not None
        self.mixer.take(SLATE)
        self.mixer.mute(True)
        if was_on_air and self.chain.legs.running("encoder"):
            await asyncio.sleep(self.spec.schedule.off_air_slate.total_seconds())
        sending = self.chain.relay_processes()
        await self.chain.close_relays()
        quiet = await self.chain.off_air(sending, OFF_AIR_DEADLINE_S)
        if quiet is None:
            self.record(EventName.OFF_AIR_NOT_CONFIRMED, {"seconds": OFF_AIR_DEADLINE_S})
        else:
            self.record(EventName.OFF_AIR_CONFIRMED, {"seconds": round(quiet, 2)})
        await self.chain.close_programme()
        await self._close_playlist()
        await self._reporter.last_word()
        self.record(EventName.RUN_FINISHED, {"run": self.id})
        self._finish()

    async def _close_playlist(self) -> None:
        """Close the viewing copy; a disk that is full may be freed in the next minutes."""
        for left in reversed(range(CLOSE_TRIES)):
            try:
                await asyncio.to_thread(
                    hls.write_composed, self.folder, True, Viewing.of(self.spec)
                )
            except OSError as error:
                if left == CLOSE_TRIES - 1:
                    self._disk_problem(error)
                await asyncio.sleep(CLOSE_PAUSE_S)
            else:
                return

    def _disk_problem(self, error: OSError) -> None:
        self.record(
            EventName.DISK_PROBLEM,
            {"path": str(self.folder), "error": error.strerror or str(error),
             "act": "correct_setting"},
        )  # fmt: skip

    # The viewing copy -----------------------------------------------------------------------

    async def _compose(self) -> None:
        """Keep the composed playlist as new as the parts; a disk in trouble is said once."""
        composer, trouble = hls.Composer(self.folder, Viewing.of(self.spec)), False
        while True:
            await asyncio.sleep(COMPOSE_S)
            if not self.chain.legs.running("recorder:b"):
                continue
            try:
                await asyncio.to_thread(composer.write, False)
            except OSError as error:
                if not trouble:
                    self._disk_problem(error)
                trouble = True
            else:
                if trouble:
                    self.record(EventName.DISK_RECOVERED, {"path": str(self.folder)})
                trouble = False
