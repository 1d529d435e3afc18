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
FEED_PROTOCOLS = "file,fd,srt,udp,tcp,rtsp,rtsps,rtp,http,https,httpproxy,tls,crypto,data"
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


def feed(
    binary: str, settings: ProgrammeSettings, source: list[str], *, stills: bool = False
) -> list[str]:
    """Any source to canvas-size pictures and 48 kHz stereo sound, with timestamps, on stdout.

    `stills`: only keyframes are decoded, each is written once, when it comes; the sound is whole.
    Not expressible with ffmpeg-python: maps that may be missing (`0:v:0?`).
    """
    return [
        # Each decoding thread keeps a picture back and shows it late: not more than two.
        binary, *COMMON, "-v", "warning", "-threads", "2", "-filter_threads", "1",
        *(("-skip_frame", "nokey") if stills else ()), *source,
        "-map", "0:v:0?", "-map", "0:a:0?",
        "-vf", _fitted(settings, stills),
        "-af", "aresample=48000:async=1000", "-ac", "2",
        *(("-fps_mode", "passthrough") if stills else ()),
        "-c:v", "rawvideo", "-c:a", "pcm_s16le",
        # A track that falls silent must not hold the other one up (with ffmpeg's ten seconds,
        # 3 s without sound stopped the picture for 2.8 s; with this for 0.28 s).
        "-max_interleave_delta", "200000",
        "-f", "nut", "-flush_packets", "1", "pipe:1",
    ]  # fmt: skip


def _fitted(settings: ProgrammeSettings, stills: bool) -> str:
    """Filters: our rate, whole frames, our size with the picture's shape kept, BT.709 TV range.

    What fits already passes through most of them: they cost a tenth of the decoding. Fields are
    joined after `fps`, so that at one picture a second it costs one tick and not another second.
    """
    width, height = settings.width, settings.height
    rate = () if stills else (f"fps={settings.fps}", "bwdif=mode=send_frame:deint=interlaced")
    # `dar` knows pixels that are not square; 0.01: 16/9 is not exact in binary.
    across = f"min({width},trunc({height}*dar/2+0.01)*2)"
    down = f"min({height},trunc({width}/dar/2+0.01)*2)"
    return ",".join([
        *rate,
        f"scale=w='{across}':h='{down}':out_color_matrix=bt709:out_range=tv",
        f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2", "setsar=1", "format=yuv420p",
    ])  # fmt: skip


def srt_listener_list(host: str, port: int, passphrase: str, latency_ms: int) -> str:
    """The ffconcat text of an SRT listener; hand it over by `secret_fd`, never by argv.

    A caller that is silent for two seconds counts as gone, so that it can come back at once.
    """
    query = f"mode=listener&latency={latency_ms * 1000}&timeout=2000000&listen_timeout=-1"
    if passphrase:
        query += f"&passphrase={quote(passphrase, safe='')}&pbkeylen=16"
    return f"ffconcat version 1.0\nfile 'srt://{host}:{port}?{query}'\n"


def srt_caller_list(address: str, passphrase: str, stream_id: str, latency_ms: int) -> str:
    """The ffconcat text of an SRT encoder that listens at `address` (srt://host:port)."""
    query = f"mode=caller&latency={latency_ms * 1000}&timeout=2000000&connect_timeout=3000"
    if passphrase:
        query += f"&passphrase={quote(passphrase, safe='')}&pbkeylen=16"
    if stream_id:
        query += f"&streamid={quote(stream_id, safe='')}"
    return _list(f"{address.rstrip('/')}?{query}")


def rtsp_list(address: str, user: str = "", password: str = "") -> str:
    """The ffconcat text of a camera. TCP: no port has to be open.

    Silent for 2 s counts as gone. ffmpeg then says goodbye and waits as long again for an answer:
    with 3 s a frozen camera was now and then red after 6 s only.
    """
    return _list(
        _with_login(address, user, password), "rtsp_transport tcp", "timeout 2000000",
        "protocol_whitelist rtsp,rtsps,rtp,tcp,tls,crypto",
    )  # fmt: skip


def url_list(address: str, token: str = "", user: str = "", password: str = "") -> str:
    """The ffconcat text of what a web server has; `token` is the end of the address.

    A playlist may name nothing but addresses of the web: no file of this machine.
    """
    whole = _with_login(address, user, password)
    if token:
        whole += ("&" if "?" in whole else "?") + quote(token.lstrip("?&"), safe=_IN_A_QUERY)
    return _list(
        whole, "rw_timeout 3000000", "protocol_whitelist http,https,httpproxy,tcp,tls,crypto,data",
    )  # fmt: skip


_IN_A_QUERY = "=&%/:;,.~-_+!*()@$?"


def _with_login(address: str, user: str, password: str) -> str:
    scheme, _, rest = address.partition("://")
    rest = quote(rest, safe=_IN_A_QUERY + "#[]")
    if not user:
        return f"{scheme}://{rest}"
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def _list(address: str, *options: str) -> str:
    options = (*options, "probesize 1000000", "analyzeduration 1500000")
    return f"ffconcat version 1.0\nfile '{address}'\n" + "".join(
        f"option {option}\n" for option in options
    )


def list_input(fd: int, *, paced: bool = False) -> list[str]:
    """The input flags for an ffconcat list on descriptor `fd`.

    `paced`: at live pace, for what comes in pieces (HLS) or is a finished recording.
    """
    return [
        # Untagged pictures are BT.709, as encoders of today send them; tags go before this.
        "-colorspace", "bt709",
        *(("-readrate", "1", "-readrate_initial_burst", "0.2") if paced else ()),
        "-probesize", "1000000", "-analyzeduration", "1000000", "-fpsprobesize", "0",
        "-f", "concat", "-safe", "0", "-protocol_whitelist", FEED_PROTOCOLS, "-i", f"/dev/fd/{fd}",
    ]  # fmt: skip


