"""What the demonstration is played on: its configuration, its accounts, its hall."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from streamer.demo.accounts import Account, free_port
from streamer.demo.hall import HallEncoder

REGION = "abai"
SERVICE = """\
home: {home}
web:
  port: {port}
schedule:
  prepare_before: 20s
  line_up_before: 12s
  overrun: 10m
  off_air_slate: 1s
recording:
  warn_free_gb: 1
"""
REGION_FILE = """\
slug: abai
code: "100000000"
kind: region
names: {{kk: "Абай облысы", ru: "область Абай", en: "Abai Region"}}
centre: {{kk: "Семей", ru: "Семей", en: "Semey"}}
time_zone: Asia/Almaty
halls:
  - id: main
    names: {{kk: "Негізгі зал", ru: "Главный зал", en: "Main hall"}}
    sources:
      - id: hall
        kind: {ingest}
        host: 127.0.0.1
        port: {port}
        {secret}
destinations:
"""
DESTINATION = """\
  - id: {id}
    name: "{name}"
    enabled: true
    url: {url}
    key: env:{variable}
    previewable: {previewable}
"""
NAMES = {"first": "First account", "second": "Second account", "third": "Third account (TLS)"}
HALL_VARIABLE = "DEMO_HALL_SECRET"


@dataclass(slots=True)
class Stage:
    """Folders, stand-in accounts and the hall encoder of one demonstration."""

    home: Path
    configs: Path
    accounts: dict[str, Account]
    hall: HallEncoder
    canaries: tuple[str, ...]
    """Every key of this demonstration: none may be found anywhere."""

    async def close(self) -> None:
        await self.hall.stop()
        await close_accounts(self.accounts)


async def close_accounts(accounts: dict[str, Account]) -> None:
    for account in accounts.values():
        account.thaw()
        await account.stop()


async def build(home: Path, port: int, ingest: str) -> Stage:
    """Start the accounts, make (not start) the hall, write the configuration.

    The first two accounts can be connected before the start without being public (previewable),
    the third is public on its first byte and speaks RTMPS.
    """
    accounts = {
        name: Account(
            name, home / "accounts" / name, key=f"canary-{secrets.token_hex(12)}",
            tls=name == "third",
        )
        for name in NAMES
    }  # fmt: skip
    try:
        for account in accounts.values():
            await account.start()
        return await asyncio.to_thread(_furnish, home, port, ingest, accounts)
    except BaseException:
        await close_accounts(accounts)
        raise


def _furnish(home: Path, port: int, ingest: str, accounts: dict[str, Account]) -> Stage:
    configs = home / "configs"
    (configs / "regions").mkdir(parents=True, exist_ok=True)
    secret = f"canary-{secrets.token_hex(12)}"
    os.environ[HALL_VARIABLE] = secret
    ingest_port = free_port(socket.SOCK_DGRAM if ingest == "srt" else socket.SOCK_STREAM)
    text = REGION_FILE.format(
        ingest=ingest, port=ingest_port,
        secret=f"{'passphrase' if ingest == 'srt' else 'key'}: env:{HALL_VARIABLE}",
    ) + "".join(_destination(account) for account in accounts.values())  # fmt: skip
    (configs / "regions" / f"{REGION}.yaml").write_text(text)
    service = SERVICE.format(home=home / "var", port=port or free_port())
    (configs / "streamer.yaml").write_text(service)
    if ingest == "srt":
        hall = HallEncoder(f"srt://127.0.0.1:{ingest_port}", passphrase=secret)
    else:
        hall = HallEncoder(f"rtmp://127.0.0.1:{ingest_port}/live/{secret}")
    keys = (account.key for account in accounts.values())
    return Stage(home, configs, accounts, hall, (*keys, secret))


def _destination(account: Account) -> str:
    variable = f"DEMO_KEY_{account.name.upper()}"
    os.environ[variable] = account.key
    text = DESTINATION.format(
        id=account.name, name=NAMES[account.name], url=account.address, variable=variable,
        previewable="false" if account.name == "third" else "true",
    )  # fmt: skip
    return text + (f"    ca_file: {account.certificate}\n" if account.certificate else "")
