"""How the conference link delivers a participant's picture and sound to the programme."""

from __future__ import annotations

import asyncio
from typing import Protocol


class ParticipantMedia(Protocol):
    """One participant as RTP on ports of the loopback; the link keeps sequence and time whole.

    The link owns the events: exactly one of them is set at any time. A participant that comes
    back may do so with the same object (`flowing` again) or a new one.
    """

    @property
    def sdp(self) -> str:
        """The session description: `c=IN IP4 127.0.0.1`, one `m=video` (H264 or VP8) and one
        `m=audio` (opus), either of them may be missing. The ports are bound by the programme's
        decoder and must be free. Read anew at every start of a decoder. Sender reports must come
        at least every second: picture and sound are brought together by them."""
        ...

    @property
    def flowing(self) -> asyncio.Event:
        """Set while packets are sent."""
        ...

    @property
    def gone(self) -> asyncio.Event:
        """Set while none are."""
        ...

    def want_keyframe(self) -> None:
        """Ask the sender for a keyframe; called when a decoder has bound its ports. At once."""
        ...