def sdp_input(fd: int) -> list[str]:
    """The input flags for RTP on the loopback, described (SDP) on descriptor `fd`.

    A lost packet is waited for only a tenth of a second: between us and the link none come late.
    """
    return [
        "-probesize", "500000", "-analyzeduration", "2000000", "-fpsprobesize", "0",
        "-max_delay", "100000", "-protocol_whitelist", "file,fd,rtp,udp", "-f", "sdp",
        "-i", f"/dev/fd/{fd}",
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


def receiver(binary: str, source: list[str], *, any_sound: bool = False) -> list[str]:
    """Any source, as it comes, to a transport stream on stdout.

    `any_sound`: its sound may be of a kind that a transport stream cannot carry (G.711 of cameras)
    and is encoded anew, which costs a hundredth of a core.
    Not expressible with ffmpeg-python: maps that may be missing (`0:v:0?`).
    """
    sound = (
        "-af", "aresample=48000:async=1000", "-c:a", "aac", "-b:a", "160k", "-ac", "2"
    )  # fmt: skip
    return [
        binary, *COMMON, "-v", "warning", *source, "-map", "0:v:0?", "-map", "0:a:0?",
        "-c", "copy", *(sound if any_sound else ()), "-max_interleave_delta", "200000",
        "-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0", "-flush_packets", "1", "pipe:1",
    ]  # fmt: skip


def hub_input() -> list[str]:
    """The input flags for a transport stream of one of our hubs, on stdin."""
    return [
        "-colorspace", "bt709",
        "-probesize", "1000000", "-analyzeduration", "500000", "-fpsprobesize", "0",
        "-f", "mpegts", "-i", "pipe:0",
    ]  # fmt: skip


def file_input(path: Path, start_s: float = 0) -> list[str]:
    """A file, again and again, at live pace; from `start_s` seconds on."""
    start = ("-ss", f"{start_s:.3f}") if start_s else ()
    return ["-colorspace", "bt709", "-re", "-stream_loop", "-1", *start, "-i", str(path)]


FLASH_EVERY_S = 2
"""Seconds between two flashes of the test pattern, each with a beep."""


def pattern_input(
    settings: ProgrammeSettings, *, text_fd: int | None = None, sound_fd: int | None = None,
    font: Path | None = None, stills: bool = False,
) -> list[str]:  # fmt: skip
    """A moving test pattern, paced as a camera would be; every 2 s all of it is white for one
    picture, with which a beep begins.

    `text_fd`: descriptor of its name (UTF-8), drawn with `font` above a clock. `sound_fd`:
    descriptor of its sound, a WAV of 48 kHz that is repeated; without it a tone and the beep.
    """
    rate = 1 if stills else settings.fps
    text = settings.height // 16
    flash = f"lt(mod(t+0.0001,{FLASH_EVERY_S}),{1 / rate:.6f})"
    picture = [f"testsrc2=size={settings.width}x{settings.height}:rate={rate}", "format=yuv420p"]
    if text_fd is not None and font is not None:
        common = f"fontfile={font}:fontcolor=white:box=1:boxcolor=black:boxborderw={text // 3}"
        picture += [
            f"drawtext=textfile=/dev/fd/{text_fd}:{common}:fontsize={text}:line_spacing={text // 3}"
            f":x=(w-tw)/2:y=h*0.62:expansion=none",
            rf"drawtext=text='%{{localtime\:%H\\\:%M\\\:%S}}':{common}:fontsize={text}"
            ":x=(w-tw)/2:y=h*0.88",
        ]
    picture.append(f"drawbox=color=white:t=fill:enable='{flash}'")
    # Flashes are of our own colours: nothing is converted.
    picture.append("setparams=colorspace=bt709:range=tv[out0]")
    sound = (
        f"aevalsrc=exprs='0.02*sin(2*PI*300*t)"
        f"+0.4*sin(2*PI*1000*t)*lt(mod(t,{FLASH_EVERY_S}),0.04)':sample_rate=48000[out1]"
        if sound_fd is None
        else f"amovie=/dev/fd/{sound_fd}:loop=0,asetpts=N/SR/TB[out1]"
    )
    return ["-re", "-f", "lavfi", "-i", f"{','.join(picture)};{sound}"]


def sample(binary: str, settings: ProgrammeSettings, seconds: int, path: Path) -> list[str]:
    """A clip encoded as the programme is, to measure what encoding costs, and decoding it."""
    rate, gop = f"{settings.video_kbps}k", str(settings.fps * settings.gop_s)
    return [
        binary, *COMMON, "-v", "error", "-f", "lavfi", "-i",
        f"testsrc2=size={settings.width}x{settings.height}:rate={settings.fps},format=yuv420p[out0]"
        ";sine=frequency=440:sample_rate=48000[out1]",
        "-t", str(seconds), "-c:v", "libx264", "-preset", str(settings.preset), "-bf", "0",
        "-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-g", gop, "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-ac", "2", "-f", "mpegts", "-y", str(path),
    ]  # fmt: skip


def sample_input(path: Path) -> list[str]:
    """The input flags for that clip, as fast as it goes."""
    return ["-colorspace", "bt709", "-f", "mpegts", "-i", str(path)]


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
