"""What a meeting run asks of the programme, whoever makes it: the mixer, or the copying mode."""

from __future__ import annotations

from typing import Protocol

from streamer.config.models import DetectorSettings
from streamer.domain.signals import SignalFault, SignalRecovered
from streamer.programme.scenes import MixerState, Scene


class Watching(Protocol):
    """What is needed of `Watch`."""

    def configure(self, settings: DetectorSettings) -> None: ...

    def look(self, now: float) -> list[SignalFault | SignalRecovered]: ...

    def meters(self) -> dict[str, tuple[float, float]]: ...

    def rms(self) -> dict[str, float]: ...

    def feeds(self) -> list[str]: ...


class Programme(Protocol):
    """Commands return at once and may be called on the event loop; looks may be called from any
    thread."""

    def start(self) -> None:
        """Begin to make the programme."""
        ...

    def stop(self, timeout: float = 3.0) -> bool:
        """End it; waits up to `timeout` seconds (blocking). False when something is left."""
        ...

    def take(self, scene: Scene | str, fade: bool = False) -> None:
        """Want `scene`. BadInput for one that there is not, or not in this mode."""
        ...

    def check(self, scene: Scene | str) -> Scene:
        """The scene as this programme knows it; BadInput with the possible ones."""
        ...

    def mute(self, muted: bool) -> None:
        """Silence the programme whatever the scene, or let it be heard again."""
        ...

    def state(self) -> MixerState:
        """What it does just now."""
        ...

    @property
    def watch(self) -> Watching:
        """Meters and detectors."""
        ...

    def feed_preview(self, feed_id: str, width: int = 240) -> bytes:
        """The last picture of a feed as a JPEG; empty when there is none."""
        ...

    def preview(self, width: int = 480) -> bytes:
        """The last picture as a JPEG; empty before the first. Some milliseconds of the caller."""
        ...
