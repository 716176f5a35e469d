"""Which devices of a certain fleet a scenario's faults befall, and the faults drawn by rate."""

from pathlib import Path

from sensors.devices.faults import Fault, FaultKind
from sensors.registry import Registry
from simulator.errors import ScenarioError
from simulator.incidents.fault_draws import draw_faults
from simulator.incidents.fault_rates import load_rates
from simulator.randomness import stream
from simulator.scenario.document import Scenario
from simulator.scenario.what_fails import DevicePick, FaultSpec

_ALWAYS_MS = 10 * 365 * 86_400_000
_NONE = "none"


def faults_of(scenario: Scenario, registry: Registry, seed: int, base: Path) -> tuple[Fault, ...]:
    """Return the faults a scenario lists, then those its rates bring.

    Faults that one entry brings to several devices share the cause `fault-<place in the list>`.

    Args:
        scenario: The scenario.
        registry: The fleet.
        seed: Seed of the run, for those by rate.
        base: Folder that a file of rates is relative to.

    Raises:
        ScenarioError: a device or gateway does not exist, or the rates are wrong.
    """
    listed = [
        fault
        for place, item in enumerate(scenario.faults)
        for fault in _faults(place, item, scenario, registry)
    ]
    if scenario.fault_rates == _NONE:
        return tuple(listed)
    rates = load_rates(scenario.fault_rates, base)
    return (*listed, *draw_faults(registry, rates, seed, scenario.start_ms, scenario.end_ms))


def _faults(
    place: int, spec: FaultSpec, scenario: Scenario, registry: Registry
) -> tuple[Fault, ...]:
    try:
        kind = FaultKind(spec.kind)
    except ValueError:
        known = ", ".join(item.value for item in FaultKind)
        raise ScenarioError(f"faults.{place}.kind: {spec.kind!r} is unknown; use {known}") from None
    devices = _devices(place, spec, registry)
    if kind.is_of_gateway == (devices[0] in registry.number):
        wanted = "gateway" if kind.is_of_gateway else "device"
        raise ScenarioError(
            f"faults.{place}: {spec.kind} befalls a {wanted}, and {devices[0]!r} is none; "
            f"choose a {wanted}"
        )
    start_ms = scenario.start_ms + spec.at * 1000
    end_ms = start_ms + (_ALWAYS_MS if spec.duration is None else spec.duration * 1000)
    cause = f"fault-{place}" if len(devices) > 1 else ""
    return tuple(Fault(device, kind, start_ms, end_ms, spec.amount, cause) for device in devices)


def _devices(place: int, spec: FaultSpec, registry: Registry) -> list[str]:
    if isinstance(spec.device, str):
        if spec.device not in registry.number and spec.device not in registry.texts("gateway"):
            raise ScenarioError(f"faults.{place}.device: no device or gateway {spec.device!r}")
        return [spec.device]
    pick: DevicePick = spec.device
    if pick.kind == "gateway":
        names = sorted(set(registry.texts("gateway")))
    else:
        names = sorted(registry.ids[number] for number in registry.where("kind", pick.kind))
    if not names:
        kinds = ["gateway", *sorted(set(registry.texts("kind")))]
        raise ScenarioError(f"faults.{place}.device.kind: no {pick.kind!r}; there are {kinds}")
    if pick.nth is not None:
        return [names[pick.nth % len(names)]]
    count = max(1, round((pick.share or 0.0) * len(names)))
    chosen = stream(place, "fault-share").permutation(len(names))[:count]
    return sorted(names[int(number)] for number in chosen)
