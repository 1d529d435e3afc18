"""The child that sends to one destination: `python -m streamer.media.relay_child TARGET_FD`.

Copies the transport stream on stdin to the RTMP(S) address that it reads, as JSON, from the
descriptor TARGET_FD: a key never stands in argv or in the environment. The work is FFmpeg's
(through PyAV): demultiplex, rebase the timestamps of this connection to zero, multiplex, send.

On stdout one JSON line every half second: `{"sent": bytes, "taken": bytes, "packets": n}`,
where `taken` proves that the other side's program reads (`tcp_taken`). The last line says how it
ended: `{"ended": {"stage": "open"|"send"|"input", "error": text}}`.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import sys
import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.logging

REPORT_S = 0.5
BYTES_ACKED, SEND_WINDOW = 120, 228
"""Offsets in struct tcp_info (include/uapi/linux/tcp.h; the second since Linux 5.4)."""
INPUT_OPTIONS = {
    # Our own encoder's stream: PSI and a keyframe with its headers come first, nothing to guess.
    # Not `nobuffer`: that throws away what was probed, the first two seconds of a connection.
    "probesize": "200000", "analyzeduration": "100000", "fpsprobesize": "0",
}  # fmt: skip


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def tcp_taken() -> int | None:
    """How far the peers' programs have read, in bytes; None without a TCP socket.

    It is the right edge of the window they advertise: what they have acknowledged, and what they
    still have room for. A frozen program's kernel goes on acknowledging megabytes into its buffer
    (14 s at 3 Mbit/s were seen), but the right edge stands still at once.
    """
    total: int | None = None
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                continue
            with socket.socket(fileno=os.dup(fd)) as peer:
                info = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:  # not TCP, or closed between the two looks
            continue
        edge = int(struct.unpack_from("<Q", info, BYTES_ACKED)[0])
        if len(info) >= SEND_WINDOW + 4:
            edge += int(struct.unpack_from("<I", info, SEND_WINDOW)[0])
        total = (total or 0) + edge
    return total


class Reporter(threading.Thread):
    """Says every half second what has moved, also while a send blocks."""

    def __init__(self) -> None:
        super().__init__(name="reporter", daemon=True)
        self.sent = self.packets = 0
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(REPORT_S):
            say(sent=self.sent, taken=tcp_taken(), packets=self.packets)

    def finish(self) -> None:
        self._end.set()
        self.join(2.0)


@dataclass(slots=True)
class Track:
    """One stream on its way. `shift` and `last` are in the stream's own time base."""

    out: Any
    shift: int
    last: int = -1


class Headers:
    """Tells the muxer the headers of a picture or a sound that changes its form on the way.

    The hub's stream carries them in itself (SPS and PPS before each keyframe, ADTS before each
    frame); FLV wants them apart. A packet that brings others takes them along as side data, and
    the FLV muxer sends a new sequence header before it, in the same connection.
    """

    def __init__(self, streams: dict[int, Any]) -> None:
        self._streams = streams
        self._picture: dict[int, av.BitStreamFilterContext] = {}
        self._sound: dict[int, tuple[bytes, av.BitStreamFilterContext]] = {}

    def told(self, packet: Any) -> Any:
        """`packet`, or the one that takes its place."""
        index = packet.stream_index
        stream = self._streams[index]
        if stream.type == "video":
            if not packet.is_keyframe or stream.codec_context.name != "h264":
                return packet
            if index not in self._picture:
                self._picture[index] = av.BitStreamFilterContext("extract_extradata", stream)
            return _filtered(self._picture[index], packet)
        head = bytes(memoryview(packet)[:4])
        if len(head) < 4 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
            return packet
        form = bytes((head[2] & 0xFD, head[3] & 0xC0))
        known = self._sound.get(index)
        if known is None or known[0] != form:
            # The filter tells its first frame's form only: another form wants another filter.
            known = self._sound[index] = form, av.BitStreamFilterContext("aac_adtstoasc", stream)
        return _filtered(known[1], packet)


