"""Every ffmpeg command line of the service. No other module spells a flag.

Built with ffmpeg-python. Addresses that hold a secret never stand here: inputs come from an
ffconcat list on a descriptor, outputs with a key are the relay child's (`relay_child.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ffmpeg
import imageio_ffmpeg

from streamer.config.models import ProgrammeSettings

COMMON = ("-nostdin", "-nostats", "-hide_banner")
FEED_PROTOCOLS = "file,fd,pipe,srt,udp,tcp,rtmp"
ISO_639_2 = {"kk": "kaz", "ru": "rus", "en": "eng"}
"""How a transport stream names our languages."""
COPY_SOUND = {"c": "copy", "bsf:a": "aac_adtstoasc"}
"""MP4 wants AAC without its ADTS headers."""


def ffmpeg_path(configured: Path | None = None) -> str:
    """The ffmpeg to use: the configured one, else the one of the imageio-ffmpeg wheel."""
    return str(configured) if configured else str(imageio_ffmpeg.get_ffmpeg_exe())


def encoder(
    binary: str, settings: ProgrammeSettings, video_fd: int, audio_fds: Sequence[int],
    offset_s: float, languages: Sequence[str] = ("kk",),
) -> list[str]:  # fmt: skip
    """Raw picture and sounds from their descriptors to a transport stream on stdout.

    One descriptor of sound for each of `languages` (kk, ru, en), in this order; each is named in
    the stream. `offset_s` is the programme time of the first frame, so that an encoder that
    follows another goes on where time is, not where the other one stopped. No B-frames: decoding
    order is presentation order, and a new encoder can never step back in time.
    """
    picture = ffmpeg.input(
        f"pipe:{video_fd}", format="rawvideo", pixel_format="yuv420p",
        video_size=(settings.width, settings.height), framerate=settings.fps,
        probesize=32, analyzeduration=0, thread_queue_size=8,
    )  # fmt: skip
    sounds = [
        ffmpeg.input(
            f"pipe:{fd}", format="s16le", ar=48000, ch_layout="stereo",
            probesize=32, analyzeduration=0, thread_queue_size=8,
        ).audio
        for fd in audio_fds
    ]  # fmt: skip
    names = {
        f"metadata:s:a:{track}": f"language={ISO_639_2[language]}"
        for track, language in enumerate(languages)
    }
    gop = settings.fps * settings.gop_s
    rate = f"{settings.video_kbps}k"
    out = ffmpeg.output(
        picture.video, *sounds, "pipe:1", format="mpegts",
        **{
            "c:v": "libx264", "preset": settings.preset, "profile:v": "high", "bf": 0,
            "b:v": rate, "maxrate": rate, "bufsize": rate, "g": gop, "keyint_min": gop,
            "sc_threshold": 0, "flags": "+cgop", "pix_fmt": "yuv420p",
            "fps_mode": "passthrough",
            "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709",
            "c:a": "aac", "b:a": f"{settings.audio_kbps}k", **names,
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


def hls_recorder(binary: str, part_s: int, lists: Sequence[tuple[str, str]] = ()) -> list[str]:
    """The transport stream on stdin to one part of the viewing copy, in the current folder.

    Beside `index.m3u8` (picture and main sound) it writes `lists`: a name and the track of which
    that list is made alone (`("sound", "a:0")`).
    """
    # copyts keeps programme time in every part. Not `nobuffer`: that throws away what was probed,
    # two seconds of every part.
    source = ffmpeg.input(
        "pipe:0", format="mpegts", probesize=200000, analyzeduration=500000, copyts=None,
    )  # fmt: skip
    index = _hls(
        [source["v:0"], source["a:0"]], "index", part_s, init="init.mp4", segments="seg",
        progress="pipe:1", stats_period=0.5, **COPY_SOUND,
    )  # fmt: skip
    others = [
        _hls([source[track]], name, part_s, **(COPY_SOUND if track[0] == "a" else {"c": "copy"}))
        for name, track in lists
    ]
    out = ffmpeg.merge_outputs(index, *others) if others else index
    return _argv(binary, out, "warning")


def low_recorder(
    binary: str, name: str, part_s: int, *, lines: int, video_kbps: int, audio_kbps: int | None
) -> list[str]:
    """The transport stream on stdin to a smaller rendition `name`, in the current folder.

    Its key frames are those of the programme, so that its segments end where the others do.
    Without `audio_kbps` it is the picture alone. It gives way to everything else on the machine.
    """
    source = ffmpeg.input(
        "pipe:0", format="mpegts", probesize=200000, analyzeduration=500000, copyts=None,
        threads=1,
    )  # fmt: skip
    rate = f"{video_kbps}k"
    tracks = [source["v:0"]] + ([source["a:0"]] if audio_kbps else [])
    encoded: dict[str, Any] = {
        "vf": f"scale=-2:{lines}:flags=bilinear", "fps_mode": "passthrough",
        "c:v": "libx264", "preset": "superfast", "profile:v": "main", "bf": 0, "threads": 1,
        "b:v": rate, "maxrate": rate, "bufsize": rate, "sc_threshold": 0, "g": 1000,
        "force_key_frames": "source", "pix_fmt": "yuv420p",
    }  # fmt: skip
    if audio_kbps:
        encoded |= {"c:a": "aac", "b:a": f"{audio_kbps}k"}
    out = _hls(tracks, name, part_s, progress="pipe:1", stats_period=0.5, **encoded)
    return ["nice", "-n", "10", *_argv(binary, out, "warning")]


def _hls(
    tracks: list[Any], name: str, part_s: int, *, init: str = "", segments: str = "", **more: Any
) -> Any:
    """One list of `tracks`, `name`.m3u8; no two lists of a folder share a file."""
    return ffmpeg.output(
        *tracks, f"{name}.m3u8", format="hls",
        **{
            "hls_time": part_s, "hls_segment_type": "fmp4", "hls_playlist_type": "event",
            "hls_fmp4_init_filename": init or f"{name}-init.mp4",
            "hls_segment_filename": f"{segments or name}-%05d.m4s",
            "start_number": 1, "hls_flags": "independent_segments+program_date_time",
            # Programme time in every fragment, not in the edit list of the init file: players
            # made of FFmpeg read the first init only and left out two seconds after each gap.
            "hls_segment_options": "movflags=+frag_discont",
            **more,
        },
    )  # fmt: skip


def _argv(binary: str, out: object, level: str) -> list[str]:
    argv = list(ffmpeg.compile(out, cmd=[binary, *COMMON, "-v", level]))
    return [str(word) for word in argv]
