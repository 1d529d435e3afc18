"""The test pattern's own name: written into its picture, and said aloud in Kazakh and Russian."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import wave

import numpy as np
from numpy.typing import NDArray

from streamer.config.models import ProgrammeSettings
from streamer.domain.errors import StreamerError, Unavailable
from streamer.domain.meeting import Names
from streamer.media import commands
from streamer.media.child import Child, secret_fd
from streamer.programme.graphics import Weight, find_font
from streamer.run.decoding import Input

RATE = 48_000
SPOKEN = (("kk", "Сынақ"), ("ru", "Тест"))
"""Languages of espeak-ng, and what is said before the name in each."""
SPEECH_S = 15.0
"""Longest time that speaking may take."""
PAUSE_S = 0.5
AFTER_S = 8
"""Seconds of beeps alone after each speech, for those who measure."""
VOICE, HUM, BEEP = 0.25, 0.02, 0.4
"""Levels. The hum of 300 Hz tells a quiet line from a dead one."""
BEEP_S = 0.04

Samples = NDArray[np.float32]


class TestPattern:
    """What one source of kind `test` shows and says. `zone` is that of its clock."""

    __test__ = False

    def __init__(self, names: Names, zone: str) -> None:
        self.names, self._zone = names, zone
        self.missing = ""
        """Why nothing is said; empty: it is said."""
        self._wav: bytes | None = None

    async def prepare(self) -> None:
        """Make the sound; once, and off the loop."""
        if self._wav is not None:
            return
        speeches = []
        for voice, word in SPOKEN:
            try:
                speeches.append(await _say(voice, f"{word}. {self.names.in_language(voice)}"))
            except Unavailable:
                self.missing = "it does not speak: the Debian package espeak-ng is not installed"
                break
            except (StreamerError, TimeoutError, OSError, ValueError) as error:
                self.missing = f"it does not speak: {error or 'espeak-ng takes too long'}"
                break
        self._wav = await asyncio.to_thread(_sound, speeches)

    def input(self, settings: ProgrammeSettings, stills: bool) -> Input:
        """The input of a decoder; `prepare` was awaited."""
        assert self._wav is not None
        text_fd = secret_fd(f"{self.names.kk}\n{self.names.ru}", "name")
        sound_fd = os.memfd_create("sound", 0)
        os.write(sound_fd, self._wav)
        font = None
        with contextlib.suppress(StreamerError):  # the slate says that a font is missing
            font = find_font(Weight.BOLD)
        flags = commands.pattern_input(
            settings, text_fd=text_fd, sound_fd=sound_fd, font=font, stills=stills
        )
        environment = {**os.environ, "TZ": self._zone}
        return Input(flags, fds=(text_fd, sound_fd), environment=environment)


async def _say(voice: str, text: str) -> Samples:
    """`text` spoken by espeak-ng, at 48 kHz. Unavailable when it is not installed."""
    fd = os.memfd_create("speech", 0)
    try:
        child = await Child.start(
            "espeak-ng", ["espeak-ng", "-v", voice, "-s", "150", "--stdout", "--", text], stdout=fd
        )
        try:
            async with asyncio.timeout(SPEECH_S):
                await child.wait()
        finally:
            await child.kill()
        size = os.fstat(fd).st_size
        return await asyncio.to_thread(_resampled, os.pread(fd, size, 0))
    finally:
        os.close(fd)


def _resampled(data: bytes) -> Samples:
    """What espeak-ng wrote: 16 bit mono, with a header whose sizes it could not know."""
    if data[:4] != b"RIFF" or (at := data.find(b"data")) < 0:
        raise ValueError("espeak-ng said nothing")
    rate = int.from_bytes(data[24:28], "little")
    body = data[at + 8 :]
    samples = np.frombuffer(body[: len(body) // 2 * 2], "<i2").astype(np.float32)
    if not len(samples) or not 8000 <= rate <= RATE:
        raise ValueError("espeak-ng said nothing")
    count = len(samples) * RATE // rate
    spoken = np.interp(np.arange(count) * (rate / RATE), np.arange(len(samples)), samples)
    loudest = max(1.0, float(np.abs(samples).max()))
    said: Samples = (spoken * (VOICE / loudest)).astype(np.float32)
    return said


def _sound(speeches: list[Samples]) -> bytes:
    """A WAV that can be repeated: whole distances of two beeps, the speeches at its beginning."""
    pause = np.zeros(round(PAUSE_S * RATE), np.float32)
    spoken = np.concatenate([part for speech in speeches for part in (pause, speech)] or [pause])
    every = commands.FLASH_EVERY_S * RATE
    length = (-(-(len(spoken) + AFTER_S * RATE) // every)) * every
    sound = np.zeros(length, np.float32)
    sound[: len(spoken)] = spoken
    at = np.arange(length)
    sound += HUM * np.sin(2 * np.pi * 300 * at / RATE)
    sound += np.where(at % every < BEEP_S * RATE, BEEP * np.sin(2 * np.pi * 1000 * at / RATE), 0)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).clip(-32768, 32767).astype("<i2").tobytes())
    return out.getvalue()