def _filtered(filter_: av.BitStreamFilterContext, packet: Any) -> Any:
    """What comes out for `packet`; the packet as it is when the filter has nothing to say."""
    time_base = packet.time_base
    made = filter_.filter(packet)
    if not made:
        return packet
    made[0].time_base = time_base
    return made[0]


class Copy:
    """One copy of picture and sound, timestamps rebased so that this connection begins at zero.

    Of several sounds it is the one with the number `sound`; the first where there is none such:
    an account without sound is closed by its platform.
    """

    def __init__(self, source: Any, target: Any, sound: int = 0) -> None:
        self._target = target
        sounds = list(source.streams.audio)
        heard = sounds[sound : sound + 1] or sounds[:1]
        self._kept = [*source.streams.video[:1], *heard]
        self._video = next(s.index for s in self._kept if s.type == "video")
        self._out = {s.index: target.add_stream_from_template(s) for s in self._kept}
        self._tracks: dict[int, Track] = {}
        self._headers = Headers({s.index: s for s in self._kept})

    def packet(self, packet: Any) -> int:
        """Send one packet; returns its bytes, 0 when it was left out."""
        dts, index = packet.dts, packet.stream_index
        if dts is None:
            return 0
        if not self._tracks:
            if index != self._video or not packet.is_keyframe:
                return 0
            self._begin(dts * packet.time_base)
        track = self._tracks.get(index)
        if track is None:
            return 0
        dts -= track.shift
        # Sound from before the first picture, and the seam between two encoders.
        if dts <= track.last:
            return 0
        packet = self._headers.told(packet)
        packet.pts, packet.dts, track.last = packet.pts - track.shift, dts, dts
        packet.stream = track.out
        size = int(packet.size)
        self._target.mux(packet)
        return size

    def _begin(self, start: Fraction) -> None:
        """The first picture is time zero of every track."""
        self._tracks = {
            s.index: Track(self._out[s.index], int(start / s.time_base)) for s in self._kept
        }


def slave(url: str, options: dict[str, str]) -> str:
    """The output in the words of FFmpeg's tee muxer.

    Why a tee of one: PyAV gives options to the muxer only, never to the connection under it, so
    that certificates would not be checked. The tee muxer opens the connection with all of them.
    """
    given = ":".join(f"{name}={_escaped(text, ':]')}" for name, text in options.items())
    return _escaped(f"[f=flv:{given}]{url}", "|")


def _told(error: av.FFmpegError | OSError) -> str:
    """The error without the name of the output, which holds the key."""
    return f"[Errno {error.errno}] {error.strerror}"


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{c}" if c in special or c in "\\' " else c for c in text)


def relay(target: dict[str, Any], reporter: Reporter) -> tuple[str, str]:
    """Copy until the input ends; returns the stage that ended it, and the error's text."""
    try:
        source = av.open("pipe:0", format="mpegts", options=INPUT_OPTIONS)
    except (av.FFmpegError, OSError) as error:
        return "input", _told(error)
    stage = "open"
    try:
        out = av.open(slave(target["url"], target["options"]), "w", format="tee")
        copy = Copy(source, out, int(target.get("sound", 0)))
        out.start_encoding()
        stage = "send"
        for packet in source.demux():
            size = copy.packet(packet)
            if size:
                reporter.sent += size
                reporter.packets += 1
        out.close()
    except (av.FFmpegError, OSError) as error:
        return stage, _told(error)
    return "input", "the programme ended"


def main() -> None:
    fd = int(sys.argv[1])
    with os.fdopen(fd, "rb") as stream:
        target = json.load(stream)
    av.logging.set_level(av.logging.WARNING)
    av.logging.restore_default_callback()  # the library's own words go to stderr, read by us
    reporter = Reporter()
    reporter.start()
    stage, error = relay(target, reporter)
    reporter.finish()
    say(sent=reporter.sent, taken=tcp_taken(), packets=reporter.packets)
    say(ended={"stage": stage, "error": error})
    # The library may sit in a blocked send of a half-closed socket: leave without its clean-up.
    os._exit(0 if stage == "input" else 1)


if __name__ == "__main__":
    main()
