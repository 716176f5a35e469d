"""Metrics for Prometheus, gathered from the runs when they are asked for."""

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.alarm_view import Ledger
from api.casebook import newest_by_subject
from api.controller import RunController
from api.desk import RunDesk
from api.results import stages_passed
from api.run_status import RunState
from pipeline.messages import AlarmStanding

_RUN = ["run"]


class RunCollector(Collector):
    """Reads every run this server drives; counts only what it reads in the logs."""

    def __init__(self, desk: RunDesk) -> None:
        self._desk, self._ledgers = desk, dict[str, Ledger]()

    def collect(self) -> Iterable[Metric]:
        """Return all metrics as of now."""
        runs = self._desk.driven()
        yield _states(runs)
        yield from _readings(runs)
        yield from _progress(runs)
        yield from _cases(runs)
        yield from _alarms({run.id: self._ledger(run) for run in runs})

    def _ledger(self, run: RunController) -> Ledger:
        """Return a run's alarm management, read on from where it was read last."""
        ledger = self._ledgers.setdefault(run.id, Ledger(run.about.start_ms))
        ledger.add(run.entries(ledger.read - 1))
        return ledger


def registry_of(desk: RunDesk) -> CollectorRegistry:
    """Return a registry of its own for one server."""
    registry = CollectorRegistry()
    registry.register(RunCollector(desk))
    return registry


def _states(runs: Iterable[RunController]) -> Metric:
    states = Counter(run.status().state for run in runs)
    gauge = GaugeMetricFamily("tocsin_runs", "Runs of this server by state.", labels=["state"])
    for state in RunState:
        gauge.add_metric([state.value], states[state])
    return gauge


def _readings(runs: Iterable[RunController]) -> Iterable[Metric]:
    received = CounterMetricFamily(
        "tocsin_readings_received", "Readings the platform took in.", labels=_RUN
    )
    duplicate = CounterMetricFamily(
        "tocsin_readings_duplicate", "Readings dropped because they had come before.", labels=_RUN
    )
    rejected = CounterMetricFamily(
        "tocsin_readings_rejected",
        "Readings refused (1 for a frame refused whole), by reason.",
        labels=["run", "reason"],
    )
    for run in runs:
        counts = run.status().readings
        received.add_metric([run.id], counts.received)
        duplicate.add_metric([run.id], counts.duplicate)
        for reason, count in sorted(counts.by_reason.items()):
            rejected.add_metric([run.id, reason], count)
    return (received, duplicate, rejected)


def _progress(runs: Iterable[RunController]) -> Iterable[Metric]:
    ticks = CounterMetricFamily("tocsin_ticks", "Ticks of the world's clock done.", labels=_RUN)
    clock = GaugeMetricFamily(
        "tocsin_event_time_seconds", "Event time, seconds since 1970 UTC.", labels=_RUN
    )
    lag = GaugeMetricFamily(
        "tocsin_run_lag_seconds", "How far the last tick was behind its pace.", labels=_RUN
    )
    for run in runs:
        status = run.status()
        ticks.add_metric([run.id], status.ticks)
        clock.add_metric([run.id], status.now_ms / 1000.0)
        lag.add_metric([run.id], status.lag_s)
    return (ticks, clock, lag)


def _cases(runs: Iterable[RunController]) -> Iterable[Metric]:
    events = CounterMetricFamily(
        "tocsin_events", "Entries of the event log by stage.", labels=["run", "stage"]
    )
    incidents = GaugeMetricFamily(
        "tocsin_incidents", "Incidents by their newest status.", labels=["run", "status"]
    )
    passed = GaugeMetricFamily(
        "tocsin_stage_cases", "Incidents that have passed a stage.", labels=["run", "stage"]
    )
    for run in runs:
        entries = run.entries()
        for stage, count in sorted(Counter(entry.stage for entry in entries).items()):
            events.add_metric([run.id, stage], count)
        newest = newest_by_subject(entries, "Incident")
        statuses = Counter(entry.data["status"] for entry in newest)
        for status, count in sorted(statuses.items()):
            incidents.add_metric([run.id, status], count)
        for stage, count in stages_passed(entries).items():
            passed.add_metric([run.id, stage], count)
    return (events, incidents, passed)


def _alarms(ledgers: Mapping[str, Ledger]) -> Iterable[Metric]:
    standing = GaugeMetricFamily(
        "tocsin_alarms",
        "Alarms that stand before operators (ISA-18.2).",
        labels=["run", "standing"],
    )
    announced = CounterMetricFamily(
        "tocsin_alarms_announced", "Alarms put before operators.", labels=_RUN
    )
    held = CounterMetricFamily(
        "tocsin_alarms_held", "Alarms held back when they came, by reason.", labels=["run", "why"]
    )
    for run, ledger in ledgers.items():
        stands = Counter(ledger.standing.values())
        for place in AlarmStanding:
            if place is not AlarmStanding.NORMAL:
                standing.add_metric([run, place.value], stands[place])
        announced.add_metric([run], ledger.book.announced)
        for why, count in sorted(ledger.book.held.items()):
            held.add_metric([run, why], count)
    return (standing, announced, held)
