"""The composition root: builds the world and the platform from a plan, nothing else does."""

import hashlib
import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.network_model import ModelErrors, WaterNetworkModel
from api.plan import RunPlan
from pipeline.adapters.inbox import InboxJournal
from pipeline.adapters.sql_store import SqlStore, sqlite_url
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
from sensors.levels import Level
from sensors.transports import Transport
from simulator import randomness
from simulator.crews import CrewTimes
from simulator.fleet import Fleet
from simulator.physics.water.network import WaterNetwork
from simulator.recorder import Recorder
from simulator.wire import WorldWire
from simulator.world import World, WorldClock


@dataclass(frozen=True)
class WorldParts:
    """A world and what has to be closed after it."""

    world: World
    wire: WorldWire
    recorder: Recorder


def build_world(
    plan: RunPlan, transport: Transport, out: Path, *, wants_ack: bool = True
) -> WorldParts:
    """Build the world of a plan on a transport, recording into `out`."""
    scenario, registry, seed = plan.scenario, plan.registry, plan.seed
    fleet = Fleet(registry, seed, faults=plan.faults)
    wire = WorldWire(
        transport,
        plan.city.id,
        codec_named(scenario.codec, registry),
        fleet.gateway_topics,
        dict(zip(registry.ids, registry.texts("gateway"), strict=True)),
        wants_ack=wants_ack,
    )
    with ExitStack() as undo:
        recorder = Recorder(out)
        undo.callback(recorder.close)
        world = World(
            plan.city,
            registry,
            WorldClock(
                scenario.start_ms,
                scenario.start_ms + scenario.duration * 1000,
                scenario.tick * 1000,
            ),
            network=_network(plan),
            twin=_network(plan),
            fleet=fleet,
            wire=wire,
            recorder=recorder,
            crew_times=CrewTimes(**scenario.crews.model_dump()),
            seed=seed,
        )
        undo.callback(world.close)
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
    """Build the seven stages with the platform's own, imperfect model of the network."""
    scenario, city, registry = plan.scenario, plan.city, plan.registry
    errors = ModelErrors(
        roughness=scenario.platform.roughness_error,
        demand=scenario.platform.demand_error,
        seed=scenario.platform.seed,
    )
    model = WaterNetworkModel(plan.inp, registry, errors, scenario.utc_offset_ms, scenario.start_ms)
    policy = assess_policy(rules, issue_before_assess=scenario.platform.issue_before_assess)
    return {
        "monitor": MonitorStage(registry, rules.device),
        "warn": WarnStage(
            registry, rules, normal_low=model.normal_low(scenario.start_ms), model=model
        ),
        "assess": AssessStage(registry, city, model, policy),
        "dispatch": DispatchStage(city, default_plans(), rules.response),
        "supervise": SuperviseStage(rules.response, rules.escalation),
        "evaluate": EvaluateStage(city),
        "report": ReportStage(city, rules.response),
    }


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
    parts = (plan.scenario.model_dump_json(), plan.inp, plan.registry.digest)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return f"{plan.scenario.name}, seed {plan.seed}, {digest}"


def _network(plan: RunPlan) -> WaterNetwork:
    scenario = plan.scenario
    return WaterNetwork(
        plan.inp,
        scenario.start_ms,
        scenario.utc_offset_ms,
        step_s=min(scenario.tick, 300),
        demand_model=scenario.demand.model,
        demand_factor=_DemandNoise(plan).factor if scenario.demand.noise else None,
    )


class _DemandNoise:
    """Hourly lognormal demand noise of each node, the same in the world and in its twin."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._keys: NDArray[np.uint64] | None = None

    def factor(self, nodes: NDArray[np.int64], hour: int) -> NDArray[np.float64]:
        """Return one factor a node for an hour."""
        if self._keys is None or len(self._keys) <= int(nodes.max(initial=0)):
            ids = [f"node/{place}" for place in range(int(nodes.max(initial=0)) + 1)]
            self._keys = randomness.keys(self._plan.seed, "demand", ids)
        hours = np.full(len(nodes), hour, dtype=np.int64)
        noise = randomness.normal(self._keys[nodes], hours)
        return np.exp(self._plan.scenario.demand.noise * noise)
