"""`tocsin run` and `tocsin demo`: world and platform in one process."""

from typing import Annotated, Literal

import typer

from api.commands.options import (
    CityOption,
    JsonOption,
    OutOption,
    PaceOption,
    ProfileOption,
    RulesOption,
    ScenarioArg,
    SeedOption,
    WatchRulesOption,
)


def run(
    scenario: ScenarioArg,
    pace: PaceOption = None,
    seed: SeedOption = None,
    transport: Annotated[
        Literal["memory", "mqtt"] | None,
        typer.Option(
            help="How the halves talk: in memory, or through a real broker. Default: memory, and "
            "mqtt when a broker is named."
        ),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(
            envvar="TOCSIN_BROKER",
            help="MQTT broker, mqtt://[user:password@]host:port. Default: the embedded one.",
        ),
    ] = None,
    out: OutOption = None,
    city: CityOption = None,
    profile: ProfileOption = None,
    rules: RulesOption = None,
    watch_rules: WatchRulesOption = False,
    is_json: JsonOption = False,
) -> int:
    """Run a scenario: world and platform face each other until its end.

    The recording folder gets the readings, the truth, every event of the loop, the reports and
    `manifest.json`. Ctrl-C ends the run after the tick at hand and keeps all of it (exit 130).

    For example:

        tocsin run water-burst

        tocsin run scenarios/water-burst.yaml --transport mqtt --pace 600 --out runs/b1

        tocsin run water-burst --city cities/net3 --seed 7 --json

        tocsin run quiet-day --city city --profile shenyang

        tocsin run storm-red --rules beijing
    """
    from api.commands.hosting import Wire, host_run

    wire = Wire(transport or ("mqtt" if broker else "memory"), broker)
    return host_run(
        scenario,
        pace=pace,
        seed=seed,
        wire=wire,
        out=out,
        city=city,
        profile=profile,
        rules=rules,
        watches_rules=watch_rules,
        is_json=is_json,
    )


def demo(
    pace: Annotated[str, typer.Option(help="Seconds of event time per second.")] = "900",
    out: OutOption = None,
    is_json: JsonOption = False,
) -> int:
    """Run a burst day on a generated town over the embedded MQTT broker, so that you can follow.

    Takes about a minute and a half; see the report it names at the end. In a hurry:

        tocsin demo --pace 3600
    """
    from api.commands.hosting import Wire, host_run

    wire = Wire("mqtt", None)
    return host_run("water-burst", pace=pace, wire=wire, out=out, is_json=is_json, name="demo")
