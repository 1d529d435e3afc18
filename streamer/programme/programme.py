"""What a meeting run asks of the programme, whoever makes it: the mixer, or the copying mode."""

from __future__ import annotations

from typing import Protocol

from streamer.programme.scenes import MixerState, Scene


class Programme(Protocol):
    """Commands return at once and may be called on the event loop; looks may be called from any
    thread."""

    def start(self) -> None:
        """Begin to make the programme."""
        ...

    def stop(self, timeout: float = 3.0) -> bool:
        """End it; waits up to `timeout` seconds (blocking). False when something is left."""
        ...

    def take(self, scene: Scene | str) -> None:
        """Want `scene`. BadInput for one that there is not, or not in this mode."""
        ...

    def mute(self, muted: bool) -> None:
        """Silence the programme whatever the scene, or let it be heard again."""
        ...

    def state(self) -> MixerState:
        """What it does just now."""
        ...

    def preview(self, width: int = 480) -> bytes:
        """The last picture as a JPEG; empty before the first. Some milliseconds of the caller."""
        ...
