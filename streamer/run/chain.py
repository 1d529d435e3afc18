"""The media chain of one meeting: mixer, encoder, hub, recorders, relays, wired once.

Knows how each part is made and in which order parts start and stop; knows no meeting state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamer.config.models import Destination, Mode, Source
from streamer.config.secrets import redact_url
from streamer.domain.errors import StreamerError
from streamer.domain.events import EventName
from streamer.domain.legs import LegKind
from streamer.domain.reconnect import Reconnect
from streamer.media.hub import BACKLOG, Hub
from streamer.media.leg import Attempt, Leg, LegChange
from streamer.media.recorder import HlsRecorder, LowRecorder, Master
from streamer.media.relay import Address, Relay, RelayEnd
from streamer.media.renditions import Viewing
from streamer.programme.mixer import Mixer
from streamer.programme.passing import Passing
from streamer.run.encoding import Encoding
from streamer.run.intakes import Intakes
from streamer.run.legs import Legs
from streamer.run.passing import Splicing
from streamer.run.secrets import Secrets
from streamer.run.surroundings import Surroundings

log = logging.getLogger(__name__)
QUICK = (0.0, 0.2, 0.5, 1.0)
"""Pauses of parts that are ours (feed, encoder, recorders): they must be back within two seconds.
"""
SOURCE_LEGS = ("ingest:", "receiver:", "feed:")
"""Each needs the one before it."""


class Chain:
    """All legs of a meeting. `mixer` must be started by the owner."""

    def __init__(self, around: Surroundings, mixer: Mixer | Passing, fps: int) -> None:
        self._around, self.mixer, self._fps = around, mixer, fps
        self.hub = Hub()
        self.legs = Legs()
        self._relays: dict[str, Relay] = {}
        self.intakes = Intakes(around, mixer, self._leg, self.legs.start)
        for name, source in self._taken_sources():
            self.intakes.add(source, name)
        self._add_recorders()
        self._add_encoder()
        for destination in around.spec.destinations:
            self._add_relay(destination)

    # What the owner asks for, in the order of a meeting -------------------------------------

    def start_sources(self) -> None:
        """PREPARING: whoever delivers the hall may connect."""
        for what in SOURCE_LEGS:
            for leg_id in self.legs.ids(what):
                self.legs.start(leg_id)

    def start_programme(self) -> None:
        """LINE_UP: recorders first, then the encoder, so that nothing is encoded unrecorded."""
        for leg_id in [*self.legs.ids("recorder:"), "encoder"]:
            self.legs.start(leg_id)

    def start_relays(self, *, public: bool) -> None:
        """Relays of previewable destinations; with `public` all of them."""
        for destination in self._around.spec.destinations:
            if public or destination.previewable:
                self.legs.start(f"relay:{destination.id}")

    def restart(self, leg_id: str) -> None:
        self.legs.restart(leg_id)
        if leg_id in self._relays:
            self._relays[leg_id].reset()

    async def close_relays(self) -> None:
        await self.legs.stop(self.legs.ids("relay:"))

    async def close_programme(self) -> None:
        """Encoder, then recorders: they take the last byte before they close."""
        for what in reversed(SOURCE_LEGS):
            await self.legs.stop(self.legs.ids(what))
        await self.legs.stop(["encoder"])
        await self.legs.stop(self.legs.ids("recorder:"))

    async def close(self) -> None:
        """Everything that still runs, bounded; for an end in disorder."""
        await self.legs.stop_all()
        await self.intakes.close()

    # How each part is made ------------------------------------------------------------------

    def _taken_sources(self) -> Iterator[tuple[str, Source]]:
        """Which sources are received, with their names in leg ids."""
        spec = self._around.spec
        for source in spec.sources:
            if spec.mode is not Mode.PASS or source.id == "hall":
                yield source.id, source
        for site in spec.sites:
            if spec.mode is not Mode.PASS and site.source is not None:
                yield f"site:{site.id}", site.source

    def _add_encoder(self) -> None:
        """Whoever makes the hub's bytes has this leg: the encoder, or the splicer."""
        around = self._around
        attempt: Attempt
        if isinstance(self.mixer, Passing):
            attempt = Splicing(self.mixer, self.hub, self._viewing.cut).attempt
        else:
            attempt = Encoding(
                around.spec.programme, self.mixer, self.hub, around.binary,
                languages=around.spec.sounds, clean=around.redactor.clean,
            ).attempt  # fmt: skip
        self._leg("encoder", LegKind.ENCODER, attempt, stall_s=2.0, start_s=5.0)

    def _add_recorders(self) -> None:
        around = self._around
        recording = around.spec.recording
        folders = {"a": around.folder / "master"}
        if recording.second_disk is not None:
            folders["a2"] = recording.second_disk / around.spec.id / "master"
        for name, folder in folders.items():
            master = Master(
                self.hub, folder, on_part=self._part_started, on_end=self._part_finished
            )
            self._leg(
                f"recorder:{name}", LegKind.RECORDER, master.attempt, stall_s=4.0, stall_ends=False
            )
        viewing = Viewing.of(around.spec)
        self._viewing = HlsRecorder(
            self.hub, around.folder / "hls", around.binary, recording.hls_part_s, viewing=viewing,
            on_part=self._part_started, on_end=self._part_finished,
        )  # fmt: skip
        self._leg("recorder:b", LegKind.RECORDER, self._viewing.attempt, stall_s=6.0)
        # Copying costs next to nothing; a smaller picture would cost more than all the rest of it.
        if viewing.low and not isinstance(self.mixer, Passing):
            low = LowRecorder(self.hub, self._viewing, around.binary, recording.hls_part_s, viewing)
            self._leg("recorder:low", LegKind.RECORDER, low.attempt, stall_s=8.0, start_s=30.0)

    def _add_relay(self, destination: Destination) -> None:
        around = self._around

        async def addresses() -> tuple[Address, ...]:
            wanted = [(destination.url, destination.key, False)]
            if destination.backup_url:
                key = destination.backup_key or destination.key
                wanted.append((destination.backup_url, key, True))
            return await _resolved(around.secrets, wanted, destination.ca_file)

        def connected(leg: Leg, address: Address) -> None:
            around.record(
                EventName.RELAY_CONNECTED,
                {"leg": leg.id, "destination": destination.id, "target": address.shown,
                 "backup": address.backup},
            )  # fmt: skip

        def ended(leg: Leg, end: RelayEnd) -> None:
            around.record(
                EventName.RELAY_LOST,
                {"leg": leg.id, "destination": destination.id, "target": end.address.shown,
                 "bytes": end.bytes, "seconds": round(end.seconds, 3),
                 "reason": end.outcome.reason, "act": str(end.outcome.act)},
            )  # fmt: skip

        settings, sounds = around.spec.relay, around.spec.sounds
        language = destination.language if destination.language in sounds else sounds[0]
        relay = Relay(
            self.hub, addresses, around.redactor.clean,
            connect_timeout_s=settings.connect_timeout_s, backlog=self._backlog(),
            sound=sounds.index(language), language=str(language) if len(sounds) > 1 else "",
            on_connected=connected, on_end=ended,
        )  # fmt: skip
        leg_id = f"relay:{destination.id}"
        self._relays[leg_id] = relay
        self._leg(
            leg_id, LegKind.RELAY, relay.attempt, name=destination.name, stall_s=settings.stall_s,
            start_s=settings.connect_timeout_s + 1, reconnect=Reconnect(),
        )  # fmt: skip

    def _backlog(self) -> int:
        """Ten seconds of programme in bytes, and never less than the hub's own measure."""
        programme = self._around.spec.programme
        kbits = programme.video_kbps + programme.audio_kbps
        return max(BACKLOG, 10 * kbits * 1000 // 8)

    def _leg(self, leg_id: str, kind: LegKind, attempt: Any, **more: Any) -> None:
        more.setdefault("reconnect", Reconnect(pauses=QUICK))
        self.legs.add(Leg(leg_id, kind, attempt, on_change=self._leg_changed, **more))

    # What the legs tell ---------------------------------------------------------------------

    def _leg_changed(self, change: LegChange) -> None:
        status = change.status
        self._around.record(
            EventName.LEG_STATE_CHANGED,
            {"leg": status.id, "kind": str(status.kind), "from": str(change.before),
             "to": str(status.state), "error": status.error,
             "act": str(status.act) if status.act else None, "tries": status.tries},
        )  # fmt: skip
        self._around.changed()

    def _part_started(self, leg: Leg, part: int, path: Path) -> None:
        self._around.record(
            EventName.RECORDING_PART_STARTED,
            {"leg": leg.id, "recorder": leg.id.partition(":")[2], "part": part,
             "path": self._relative(path), "programme_s": self.mixer.state().programme_s},
        )  # fmt: skip

    def _part_finished(self, leg: Leg, part: int, path: Path, size: int, reason: str) -> None:
        self._around.record(
            EventName.RECORDING_PART_FINISHED,
            {"leg": leg.id, "recorder": leg.id.partition(":")[2], "part": part,
             "path": self._relative(path), "bytes": size, "reason": reason},
        )  # fmt: skip

    def _relative(self, path: Path) -> str:
        folder = self._around.folder
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)

    def relay_processes(self) -> list[int]:
        """The processes that send at this moment."""
        return [leg.pid for leg in self._relay_legs() if leg.pid is not None]

    async def off_air(self, processes: list[int], deadline_s: float) -> float | None:
        """Seconds since bytes last moved to a destination, once none of `processes` is left.

        A process that is gone has no socket to send by. None when one is still there at the
        deadline: then nobody may believe that the meeting is off air.
        """
        try:
            async with asyncio.timeout(deadline_s):
                while await asyncio.to_thread(_left, processes):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            return None
        moved = [leg.moved_at for leg in self._relay_legs() if leg.moved_at is not None]
        return time.time() - max(moved) if moved else 0.0

    def _relay_legs(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.kind is LegKind.RELAY]


async def _resolved(
    secrets: Secrets, wanted: list[tuple[str, str, bool]], ca_file: Path | None
) -> tuple[Address, ...]:
    """The addresses whose keys can be had; raises what the first one says when none can.

    A key of the backup that is missing must not stop a primary that works.
    """
    found, faults = [], []
    for url, key, backup in wanted:
        try:
            found.append(await secrets.address(url, key, backup=backup, ca_file=ca_file))
        except StreamerError as error:
            log.warning("%s cannot be used: %s", redact_url(url), error)
            faults.append(error)
    if not found:
        raise faults[0]
    return tuple(found)


def _left(processes: list[int]) -> list[int]:
    """Which of `processes` still exist. Blocking."""
    return [pid for pid in processes if Path(f"/proc/{pid}").exists()]
