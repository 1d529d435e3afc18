"""The encoder: raw programme in, transport stream out to the hub. Replaceable behind the hub."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from streamer.config.models import ProgrammeSettings
from streamer.media import commands, intake
from streamer.media.child import Child
from streamer.media.hub import Hub
from streamer.media.leg import Leg, Outcome
from streamer.media.pipes import RAW_PIPE_BYTES, close, pipe
from streamer.programme.mixer import Mixer

DRAIN_S = 0.5
FINISH_S = 1.5


class Encoding:
    """`attempt` is what the encoder's leg runs: one encoder child from its start to its end."""

    def __init__(
        self,
        settings: ProgrammeSettings,
        mixer: Mixer,
        hub: Hub,
        binary: str,
        *,
        languages: Sequence[str] = ("kk",),
        clean: Callable[[str], str] = str,
    ) -> None:
        """`languages`: of the mixer's sounds, one for each, the main one first."""
        self._settings, self._mixer, self._hub = settings, mixer, hub
        self._languages = tuple(languages)
        self._binary, self._clean = binary, clean

    async def attempt(self, leg: Leg) -> Outcome:
        """Encode until the child ends. Its first frame carries the present programme time."""
        picture_r, picture_w = pipe(RAW_PIPE_BYTES)
        sounds = [pipe() for _ in self._languages]
        inputs = [picture_r, *(reading for reading, _ in sounds)]
        out_r, out_w = pipe()
        os.set_blocking(out_r, False)
        # It owns the write ends from now on.
        output = self._mixer.attach_output(picture_w, *(writing for _, writing in sounds))
        child = None
        try:
            offset = output.first_tick / self._settings.fps
            argv = commands.encoder(
                self._binary, self._settings, inputs[0], inputs[1:], offset, self._languages
            )
            child = await Child.start(
                leg.id, argv, stdout=out_w, pass_fds=inputs, clean=self._clean
            )
            leg.pid = child.pid
            close(*inputs, out_w)
            inputs, out_w = [], -1
            self._hub.splice()
            await intake.pour(leg, child, out_r, self._hub)
            return Outcome(child.cause)
        finally:
            # An encoder that is still there takes what waits and finishes its last picture.
            self._mixer.detach_output(output, drain=DRAIN_S if child is not None else 0.0)
            if child is not None:
                await self._finish(child, out_r)
            await asyncio.to_thread(output.wait_closed, DRAIN_S + 1)
            close(*(fd for fd in (*inputs, out_w, out_r) if fd >= 0))

    async def _finish(self, child: Child, out_r: int) -> None:
        """Let the child end at the end of its input, its last bytes to the hub; then the ladder."""
        loop = asyncio.get_running_loop()
        until = loop.time() + FINISH_S
        while child.returncode is None and loop.time() < until:
            intake.drain(out_r, self._hub)
            await asyncio.sleep(0.02)
        intake.drain(out_r, self._hub)
        await child.stop()
