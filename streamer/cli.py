"""The command `streamer`. Each command explains itself with --help."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from streamer.config import logs
from streamer.domain.errors import StreamerError
from streamer.domain.roles import Role

app = typer.Typer(
    help="Runs the public reporting meetings of akims and ministers: link, live stream, archive.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip
token_app = typer.Typer(help="Tokens of programs that use the API.", no_args_is_help=True)
user_app = typer.Typer(help="People who sign in to the console.", no_args_is_help=True)
secret_app = typer.Typer(
    help="The encrypted store of keys and passphrases.", no_args_is_help=True
)  # fmt: skip
app.add_typer(token_app, name="token")
app.add_typer(user_app, name="user")
app.add_typer(secret_app, name="secret")

Configs = Annotated[
    Path, typer.Option("--configs", help="Folder with streamer.yaml and regions/.")
]  # fmt: skip
DEFAULT_CONFIGS = Path(os.environ.get("STREAMER_CONFIGS", "configs"))


@app.command()
def up(configs: Configs = DEFAULT_CONFIGS) -> None:
    """Run everything on this machine: private Redis, web, scheduler, one worker."""
    from streamer.control.up import run_up

    _serve(lambda: run_up(configs.resolve(), typer.echo))


@app.command()
def web(configs: Configs = DEFAULT_CONFIGS) -> None:
    """Serve the pages and the API. Needs REDIS_URL and DATABASE_URL."""
    from streamer.control.part_web import run_web

    _serve(lambda: run_web(configs.resolve()))


@app.command()
def scheduler(configs: Configs = DEFAULT_CONFIGS) -> None:
    """Start what is due, keep the records, seal. Several may run; one leads."""
    from streamer.control.part_scheduler import run_scheduler

    _serve(lambda: run_scheduler(configs.resolve()))


@app.command()
def worker(configs: Configs = DEFAULT_CONFIGS) -> None:
    """Run meetings on this machine, as many as `worker.capacity` says."""
    from streamer.control.part_worker import run_worker

    _serve(lambda: run_worker(configs.resolve()))


@app.command()
def check(configs: Configs = DEFAULT_CONFIGS) -> None:
    """Print every fault of every configuration file; exit 1 when there is one."""
    from streamer.config.loader import check as faults_of

    faults = faults_of(configs)
    for fault in faults:
        typer.echo(str(fault))
    if faults:
        typer.echo(f"{len(faults)} fault(s) in {configs}")
        raise typer.Exit(1)
    typer.echo(f"{configs}: everything is right")


@app.command()
def scenes(
    png: Annotated[Path, typer.Option(help="Folder for the pictures; made when missing.")],
    region: Annotated[str | None, typer.Option(help="Slug; the first region if left out.")] = None,
    configs: Configs = DEFAULT_CONFIGS,
) -> None:
    """Draw every scene as a picture, with and without the sign language window."""
    from streamer.config.loader import load
    from streamer.control.scene_pictures import draw

    try:
        written = draw(load(configs), region, png)
    except StreamerError as error:
        _fail(error)
    for path in written:
        typer.echo(str(path))


@app.command()
def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="End when the table is printed.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
    ingest: Annotated[str, typer.Option(help="How the hall pushes: srt or rtmp.")] = "srt",
    home: Annotated[
        Path | None, typer.Option(help="Folder of the demonstration; default: a temporary one.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the pages; 0 takes a free one.")] = 8080,
) -> None:
    """Play a whole meeting with faults, and measure what reached the accounts."""
    from streamer.demo.director import Demo, Options

    options = Options(leave=exit_, report=report, ingest=ingest, home=home, port=port)
    _serve(lambda: Demo(options, typer.echo).run())


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="A package, anywhere: its folder.")],
    deep: Annotated[bool, typer.Option(help="Decode every picture too (slow).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    chain: Annotated[
        Path | None, typer.Option(help="A copy of the archive's chain.ndjson: is it in there?")
    ] = None,
) -> None:
    """Check a package with nothing but the package; exit 1 when it is not whole."""
    from streamer.archive.verify import verify as verify_package

    try:
        found = verify_package(path, deep=deep, chain_file=chain)
    except StreamerError as error:
        _fail(error)
    typer.echo(
        json.dumps(found.as_dict(), ensure_ascii=False, indent=2) if as_json else found.text()
    )
    if not found.ok:
        raise typer.Exit(1)


@token_app.command("create")
def token_create(
    role: Annotated[Role, typer.Option(help="What the token may do.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "token",
    configs: Configs = DEFAULT_CONFIGS,
) -> None:
    """Make a token and print it once."""
    from streamer.control.stores import records_of

    async def create() -> str:
        async with records_of(configs.resolve()) as records:
            return await records.create_token(name, role, _who())

    typer.echo(_run(create()))


@token_app.command("list")
def token_list(configs: Configs = DEFAULT_CONFIGS) -> None:
    """List the tokens, without the tokens themselves."""
    from streamer.control.stores import records_of

    async def rows() -> list[str]:
        async with records_of(configs.resolve()) as records:
            return [
                f"{t.id}\t{t.name}\t{t.role}\t{t.created_at:%Y-%m-%d %H:%M}"
                + ("\trevoked" if t.revoked_at else "")
                for t in await records.tokens()
            ]

    for row in _run(rows()):
        typer.echo(row)


@token_app.command("revoke")
def token_revoke(token_id: int, configs: Configs = DEFAULT_CONFIGS) -> None:
    """Make a token useless, by the id that `list` shows."""
    from streamer.control.stores import records_of

    async def revoke() -> None:
        async with records_of(configs.resolve()) as records:
            await records.revoke_token(token_id, _who())

    _run(revoke())


@user_app.command("create")
def user_create(
    name: str,
    role: Annotated[Role, typer.Option(help="What the user may do.")],
    region: Annotated[str | None, typer.Option(help="Slug of the user's region.")] = None,
    configs: Configs = DEFAULT_CONFIGS,
) -> None:
    """Make a user; the password is asked for (or read from standard input)."""
    from streamer.control.stores import records_of

    password = _ask_secret("Password")

    async def create() -> None:
        async with records_of(configs.resolve()) as records:
            await records.create_user(name, password, role, region, _who())

    _run(create())
    typer.echo(f"{name} may sign in as {role}")


@user_app.command("list")
def user_list(configs: Configs = DEFAULT_CONFIGS) -> None:
    """List the users."""
    from streamer.control.stores import records_of

    async def rows() -> list[str]:
        async with records_of(configs.resolve()) as records:
            return [f"{u.name}\t{u.role}\t{u.region or '-'}" for u in await records.users()]

    for row in _run(rows()):
        typer.echo(row)


@secret_app.command("set")
def secret_set(name: str, configs: Configs = DEFAULT_CONFIGS) -> None:
    """Keep a secret under NAME; refer to it as store:NAME. The value is asked for."""
    from streamer.control.stores import secrets_of

    value = _ask_secret("Value")

    async def put() -> None:
        async with secrets_of(configs.resolve()) as secrets:
            await secrets.set(name, value, _who())

    _run(put())
    typer.echo(f"kept; refer to it as store:{name}")


@secret_app.command("list")
def secret_list(configs: Configs = DEFAULT_CONFIGS) -> None:
    """List the names of the secrets."""
    from streamer.control.stores import secrets_of

    async def names() -> list[str]:
        async with secrets_of(configs.resolve()) as secrets:
            return list(await secrets.names())

    for name in _run(names()):
        typer.echo(name)


@secret_app.command("delete")
def secret_delete(name: str, configs: Configs = DEFAULT_CONFIGS) -> None:
    """Forget a secret."""
    from streamer.control.stores import secrets_of

    async def delete() -> None:
        async with secrets_of(configs.resolve()) as secrets:
            await secrets.delete(name, _who())

    _run(delete())


def _who() -> str:
    return f"command line ({os.environ.get('SUDO_USER') or os.environ.get('USER') or 'unknown'})"


def _ask_secret(what: str) -> str:
    """From the terminal without echo, or one line of standard input; never from argv."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(work)
    except StreamerError as error:
        _fail(error)


def _serve(make: Callable[[], Awaitable[int | None]]) -> NoReturn:
    """Run until done or until SIGTERM or Ctrl+C; a second signal ends at once."""
    logs.set_up()

    async def main() -> int:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(make())

        def stop() -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        return await task or 0

    try:
        sys.exit(asyncio.run(main()))
    except asyncio.CancelledError:
        sys.exit(0)
    except StreamerError as error:
        _fail(error)


def _fail(error: StreamerError) -> NoReturn:
    typer.echo(f"{error.message}", err=True)
    sys.exit(1)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
