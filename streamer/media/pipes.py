"""Pipes between the run and its children."""

import contextlib
import fcntl
import os

PIPE_BYTES = 262_144
"""A quarter of a megabyte: two thirds of a second at 3 Mbit/s."""
RAW_PIPE_BYTES = 1_048_576
"""What an unprivileged process may ask for: about one raw 720p picture."""


def pipe(size: int = PIPE_BYTES) -> tuple[int, int]:
    """A pipe (read end, write end), neither inherited by other children."""
    reading, writing = os.pipe()
    # A container may forbid a larger pipe; the usual 64 kB only costs more wake-ups.
    with contextlib.suppress(OSError):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, size)
    return reading, writing


def close(*fds: int) -> None:
    """Close each descriptor; one that is closed already is no fault."""
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            continue
