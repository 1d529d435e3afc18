"""What the demonstration is played on: its configuration, its accounts, its hall."""

from __future__ import annotations

import os
import secrets
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
    port: int
    accounts: dict[str, Account]
    hall: HallEncoder
    canaries: tuple[str, ...]
    """Every key of this demonstration: none may be found anywhere."""

    async def open(self) -> None:
        for account in self.accounts.values():
            await account.start()

    async def close(self) -> None:
        await self.hall.stop()
        for account in self.accounts.values():
            account.thaw()
            await account.stop()


def build(home: Path, port: int, ingest: str) -> Stage:
    """Write the configuration and make, but not start, accounts and hall. Blocking.

    The first two accounts can be connected before the start without being public (previewable),
    the third is public on its first byte and speaks RTMPS.
    """
    configs = home / "configs"
    (configs / "regions").mkdir(parents=True, exist_ok=True)
    keys = {name: f"canary-{secrets.token_hex(12)}" for name in NAMES}
    accounts = {
        name: Account(name, home / "accounts" / name, key=keys[name], tls=name == "third")
        for name in NAMES
    }
    hall_secret = f"canary-{secrets.token_hex(12)}"
    os.environ[HALL_VARIABLE] = hall_secret
    ingest_port = free_port()
    field = "passphrase" if ingest == "srt" else "key"
    text = REGION_FILE.format(
        ingest=ingest, port=ingest_port, secret=f"{field}: env:{HALL_VARIABLE}"
    )
    for name, account in accounts.items():
        variable = f"DEMO_KEY_{name.upper()}"
        os.environ[variable] = keys[name]
        text += DESTINATION.format(
            id=name, name=NAMES[name], url=account.address, variable=variable,
            previewable="false" if name == "third" else "true",
        )  # fmt: skip
        if account.certificate:
            text += f"    ca_file: {account.certificate}\n"
    (configs / "regions" / f"{REGION}.yaml").write_text(text)
    port = port or free_port()
    (configs / "streamer.yaml").write_text(SERVICE.format(home=home / "var", port=port))
    if ingest == "srt":
        hall = HallEncoder(f"srt://127.0.0.1:{ingest_port}", passphrase=hall_secret)
    else:
        hall = HallEncoder(f"rtmp://127.0.0.1:{ingest_port}/live/{hall_secret}")
    return Stage(home, configs, port, accounts, hall, (*keys.values(), hall_secret))
