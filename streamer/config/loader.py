"""Reads a `configs` folder: either everything is right, or every fault is reported at once."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from streamer.config.checks import check_across, check_region, check_service
from streamer.config.faults import (
    ConfigurationFaults,
    Fault,
    Place,
    Report,
    report_invalid,
    spelled,
)
from streamer.config.models import Configuration, RegionConfig, ServiceConfig
from streamer.config.scene_checks import check_floor, check_scene, check_sign, is_sign
from streamer.config.scenes import SHIPPED, Layout, Scenes, SignPlace
from streamer.config.yaml_file import Document, read

ENVIRONMENT = {
    "STREAMER_HOME": "home",
    "REDIS_URL": "redis_url",
    "DATABASE_URL": "database_url",
    "ARCHIVE_URL": "archive_url",
}
"""Environment variables that stand above the file of the service, and what they set."""

Model = TypeVar("Model", bound=BaseModel)


def load(folder: Path, environ: Mapping[str, str] | None = None) -> Configuration:
    """The configuration in `folder`; reads files, so not on the event loop.

    `environ` stands for the environment of the process. Raises ConfigurationFaults with every
    fault of every file.
    """
    configuration, faults = _read(folder, os.environ if environ is None else environ)
    if configuration is None or faults:
        raise ConfigurationFaults(faults)
    return configuration


def check(folder: Path, environ: Mapping[str, str] | None = None) -> list[Fault]:
    """Every fault of every file in `folder`; none when it can be loaded."""
    return _read(folder, os.environ if environ is None else environ)[1]


def _read(folder: Path, environ: Mapping[str, str]) -> tuple[Configuration | None, list[Fault]]:
    if not folder.is_dir():
        wrong, right = "there is no such folder", "name the folder that holds streamer.yaml"
        return None, [Fault(str(folder), 0, "", wrong, right)]
    base = folder.absolute().parent
    service_file = read(folder / "streamer.yaml")
    service = _service(service_file, base, environ)
    scene_files, misnamed = _yaml_files(folder / "scenes", "scenes")
    scenes = _scenes(scene_files, base)
    documents, faults = _region_files(folder / "regions")
    regions = [_region(document, base) for document in documents]
    check_across([document for document in documents if document.readable])
    for document in documents:
        check_floor(document, scenes.layouts, {document.name for document in scene_files})
    for document in (service_file, *documents, *scene_files):
        faults += sorted(document.faults, key=lambda fault: fault.line)
    faults += misnamed
    if faults or service is None:
        return None, faults
    by_slug = {region.slug: region for region in regions if region}
    return Configuration(service, by_slug, scenes), []


def _yaml_files(folder: Path, what: str) -> tuple[list[Document], list[Fault]]:
    """Every file of `folder`, and a fault for each whose name ends otherwise."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    faults = [
        Fault(str(path), 0, "", f"files of {what} end with .yaml", f"rename it to {path.stem}.yaml")
        for path in paths
        if path.suffix in (".yml", ".YAML", ".YML")
    ]
    return [read(path) for path in paths if path.suffix == ".yaml"], faults


def _region_files(folder: Path) -> tuple[list[Document], list[Fault]]:
    documents, faults = _yaml_files(folder, "regions")
    if not documents:
        faults.append(Fault(str(folder), 0, "", "there is no region", "add a file <slug>.yaml"))
    return documents, faults


def _service(document: Document, base: Path, environ: Mapping[str, str]) -> ServiceConfig | None:
    if not document.readable:
        return None
    check_service(document)
    # A default is not validated, but its relative path means a place beside `configs` as well.
    data = {"home": str(ServiceConfig().home)} | document.data
    variables: dict[str, str] = {}
    for variable, key in ENVIRONMENT.items():
        if environ.get(variable):
            data[key] = environ[variable]
            variables[key] = variable
    # As everywhere on a command line, a relative path counts from where one stands.
    for key in ("home", "archive_url"):
        if key in variables and "://" not in data[key]:
            data[key] = str(Path(data[key]).absolute())

    def report(place: Place, wrong: str, right: str) -> None:
        variable = variables.get(str(place[0])) if place else None
        if variable:
            document.faults.append(
                Fault(f"environment variable {variable}", 0, spelled(place), wrong, right)
            )
        else:
            document.report(place, wrong, right)

    return _validated(ServiceConfig, data, base, report)


def _region(document: Document, base: Path) -> RegionConfig | None:
    if not document.readable:
        return None
    check_region(document)
    return _validated(RegionConfig, document.data, base, document.report)


def _scenes(documents: list[Document], base: Path) -> Scenes:
    """The shipped scenes with those of the files in their place; faults stand in the documents."""
    layouts: list[Layout] = []
    sign = None
    for document in documents:
        if not document.readable:
            continue
        if is_sign(document):
            sign = _validated(SignPlace, document.data, base, document.report)
            continue
        check_scene(document)
        data = {"name": document.name} | document.data
        layout = _validated(Layout, data, base, document.report)
        layouts += [layout] if layout else []
    scenes = SHIPPED.over(tuple(layouts), sign)
    check_sign([document for document in documents if not is_sign(document)], scenes)
    return scenes


def _validated(
    model: type[Model], data: dict[str, Any], base: Path, report: Report
) -> Model | None:
    # By way of JSON, because pydantic can then be strict about types ("25" is no number) and
    # still takes texts for enumerations, paths and lists for tuples.
    try:
        return model.model_validate_json(json.dumps(data), strict=True, context={"base": base})
    except ValidationError as error:
        report_invalid(model, error, report)
        return None
