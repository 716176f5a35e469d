"""`tocsin simulate` and `tocsin pipeline`: each half alone, facing the other over a broker."""

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

RequiredBroker = Annotated[
    str,
    typer.Option(envvar="TOCSIN_BROKER", help="MQTT broker, mqtt://[user:password@]host:port."),
]


def simulate(
    scenario: ScenarioArg,
    broker: Annotated[
        str | None,
        typer.Option(envvar="TOCSIN_BROKER", help="MQTT broker, mqtt://[user:password@]host:port."),
    ] = None,
    transport: Annotated[
        Literal["mqtt", "none"],
        typer.Option(help="`none`: the world alone, without broker, platform and encoding."),
    ] = "mqtt",
    pace: PaceOption = None,
    seed: SeedOption = None,
    out: OutOption = None,
    city: CityOption = None,
    profile: ProfileOption = None,
    lockstep: Annotated[
        bool,
        typer.Option(
            help="Wait for the platform's acknowledgement of each tick. Use --no-lockstep for "
            "a platform that sends none (yours)."
        ),
    ] = True,
    record: Annotated[
        bool, typer.Option(help="Write a recording; --no-record only with --transport none.")
    ] = True,
    is_json: JsonOption = False,
) -> int:
    """Run the world alone: publish readings, clock, feedback and truth to a broker.

    Any platform may listen. In lockstep the world waits as long as it takes, so the platform
    may start later, or restart, and nothing is lost. Ctrl-C keeps what was recorded (exit 130).

    For example, each line in a terminal of its own:

        tocsin broker

        tocsin pipeline water-burst --broker mqtt://127.0.0.1:1883

        tocsin simulate water-burst --broker mqtt://127.0.0.1:1883 --pace 600

    Without any broker, to see how fast the world is:

        tocsin simulate quiet-day --transport none --no-record
    """
    from api.commands.errors import WrongUseError
    from api.commands.halves import Half, run_world, run_world_alone

    half = Half(
        scenario, broker or "", seed=seed, out=out, city=city, is_json=is_json, profile=profile
    )
    if transport == "none":
        return run_world_alone(half, pace, records=record)
    if not broker:
        raise WrongUseError(
            "Missing option '--broker' (or TOCSIN_BROKER): mqtt://host:port; "
            "--transport none runs the world alone"
        )
    if not record:
        raise WrongUseError("--no-record goes with --transport none only")
    return run_world(half, pace, wants_ack=lockstep)


def pipeline(
    scenario: ScenarioArg,
    broker: RequiredBroker,
    seed: SeedOption = None,
    out: OutOption = None,
    city: CityOption = None,
    profile: ProfileOption = None,
    rules: RulesOption = None,
    watch_rules: WatchRulesOption = False,
    is_json: JsonOption = False,
) -> int:
    """Run the platform alone on a broker, until the world's last tick.

    It wants the world's own scenario, for its city and devices. Kill it whenever you like:
    started again with the same --out it goes on where it was, with nothing done twice and
    nothing lost that the broker had acknowledged.

    For example:

        tocsin pipeline water-burst --broker mqtt://127.0.0.1:1883 --out runs/platform
    """
    from api.commands.halves import Half, run_platform

    half = Half(scenario, broker, seed=seed, out=out, city=city, is_json=is_json, profile=profile)
    return run_platform(half, rules, watches_rules=watch_rules)
