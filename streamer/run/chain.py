"""The media chain of one meeting: mixer, encoder, hub, recorders, relays, wired once.

Knows how each part is made and in which order parts start and stop; knows no meeting state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.config.models import Destination, Source
from streamer.config.secrets import Redactor
from streamer.config.spec import MeetingSpec
from streamer.domain.events import EventName
from streamer.domain.legs import LegKind
from streamer.domain.reconnect import Reconnect
from streamer.media.hub import BACKLOG, Hub
from streamer.media.ingest import RtmpIngest
from streamer.media.leg import Leg, LegChange
from streamer.media.recorder import HlsRecorder, Master
from streamer.media.relay import Address, Relay, RelayEnd
from streamer.programme.mixer import Mixer
from streamer.run.encoding import Encoding
from streamer.run.legs import Legs
from streamer.run.receiving import Receiver
from streamer.run.secrets import Secrets
from streamer.run.sources import Feed

QUICK = (0.0, 0.2, 0.5, 1.0)
"""Pauses of parts that are ours (feed, encoder, recorders): they must be back within two seconds.
"""
SOURCE_LEGS = ("ingest:", "receiver:", "feed:")
"""Each needs the one before it."""
Record = Callable[[EventName, dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the chain needs of the run that owns it."""

    spec: MeetingSpec
    folder: Path
    binary: str
    secrets: Secrets
    redactor: Redactor
    record: Record
    changed: Callable[[], None]


class Chain:
    """All legs of a meeting. `mixer` must be started by the owner."""

    def __init__(self, around: Surroundings, mixer: Mixer, fps: int) -> None:
        self._around, self.mixer, self._fps = around, mixer, fps
        self.hub = Hub()
        self.legs = Legs()
        self._relays: dict[str, Relay] = {}
        self._ingests: list[RtmpIngest] = []
        self.ingest_shown: list[dict[str, Any]] = []
        for source in around.spec.sources:
            self._add_source(source)
        self._add_encoder()
        self._add_recorders()
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
        for ingest in self._ingests:
            await ingest.close()

    # How each part is made ------------------------------------------------------------------

    def _add_source(self, source: Source) -> None:
        spec, around = self._around.spec, self._around
        ingest = None
        feed_id = f"feed:{source.id}"
        self.ingest_shown.append(
            {"feed": feed_id, "kind": str(source.kind), "address": _ingest_address(source),
             "key_hint": str(source.passphrase or source.key or "")}
        )  # fmt: skip

        def refused(address: str, reason: str) -> None:
            around.record(
                EventName.INGEST_REFUSED, {"feed": feed_id, "address": address, "reason": reason}
            )

        if source.kind == "rtmp":
            ingest = RtmpIngest(
                source.id, source.host, source.port or 1935, around.folder,
                key=lambda: around.secrets.value(source.key) if source.key else _no_key(),
                on_refused=refused,
            )  # fmt: skip
            self._ingests.append(ingest)
            self._leg(f"ingest:{source.id}", LegKind.INGEST, ingest.attempt, stall_s=6.0)
        receiver = None
        if source.kind in ("srt", "rtmp"):
            receiver = Receiver(
                source, around.binary, around.secrets, ingest=ingest, on_refused=refused,
                clean=around.redactor.clean,
            )  # fmt: skip
            self._leg(
                f"receiver:{source.id}", LegKind.INGEST, receiver.attempt, stall_s=4.0, start_s=None
            )
        feed = Feed(
            source, spec.programme, self.mixer, around.binary, receiver=receiver,
            clean=around.redactor.clean,
        )  # fmt: skip
        self._leg(feed_id, LegKind.FEED, feed.attempt, stall_s=4.0, start_s=None)

    def _add_encoder(self) -> None:
        around = self._around
        encoding = Encoding(
            around.spec.programme, self.mixer, self.hub, around.binary, clean=around.redactor.clean
        )
        self._leg("encoder", LegKind.ENCODER, encoding.attempt, stall_s=2.0, start_s=5.0)

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
            self._leg(f"recorder:{name}", LegKind.RECORDER, master.attempt, stall_s=4.0)
        viewing = HlsRecorder(
            self.hub, around.folder / "hls", around.binary, recording.hls_part_s,
            on_part=self._part_started, on_end=self._part_finished,
        )  # fmt: skip
        self._leg("recorder:b", LegKind.RECORDER, viewing.attempt, stall_s=6.0)

    def _add_relay(self, destination: Destination) -> None:
        around = self._around

        async def addresses() -> tuple[Address, ...]:
            secrets, ca = around.secrets, destination.ca_file
            found = [await secrets.address(destination.url, destination.key, ca_file=ca)]
            if destination.backup_url:
                key = destination.backup_key or destination.key
                found.append(
                    await secrets.address(destination.backup_url, key, backup=True, ca_file=ca)
                )
            return tuple(found)

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

        settings = around.spec.relay
        relay = Relay(
            self.hub, addresses, around.redactor.clean,
            connect_timeout_s=settings.connect_timeout_s, backlog=self._backlog(),
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

    async def off_air(self, quiet_s: float, deadline_s: float) -> bool:
        """True when no relay has moved a byte for `quiet_s`; False at the deadline."""
        relays = [leg for leg in self.legs if leg.kind is LegKind.RELAY]
        loop = asyncio.get_running_loop()
        until, last, since = loop.time() + deadline_s, -1, loop.time()
        while loop.time() < until:
            total = sum(leg.bytes for leg in relays)
            if total != last:
                last, since = total, loop.time()
            elif loop.time() - since >= quiet_s:
                return True
            await asyncio.sleep(0.1)
        return False


def _ingest_address(source: Source) -> str:
    match source.kind:
        case "srt":
            return f"srt://{source.host}:{source.port}"
        case "rtmp":
            return f"rtmp://{source.host}:{source.port}/live"
        case _:
            return str(source.kind)


async def _no_key() -> str:
    raise RuntimeError("an RTMP source without a key passed the configuration check")
