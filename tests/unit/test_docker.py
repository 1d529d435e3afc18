"""The compose files and the image fit the program that they start."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from streamer import cli
from streamer.config.models import ServiceConfig

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE = sorted(DOCKER.glob("compose*.yaml"))


def read(path: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(path))


def ours(path: Path) -> dict[str, dict[str, Any]]:
    """The services that run our command line."""
    return {
        name: service
        for name, service in read(path)["services"].items()
        if service["image"] == "meeting-streamer" and "entrypoint" not in service
    }


def commands() -> set[str]:
    return set(typer.main.get_group(cli.app).commands)


@pytest.fixture(params=COMPOSE, ids=lambda path: str(path.name))
def compose(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_both_compose_files_are_there() -> None:
    assert [path.name for path in COMPOSE] == ["compose.fleet.yaml", "compose.yaml"]


def test_every_part_is_started_by_a_command_that_exists(compose: Path) -> None:
    started = {service["command"][0] for service in ours(compose).values()}
    assert started == {"web", "scheduler", "worker"}
    assert started <= commands()


def test_the_image_starts_a_command_that_exists() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    assert re.findall(r'^CMD \["(\w+)"\]$', text, re.M)[0] in commands()


def test_every_secret_network_and_volume_is_declared(compose: Path) -> None:
    whole = read(compose)
    for name, service in whole["services"].items():
        for kind in ("secrets", "networks"):
            missing = set(service.get(kind, [])) - set(whole.get(kind, {}))
            assert not missing, f"{name}: {kind} {missing}"
        named = {v.split(":")[0] for v in service.get("volumes", []) if re.match(r"\w+:", v)}
        assert named <= set(whole.get("volumes", {})), name


def test_no_address_with_a_password_stands_in_a_compose_file(compose: Path) -> None:
    for service in read(compose)["services"].values():
        for name, value in service.get("environment", {}).items():
            assert "@" not in value, name
            assert "PASSWORD" not in name or name.endswith("_FILE"), name


def test_mounted_files_are_in_the_project(compose: Path) -> None:
    for service in ours(compose).values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            if source.startswith(".") and "secrets" not in source:
                assert (DOCKER / source).exists(), source


def test_the_image_copies_only_what_the_build_may_see() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    seen = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        for source in line.split()[:-1]:
            assert f"!{source}" in seen, source
            assert (DOCKER.parent / source).exists(), source


def test_the_settings_of_the_image_are_valid_and_open_the_port() -> None:
    settings = ServiceConfig.model_validate(read(DOCKER / "streamer.yaml"))
    assert settings.web.host == "0.0.0.0"
    exposed = re.findall(r"^EXPOSE (\d+)$", (DOCKER / "Dockerfile").read_text(), re.M)
    assert exposed == [str(settings.web.port)]
    assert f":{settings.web.port}/healthz" in (DOCKER / "healthy").read_text()


def test_each_replica_of_the_worker_has_a_name_of_its_own(tmp_path: Path) -> None:
    """With the network of the machine all replicas had its name, and one another's claims."""
    (tmp_path / "streamer").write_text('#!/bin/sh\necho "$1=${STREAMER_WORKER:-}"\n')
    (tmp_path / "streamer").chmod(0o755)

    def says(part: str, **more: str) -> str:
        around = {"PATH": f"{tmp_path}:/usr/bin:/bin", **more}
        argv = ["sh", str(DOCKER / "entrypoint"), part]
        return subprocess.run(argv, env=around, check=True, capture_output=True, text=True).stdout

    machine = re.escape(os.uname().nodename)
    assert re.fullmatch(rf"worker={machine}:[0-9a-f-]{{12,36}}\n", says("worker"))
    assert says("worker", STREAMER_WORKER="w7") == "worker=w7\n"
    assert says("web") == "web=\n"
