"""A relay: one try to send the programme to one address, and what its end means."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from streamer.domain.errors import Act
from streamer.domain.legs import LegState
from streamer.media.child import Child, read_lines, secret_fd
from streamer.media.hub import BACKLOG, Hub
from streamer.media.leg import Leg, Outcome
from streamer.media.pipes import close, pipe

QUICK_S = 10.0
"""A connection that a server closes sooner than this looks like a refused key."""
REFUSALS_FOR_SURE = 3
"""So many quick closings in a row, with the server reachable, look like a refusal (platforms close
the connection on a wrong key without a word). A bad line or a balancer without a server behind it
looks the same: a person is asked, and the relay goes on trying."""
BACKUP_FROM_FAILURE = 2
FAIR_SHARE = 8
"""A server takes at least the eighth part of what is sent, or it takes nothing."""

# What FFmpeg says -> who must act. Order matters; measured against real and stand-in servers.
REFUSED = re.compile(r"Server error|BadName|Unauthorized|NetStream\.Publish\.Denied", re.I)
BUSY = re.compile(r"already publishing|already in use|stream busy", re.I)
"""The server still holds our last connection: it lets go by itself."""
CERTIFICATE = re.compile(
    r"certificate (verify failed|failed verification)|unable to get local issuer|not trusted"
    r"|owner does not match", re.I,
)  # fmt: skip
UNREACHABLE = re.compile(
    r"refused|resolve|unreachable|timed out|No route|handshake response|Name or service", re.I
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to send. `url` holds the key; `shown` is the same without it."""

    url: str
    shown: str
    backup: bool = False
    ca_file: str | None = None


@dataclass(slots=True)
class RelayEnd:
    """One interval of delivery that ended."""

    address: Address
    bytes: int
    seconds: float
    outcome: Outcome


