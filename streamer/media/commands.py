"""Every ffmpeg command line of the service. No other module spells a flag.

Built with ffmpeg-python. Addresses that hold a secret never stand here: inputs come from an
ffconcat list on a descriptor, outputs with a key are the relay child's (`relay_child.py`).
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import ffmpeg
import imageio_ffmpeg

from streamer.config.models import ProgrammeSettings

COMMON = ("-nostdin", "-nostats", "-hide_banner")
FEED_PROTOCOLS = "file,fd,pipe,srt,udp,tcp,rtmp"


def ffmpeg_path(configured: Path | None = None) -> str:
    """The ffmpeg to use: the configured one, else the one of the imageio-ffmpeg wheel."""
    return str(configured) if configured else str(imageio_ffmpeg.get_ffmpeg_exe())


def encoder(
    binary: str, settings: ProgrammeSettings, video_fd: int, audio_fd: int, offset_s: float
) -> list[str]:
    """Raw picture and sound from two descriptors to a transport stream on stdout.

    `offset_s` is the programme time of the first frame, so that an encoder that follows another
    goes on where time is, not where the other one stopped. No B-frames: decoding order is
    presentation order, and a new encoder can never step back in time.
    """
    picture = ffmpeg.input(
        f"pipe:{video_fd}", format="rawvideo", pixel_format="yuv420p",
        video_size=(settings.width, settings.height), framerate=settings.fps,
        probesize=32, analyzeduration=0, thread_queue_size=8,
    )  # fmt: skip
    sound = ffmpeg.input(
        f"pipe:{audio_fd}", format="s16le", ar=48000, ch_layout="stereo",
        probesize=32, analyzeduration=0, thread_queue_size=8,
    )  # fmt: skip
    gop = settings.fps * settings.gop_s
    rate = f"{settings.video_kbps}k"
    out = ffmpeg.output(
        picture.video, sound.audio, "pipe:1", format="mpegts",
        **{
            "c:v": "libx264", "preset": settings.preset, "profile:v": "high", "bf": 0,
            "b:v": rate, "maxrate": rate, "bufsize": rate, "g": gop, "keyint_min": gop,
            "sc_threshold": 0, "flags": "+cgop", "pix_fmt": "yuv420p",
            "fps_mode": "passthrough",
            "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709",
            "c:a": "aac", "b:a": f"{settings.audio_kbps}k",
            "muxdelay": 0, "muxpreload": 0, "flush_packets": 1, "max_interleave_delta": 0,
            "output_ts_offset": f"{offset_s:.6f}",
        },
    )  # fmt: skip
    return _argv(binary, out, "warning")


def feed(binary: str, settings: ProgrammeSettings, source: list[str]) -> list[str]:
    """Any source to canvas-size pictures and 48 kHz stereo sound, with timestamps, on stdout.

    Not expressible with ffmpeg-python: maps that may be missing (`0:v:0?`).
    """
    size = f"{settings.width}:{settings.height}"
    return [
        # Each decoding thread keeps a picture back and shows it late: not more than two.
        binary, *COMMON, "-v", "warning", "-threads", "2", *source,
        "-map", "0:v:0?", "-map", "0:a:0?",
        "-vf", f"fps={settings.fps},scale={size}:force_original_aspect_ratio=decrease,"
               f"pad={size}:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p",
        "-af", "aresample=48000:async=1000", "-ac", "2",
        "-c:v", "rawvideo", "-c:a", "pcm_s16le",
        # A track that falls silent must not hold the other one up (with ffmpeg's ten seconds,
        # 3 s without sound stopped the picture for 2.8 s; with this for 0.28 s).
        "-max_interleave_delta", "200000",
        "-f", "nut", "-flush_packets", "1", "pipe:1",
    ]  # fmt: skip


def srt_listener_list(host: str, port: int, passphrase: str, latency_ms: int) -> str:
    """The ffconcat text of an SRT listener; hand it over by `secret_fd`, never by argv.

    A caller that is silent for two seconds counts as gone, so that it can come back at once.
    """
    query = f"mode=listener&latency={latency_ms * 1000}&timeout=2000000&listen_timeout=-1"
    if passphrase:
        query += f"&passphrase={quote(passphrase, safe='')}&pbkeylen=16"
    return f"ffconcat version 1.0\nfile 'srt://{host}:{port}?{query}'\n"


def list_input(fd: int) -> list[str]:
    """The input flags for an ffconcat list on descriptor `fd`."""
    return [
        "-probesize", "1000000", "-analyzeduration", "1000000", "-fpsprobesize", "0",
        "-f", "concat", "-safe", "0", "-protocol_whitelist", FEED_PROTOCOLS, "-i", f"/dev/fd/{fd}",
    ]  # fmt: skip


def rtmp_input(address: str) -> list[str]:
    """The input flags for our own ingest server on the loopback (no secret in `address`).

    The picture may begin a group of pictures later than the sound; both there ends the probing.
    The frame rate is not looked for (`fps` makes it ours): that would take another second.
    """
    return [
        "-probesize", "5000000", "-analyzeduration", "4000000",
        "-fpsprobesize", "0",
        "-rw_timeout", "2000000", "-f", "live_flv", "-i", address,
    ]  # fmt: skip


def receiver(binary: str, source: list[str]) -> list[str]:
    """Any source, as it comes, to a transport stream on stdout.

    Not expressible with ffmpeg-python: maps that may be missing (`0:v:0?`).
    """
    return [
        binary, *COMMON, "-v", "warning", *source, "-map", "0:v:0?", "-map", "0:a:0?",
        "-c", "copy", "-max_interleave_delta", "200000",
        "-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0", "-flush_packets", "1", "pipe:1",
    ]  # fmt: skip


def hub_input() -> list[str]:
    """The input flags for a transport stream of one of our hubs, on stdin."""
    return [
        "-probesize", "1000000", "-analyzeduration", "500000", "-fpsprobesize", "0",
        "-f", "mpegts", "-i", "pipe:0",
    ]  # fmt: skip


def file_input(path: Path) -> list[str]:
    return ["-re", "-stream_loop", "-1", "-i", str(path)]


def test_input(settings: ProgrammeSettings) -> list[str]:
    """A moving test pattern with a tone, paced as a camera would be."""
    size = f"{settings.width}x{settings.height}"
    return [
        "-re", "-f", "lavfi", "-i",
        f"testsrc2=size={size}:rate={settings.fps}[out0];"
        "sine=frequency=440:beep_factor=2:sample_rate=48000[out1]",
    ]  # fmt: skip


def hls_recorder(binary: str, part_s: int) -> list[str]:
    """The transport stream on stdin to one part of the viewing copy, in the current folder."""
    # copyts keeps programme time in every part; MP4 wants AAC without its ADTS headers.
    # Not `nobuffer`: that throws away what was probed, two seconds of every part.
    source = ffmpeg.input(
        "pipe:0", format="mpegts", probesize=200000, analyzeduration=500000, copyts=None,
    )  # fmt: skip
    out = ffmpeg.output(
        source, "index.m3u8", format="hls", map="0",
        **{
            "c": "copy", "bsf:a": "aac_adtstoasc",
            "hls_time": part_s, "hls_segment_type": "fmp4", "hls_playlist_type": "event",
            "hls_fmp4_init_filename": "init.mp4", "hls_segment_filename": "seg-%05d.m4s",
            "start_number": 1, "hls_flags": "independent_segments+program_date_time",
            # Programme time in every fragment, not in the edit list of the init file: players
            # made of FFmpeg read the first init only and left out two seconds after each gap.
            "hls_segment_options": "movflags=+frag_discont",
            "progress": "pipe:1", "stats_period": 0.5,
        },
    )  # fmt: skip
    return _argv(binary, out, "warning")


def _argv(binary: str, out: object, level: str) -> list[str]:
    argv = list(ffmpeg.compile(out, cmd=[binary, *COMMON, "-v", level]))
    return [str(word) for word in argv]
