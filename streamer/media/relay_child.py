"""The child that sends to one destination: `python -m streamer.media.relay_child TARGET_FD`.

Copies the transport stream on stdin to the RTMP(S) address that it reads, as JSON, from the
descriptor TARGET_FD: a key never stands in argv or in the environment. The work is FFmpeg's
(through PyAV): demultiplex, rebase the timestamps of this connection to zero, multiplex, send.

On stdout one JSON line every half second: `{"sent": bytes, "acked": bytes, "packets": n}`, where
`acked` is what the other side's TCP has confirmed, the only proof that bytes arrive. The last
line says how it ended: `{"ended": {"stage": "open"|"send"|"input", "error": text}}`.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import sys
import threading
from fractions import Fraction
from typing import Any

import av
import av.logging

REPORT_S = 0.5
TCP_INFO_BYTES_ACKED = 120
"""Offset of tcpi_bytes_acked in struct tcp_info (Linux 4.2, include/uapi/linux/tcp.h)."""
INPUT_OPTIONS = {"probesize": "200000", "analyzeduration": "500000", "fflags": "nobuffer"}


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def tcp_acked() -> int | None:
    """Bytes that the peers of our TCP sockets have acknowledged; None without a socket."""
    total: int | None = None
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                continue
            with socket.socket(fileno=os.dup(fd)) as peer:
                info = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
        except OSError:  # not TCP, or closed between the two looks
            continue
        total = (total or 0) + int(struct.unpack_from("<Q", info, TCP_INFO_BYTES_ACKED)[0])
    return total


class Reporter(threading.Thread):
    """Says every half second what has moved, also while a send blocks."""

    def __init__(self) -> None:
        super().__init__(name="reporter", daemon=True)
        self.sent = self.packets = 0
        self._last = -1
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(REPORT_S):
            say(sent=self.sent, acked=tcp_acked(), packets=self.packets)

    def finish(self) -> None:
        self._end.set()
        self.join(2.0)


class Copy:
    """One copy of all packets, timestamps rebased so that this connection begins at zero."""

    def __init__(self, source: Any, target: Any) -> None:
        self._target = target
        self._streams = {
            s.index: target.add_stream_from_template(s)
            for s in source.streams
            if s.type in ("video", "audio")
        }
        self._start: Fraction | None = None
        self._last: dict[int, int] = {}

    def packet(self, packet: Any) -> int:
        """Send one packet; returns its bytes, 0 when it was left out."""
        stream = self._streams.get(packet.stream_index)
        if stream is None or packet.dts is None or packet.pts is None:
            return 0
        if self._start is None:
            if packet.stream.type != "video" or not packet.is_keyframe:
                return 0
            self._start = packet.dts * packet.time_base
        shift = int(self._start / packet.time_base)
        if packet.dts < shift:  # sound from before the first picture
            return 0
        packet.dts, packet.pts = packet.dts - shift, packet.pts - shift
        last = self._last.get(packet.stream_index)
        if last is not None and packet.dts <= last:  # the seam between two encoders
            return 0
        self._last[packet.stream_index] = packet.dts
        packet.stream = stream
        size = int(packet.size)
        self._target.mux(packet)
        return size


def relay(target: dict[str, Any], reporter: Reporter) -> tuple[str, str]:
    """Copy until the input ends; returns the stage that ended it, and the error's text."""
    try:
        source = av.open("pipe:0", format="mpegts", options=INPUT_OPTIONS)
    except (av.FFmpegError, OSError) as error:
        return "input", str(error)
    stage = "open"
    try:
        out = av.open(target["url"], "w", format="flv", options=target["options"])
        copy = Copy(source, out)
        out.start_encoding()
        stage = "send"
        for packet in source.demux():
            size = copy.packet(packet)
            if size:
                reporter.sent += size
                reporter.packets += 1
        out.close()
    except (av.FFmpegError, OSError) as error:
        return stage, str(error)
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
    say(sent=reporter.sent, acked=tcp_acked(), packets=reporter.packets)
    say(ended={"stage": stage, "error": error})
    # The library may sit in a blocked send of a half-closed socket: leave without its clean-up.
    os._exit(0 if stage == "input" else 1)


if __name__ == "__main__":
    main()
