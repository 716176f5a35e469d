"""The composition root: builds the world and the platform from a plan, nothing else does."""

import hashlib
import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from api.city_hazards import build_hazards, has_hotline
from api.drain_constants import drain_constants
from api.drain_normals import normal_low
from api.network_model import ModelErrors, WaterNetworkModel
from api.plan import RunPlan
from api.replaying.heartbeats import KeepingRecorder, KeepingWire
from api.warning_models import outside_models
from pipeline.adapters.inbox import InboxJournal
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.assess.point_policy import PointPolicy, default_point_policy
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.stage import AssessStage
from pipeline.dispatch.plans import default_plans
from pipeline.dispatch.stage import DispatchStage
from pipeline.evaluate.stage import EvaluateStage
from pipeline.monitor.intake import Intake
from pipeline.monitor.stage import MonitorStage
from pipeline.report.stage import ReportStage
from pipeline.rules import RiskMethod, RuleSet, default_rules
from pipeline.runners.embedded import EmbeddedRunner, Listener, RunnerLimits
from pipeline.stage import Stage
from pipeline.supervise.stage import SuperviseStage
from pipeline.warn.stage import WarnStage
from sensors.codecs import CODEC_NAMES, codec_named
from sensors.codecs.codec import Codec
from sensors.levels import Level
from sensors.transports import Transport
from simulator.crews import CrewTimes
from simulator.fleet import Fleet
from simulator.hazards.elements import Elements
from simulator.hotline import Hotline
from simulator.recorder import Recorder
from simulator.wire import WorldWire
from simulator.world import Weather, World, WorldClock


@dataclass(frozen=True)
class WorldParts:
    """A world and what has to be closed after it."""

    world: World
    wire: WorldWire
    recorder: Recorder


def build_world(
    plan: RunPlan,
    transport: Transport,
    out: Path,
    *,
    wants_ack: bool = True,
    codec: Codec | None = None,
    recorder: Recorder | None = None,
) -> WorldParts:
    """Build the world of a plan on a transport, recording into `out`.

    Args:
        plan: What to build.
        transport: The world's end of the wire.
        out: Folder of the recording.
        wants_ack: Whether the world waits for a platform after each tick.
        codec: Instead of the scenario's.
        recorder: Instead of one that writes into `out`.
    """
    scenario, registry, seed = plan.scenario, plan.registry, plan.seed
    fleet = Fleet(registry, seed, faults=plan.faults)
    with ExitStack() as undo:
        recorder = recorder or KeepingRecorder(out)
        undo.callback(recorder.close)
        wire = KeepingWire(
            transport,
            plan.city.id,
            codec or codec_named(scenario.codec, registry),
            fleet.gateway_topics,
            dict(zip(registry.ids, registry.texts("gateway"), strict=True)),
            wants_ack=wants_ack,
            keep=recorder.keep if isinstance(recorder, KeepingRecorder) else None,
        )
        elements = Elements(plan.city)
        hazards = build_hazards(plan, elements, undo)
        world = World(
            plan.city,
            registry,
            WorldClock(
                scenario.start_ms,
                scenario.start_ms + scenario.duration * 1000,
                scenario.tick * 1000,
            ),
            hazards=hazards,
            elements=elements,
            fleet=fleet,
            wire=wire,
            recorder=recorder,
            crew_times=CrewTimes(**scenario.crews.model_dump()),
            hotline=Hotline(plan.city, seed) if has_hotline(plan.city) else None,
            weather=Weather(plan.wind_m_s, plan.storms),
            seed=seed,
        )
        for incident in plan.incidents:
            world.inject(incident)
        undo.pop_all()
    return WorldParts(world, wire, recorder)


