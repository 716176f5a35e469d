"""The compose file follows the specification, is tight, and says what our command understands."""

import importlib.resources
import json
import re
from typing import Any

import jsonschema
import pytest
import yaml
from typer.main import get_command

from api.cli import app
from docs.map import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENVIRONMENT = {"SCENARIO": "scenarios/water-burst.yaml", "TOCSIN_API_TOKEN": "t"}


def filled(text: str) -> str:
    """Return `text` with `${NAME:-default}` and `${NAME:?message}` filled in."""
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda match: ENVIRONMENT[match[1]], text)


def test_it_is_valid_by_the_schema_of_the_compose_specification() -> None:
    shipped = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((shipped / "compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    validator.validate(COMPOSE)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"services": {"api": {"comand": "serve"}}})


def test_there_is_one_service_for_each_half_the_wire_and_the_desk() -> None:
    assert set(SERVICES) == {"broker", "world", "pipeline", "api"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_without_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= set(check)


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_published_on_loopback_only(name: str) -> None:
    published = SERVICES[name].get("ports", [])
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", ["world", "pipeline", "api"])
def test_a_service_waits_for_a_healthy_broker(name: str) -> None:
    assert SERVICES[name]["depends_on"]["broker"] == {"condition": "service_healthy"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_writes_lies_on_a_named_volume(name: str) -> None:
    service = SERVICES[name]
    mounted = [volume.split(":")[1] for volume in service["volumes"]]
    assert {volume.split(":")[0] for volume in service["volumes"]} <= set(COMPOSE["volumes"])
    written = [part for part in service["command"] if part.startswith("/data/")]
    assert written
    assert all(any(path.startswith(place) for place in mounted) for path in written)


def test_the_interface_does_not_start_without_a_token() -> None:
    assert SERVICES["api"]["environment"]["TOCSIN_API_TOKEN"].startswith("${TOCSIN_API_TOKEN:?")


def spoken() -> list[tuple[str, list[str]]]:
    """Return every command line for `tocsin` in the file: commands and health checks."""
    lines = [(name, service["command"]) for name, service in SERVICES.items()]
    checks = [(f"{name} check", s["healthcheck"]["test"]) for name, s in SERVICES.items()]
    return lines + [(name, test[2:]) for name, test in checks if test[1] == "tocsin"]


@pytest.mark.parametrize(("name", "line"), spoken(), ids=lambda value: str(value))
def test_a_command_is_one_that_our_command_line_understands(name: str, line: list[str]) -> None:
    command = get_command(app)
    with command.make_context("tocsin", [filled(part) for part in line]) as context:
        subcommand = command.get_command(context, line[0])  # type: ignore[attr-defined]
        assert subcommand is not None, f"{name}: no command {line[0]}"
        rest = [filled(part) for part in line[1:]]
        with subcommand.make_context(line[0], rest, parent=context):
            pass


def test_a_misspelled_option_is_noticed() -> None:
    command = get_command(app)
    with command.make_context("tocsin", ["serve"]) as context:
        subcommand = command.get_command(context, "serve")  # type: ignore[attr-defined]
        with pytest.raises(Exception, match="hots"):
            subcommand.make_context("serve", ["--hots", "0.0.0.0"], parent=context)


def test_the_image_runs_as_the_user_of_the_services_and_installs_the_lock() -> None:
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert recipe.rstrip().rsplit("\nFROM ", maxsplit=1)[1].count("\nUSER 10001:10001\n") == 1
    assert "--require-hashes -r requirements.lock" in recipe
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", recipe, re.MULTILINE)
    for name in " ".join(copied).split():
        assert f"!{name}" in kept, f".dockerignore keeps {name} out of the build"