@dataclass(slots=True)
class Relay:
    """Sends to one destination; `attempt` is what its leg runs."""

    hub: Hub
    addresses: Callable[[], Awaitable[tuple[Address, ...]]]
    """Asked before every try, so that a new key is used at once. May raise StreamerError."""
    clean: Callable[[str], str]
    connect_timeout_s: float = 7.0
    backlog: int = BACKLOG
    """Bytes that may wait for this destination before it is advanced to the next keyframe."""
    sound: int = 0
    """Which of the programme's sounds is sent, counted from 0: an account takes one."""
    language: str = ""
    """Language of that sound, where it is not the only one; shown with the leg."""
    on_connected: Callable[[Leg, Address], None] = lambda leg, address: None
    on_end: Callable[[Leg, RelayEnd], None] = lambda leg, end: None
    failures: int = 0
    refusals: int = 0
    _proven: set[str] = field(default_factory=set, repr=False)
    """Addresses, with their keys, that took `QUICK_S` of programme: silence is not a refusal."""
    _index: int = 0
    _ended: dict[str, Any] = field(default_factory=dict)
    _sent: int = 0
    _taken: int = 0

    async def attempt(self, leg: Leg) -> Outcome:
        """One connection, from its start to its end."""
        addresses = await self.addresses()
        address = addresses[self._index % len(addresses)]
        said = (self.language, "backup" if address.backup else "")
        leg.target, leg.detail = address.shown, " · ".join(filter(None, said))
        before = leg.bytes
        try:
            outcome = await self._send(leg, address)
        except asyncio.CancelledError:
            outcome = Outcome(leg.error or "stopped")
            raise
        finally:
            good_for = leg.good_for
            if leg.bytes > before:
                self.on_end(leg, RelayEnd(address, leg.bytes - before, good_for, outcome))
            self._count(address, good_for, spare=len(addresses) > 1)
        return outcome

    def reset(self) -> None:
        """A person gave a new key or wants a new try."""
        self.failures = self.refusals = 0

    def _count(self, address: Address, good_for: float, *, spare: bool) -> None:
        """Choose the address of the next try: the other one from the second failure on."""
        if good_for >= QUICK_S:
            self._proven.add(address.url)
            self.failures = self.refusals = 0
        self.failures += 1
        if self.failures >= BACKUP_FROM_FAILURE and spare:
            self._index += 1
            self.failures = 0

    async def _send(self, leg: Leg, address: Address) -> Outcome:
        target = reading = writing = out_r = out_w = -1
        self._ended = {}
        self._sent = self._taken = 0
        subscription = None
        child = None
        report = None
        try:
            wanted = {
                "url": address.url, "options": self._options(address), "sound": self.sound,
            }  # fmt: skip
            target = secret_fd(json.dumps(wanted))
            reading, writing = pipe()
            out_r, out_w = pipe()
            child = await Child.start(
                leg.id,
                [sys.executable, "-I", "-m", "streamer.media.relay_child", str(target)],
                stdin=reading, stdout=out_w, pass_fds=(target,), clean=self._clean_line,
            )  # fmt: skip
            leg.pid = child.pid
            close(reading, out_w, target)
            reading = out_w = target = -1
            report = asyncio.create_task(
                read_lines(os.fdopen(out_r, "rb"), lambda line: self._heard(leg, address, line)),
                name=f"{leg.id} report",
            )
            out_r = -1
            subscription = self.hub.subscribe(leg.id, writing, backlog=self.backlog)
            await child.wait()
            await asyncio.wait({report}, timeout=2.0)
            return self._judge(leg, address, child)
        finally:
            if subscription is not None:
                self.hub.unsubscribe(subscription)  # end of input: it says goodbye to the server
            elif writing >= 0:
                close(writing)
            close(*(fd for fd in (reading, out_r, out_w, target) if fd >= 0))
            if child is not None:
                await self._dismiss(child, gently=leg.good_for > 0)
            if report is not None:
                report.cancel()
                await asyncio.gather(report, return_exceptions=True)

    def _clean_line(self, line: str) -> str:
        """What the tee muxer says is left out: it repeats the address with the key, escaped."""
        return "" if line.startswith("[tee @") else self.clean(line)

    @staticmethod
    async def _dismiss(child: Child, *, gently: bool) -> None:
        """Let the child close its stream after the end of its input, but not for long."""
        if gently and child.returncode is None:
            waiter = asyncio.ensure_future(child.wait())
            await asyncio.wait({waiter}, timeout=1.5)
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)
        await child.kill()

    def _options(self, address: Address) -> dict[str, str]:
        micro = str(int(self.connect_timeout_s * 1_000_000))
        options = {"flvflags": "no_duration_filesize", "rw_timeout": micro}
        if address.url.startswith("rtmps:"):
            options["tls_verify"] = "1"
            options["ca_file"] = address.ca_file or "/etc/ssl/certs/ca-certificates.crt"
        return options

    def _heard(self, leg: Leg, address: Address, line: bytes) -> None:
        said = json.loads(line)
        if "ended" in said:
            self._ended = said["ended"]
            return
        if not said["packets"]:  # the bytes of the greeting are not delivery
            return
        if not self._takes(said["sent"], said["taken"]):
            return
        connected = leg.state is LegState.RUNNING
        leg.moved(said["sent"], mark=said["taken"])
        if not connected and leg.state is LegState.RUNNING:
            self.on_connected(leg, address)

    def _takes(self, sent: int, taken: int | None) -> bool:
        """Whether the other side has taken a fair share of what was sent since it last did.

        The window of a program that has stopped reading still creeps for seconds: by a twentieth
        of what is sent was seen, for four seconds, on a connection that was young.
        """
        if taken is None:
            return True
        if (taken - self._taken) * FAIR_SHARE < sent - self._sent:
            return False
        self._sent, self._taken = sent, taken
        return True

    def _judge(self, leg: Leg, address: Address, child: Child) -> Outcome:
        """What the end of a child means: a bad line, or a person who must act."""
        stage = self._ended.get("stage", "killed")
        text = self.clean(str(self._ended.get("error", ""))) or f"ended with {child.returncode}"
        words = f"{text}\n{child.last_words}"
        if stage == "killed":
            return Outcome(f"the relay process was killed ({text})")
        if stage == "open" and CERTIFICATE.search(words):
            return Outcome(
                "the server's certificate is not trusted; correct the address or ca_file"
                f" ({text})", Act.CORRECT_SETTING,
            )  # fmt: skip
        if BUSY.search(words):
            return Outcome(f"the server still holds the last connection ({text})")
        if stage in ("open", "send") and REFUSED.search(words):
            return Outcome(f"the server refuses the key; give a new key ({text})", Act.SIGN_IN)
        if stage in ("open", "send") and not UNREACHABLE.search(words):
            return self._hung_up(f"{stage}: {text}", address, leg.good_for)
        self.refusals = 0
        return Outcome(f"{stage}: {text}")

    def _hung_up(self, text: str, address: Address, good_for: float) -> Outcome:
        """The server was there and closed the connection without a word."""
        if good_for >= QUICK_S or address.url in self._proven:
            self.refusals = 0
            return Outcome(text)
        self.refusals += 1
        if self.refusals < REFUSALS_FOR_SURE:
            return Outcome(text)
        return Outcome(
            f"the server hangs up at once, {self.refusals} times in a row: probably the key"
            f" is wrong or has expired; check it. It is tried again all the same ({text})",
            Act.SIGN_IN, retry=True,
        )  # fmt: skip