def build_platform(
    plan: RunPlan,
    transport: Transport,
    out: Path,
    *,
    rules: RuleSet | None = None,
    store_url: str | None = None,
    listener: Listener | None = None,
    limits: RunnerLimits | None = None,
) -> EmbeddedRunner:
    """Build the platform of a plan on a transport, keeping its state in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    stages = build_stages(plan, rules or default_rules())
    evaluate = stages["evaluate"]
    assert isinstance(evaluate, EvaluateStage)
    codecs = {name: codec_named(name, plan.registry) for name in CODEC_NAMES}
    return EmbeddedRunner(
        stages,
        Intake(codecs),
        transport,
        SqlStore(store_url or sqlite_url(out / "loop.sqlite")),
        InboxJournal(out / "inbox.journal"),
        plan.city.id,
        start_ms=plan.scenario.start_ms,
        finish=evaluate.finish,
        limits=limits,
        listener=listener,
        run=_run_name(plan),
        gateways=frozenset(plan.registry.texts("gateway")),
    )


def build_stages(plan: RunPlan, rules: RuleSet) -> Mapping[str, Stage]:
    """Build the seven stages with the platform's own, imperfect model of the water network."""
    scenario, city, registry = plan.scenario, plan.city, plan.registry
    model = _platform_model(plan)
    policy = assess_policy(rules, issue_before_assess=scenario.platform.issue_before_assess)
    return {
        "monitor": MonitorStage(registry, rules.device),
        "warn": WarnStage(
            registry,
            rules,
            normal_low=normal_low(
                None if model is None else model.normal_low(scenario.start_ms),
                city.networks.get("flood", ""),
                registry,
            ),
            model=model,
            city=city,
            constants=drain_constants(city, registry),
            utc_offset_ms=scenario.utc_offset_ms,
            models=outside_models(rules),
        ),
        "assess": AssessStage(
            registry,
            city,
            model,
            policy,
            point_policy(rules),
            approval=rules.approval,
            response=rules.response,
        ),
        "dispatch": DispatchStage(city, default_plans(), rules.response),
        "supervise": SuperviseStage(rules.response, rules.escalation),
        "evaluate": EvaluateStage(city, alarm_policy=rules.alarms),
        "report": ReportStage(
            city,
            rules.response,
            utc_offset_min=scenario.utc_offset_ms // 60_000,
            rules=rules.rules,
        ),
    }


def _platform_model(plan: RunPlan) -> WaterNetworkModel | None:
    """Return the platform's own model of the water network; None in a city without one."""
    if not plan.inp:
        return None
    scenario = plan.scenario
    errors = ModelErrors(
        roughness=scenario.platform.roughness_error,
        demand=scenario.platform.demand_error,
        seed=scenario.platform.seed,
    )
    return WaterNetworkModel(
        plan.inp, plan.registry, errors, scenario.utc_offset_ms, scenario.start_ms
    )


def assess_policy(rules: RuleSet, *, issue_before_assess: bool = False) -> AssessPolicy:
    """Return the assessment's limits with those the rule set gives taken from it."""
    risk = rules.risk
    bands = risk.bands[risk.default].bounds
    return AssessPolicy(
        issue_before_assess=issue_before_assess,
        assess_limit_ms={
            level: limit_ms
            for level, limits in rules.response.items()
            if (limit_ms := limits.limit_ms("assess")) is not None
        },
        household_bounds=(
            _households_from(risk, 2),
            _households_from(risk, 3),
            _households_from(risk, 4),
            _households_from(risk, 5),
        ),
        risk_bounds=(bands[Level.YELLOW][0], bands[Level.ORANGE][0], bands[Level.RED][0]),
    )


def point_policy(rules: RuleSet) -> PointPolicy:
    """Return the limits for hazards at points with the rule set's depths of closure."""
    policy, closure = default_point_policy(), rules.closure
    limits = msgspec.structs.replace(
        policy.limits,
        closure_underpass_cm=closure.underpass_cm,
        closure_road_cm=closure.road_cm,
    )
    return msgspec.structs.replace(policy, limits=limits)


def _households_from(risk: RiskMethod, consequence: int) -> float:
    """Return the fewest households with which C is `consequence` or more."""
    bounds = [bound for c, bound in risk.consequence_households if c >= consequence]
    return min(bounds, default=math.inf)


def client_id(plan: RunPlan, side: str, out: Path) -> str:
    """Return a stable MQTT client id: the same run folder gets its session back."""
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:8]
    return f"tocsin-{plan.city.id}-{side}-{name}"


def _run_name(plan: RunPlan) -> str:
    """Return what tells this run from every other: scenario, seed, city and devices."""
    networks = [plan.city.networks[domain] for domain in sorted(plan.city.networks)]
    parts = (plan.scenario.model_dump_json(), *networks, plan.registry.digest)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return f"{plan.scenario.name}, seed {plan.seed}, {digest}"
