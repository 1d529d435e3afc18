"""What arrived, counted from files: frames, timestamps, pictures, sound.

Plain functions that read files and take their time: call them in a thread
(`asyncio.to_thread`), never on the event loop. All of them take recordings that still grow or
were cut off, and read as far as there is something whole.
"""

from streamer.demo.measure.files import Times, timestamps
from streamer.demo.measure.identity import Delivery, Frame, Missing, compare, frames
from streamer.demo.measure.picture import (
    FrameRead,
    Outage,
    Picture,
    Shown,
    Standstill,
    read_picture,
)
from streamer.demo.measure.sound import AvOffset, Sound, Span, av_offset, read_sound

__all__ = [
    "AvOffset",
    "Delivery",
    "Frame",
    "FrameRead",
    "Missing",
    "Outage",
    "Picture",
    "Shown",
    "Sound",
    "Span",
    "Standstill",
    "Times",
    "av_offset",
    "compare",
    "frames",
    "read_picture",
    "read_sound",
    "timestamps",
]
