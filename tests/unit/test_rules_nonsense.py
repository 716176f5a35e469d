"""Rule files that are well formed and would do nothing, or not what was meant, are refused."""

import pytest

from pipeline.rules import load_rules, mistakes
from pipeline.rules.globs import is_unclosed

HEAD = "format: 1\nextends: national\n"
HYDRANT = "rules: {{water.pressure_head: {{{0}}}}}"
NIGHT = "rules: {{water.dma_night_ratio: {{signal: {{{0}}}}}}}"
SILENCE = "silences: {{s: {{matchers: {{{0}}}, why: x}}}}"
OWN = (
    "rules: {{mine.own: {{domain: water, indicator: x, select: {{{0}}}, unit: {1}, direction: low, "
    "sample_s: 300, sample_alarm_s: 60, thresholds: {{blue: 0.2}}, clear_consecutive: 1, "
    "deadband: 0.01}}}}"
)


def told(body: str) -> str:
    return "\n".join(str(one) for one in mistakes(f"{HEAD}{body}\n", "mine.yaml"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (HYDRANT.format("select: {kinds: [rain_gauge]}"), "measures rainfall, not pressure"),
        (HYDRANT.format("select: {kinds: [network_presure]}"), "did you mean network_pressure"),
        (HYDRANT.format("select: {kinds: ['x*']}"), "no such device kind is installed"),
        (HYDRANT.format("select: {devices: ['WP[']}"), "devices[0] = 'WP[': a `[` without `]`"),
        (OWN.format("kinds: [network_pressure]", "bananas"), "value of pressure is in 'MPa'"),
        (OWN.format("kinds: ['*']", "MPa"), "give one quantity"),
        ("rules: {water.presure_head: {enabled: false}}", "did you mean water.pressure_head"),
        ("rules: {mine.none: {enabled: false}}", "no base has this rule to drop; remove it"),
        (NIGHT.format("from_h: 5, to_h: 2"), "signal.to_h = 2.0: the night of 5 h to 2 h is none"),
        (NIGHT.format("from_h: 6"), "signal.to_h = 5.0: the night of 6 h to 5 h is none"),
        (
            "rules: {flood.eta_closure: {signal: {level: {value: 1, unit: km}}}}",
            "level.unit = 'km': level is in cm; convert it",
        ),
        (
            "rules: {gas.flow_z: {chain_of: gas.pressure_low}, "
            "gas.pressure_low: {chain_of: gas.flow_z}}",
            "gas.flow_z.chain_of = 'gas.pressure_low': leads back to this rule",
        ),
        (SILENCE.format("level: orang"), "fits no level; did you mean orange"),
        (SILENCE.format("domain: watr"), "fits no domain; did you mean water"),
        (SILENCE.format("quantity: presure"), "fits no quantity; did you mean pressure"),
        (SILENCE.format("device: '['"), "matchers.device = '[': a `[` without `]`"),
        (SILENCE.format("device: ''"), "matchers.device = ''"),
        (
            "silences: {s: {matchers: {area: D1}, why: x, begins: '22:00', ends: '22:00'}}",
            "silences.s.ends = '22:00': ends when it begins",
        ),
        (
            "inhibitions: {i: {source: {rule: gas.flow_z}, target: {rule: gas.flow_z}, "
            "equal: [area], why: x}}",
            "the same as its source",
        ),
        ("closure: {road_cm: {value: 30, sources: [NOPE]}}", "road_cm.sources = 'NOPE': no such"),
        ("alarms: {flood_begins: {value: 11, sources: [NOPE]}}", "'NOPE': no such source"),
        ("couplings: {gas.biogas: {sources: [NOPE]}}", "biogas.sources = 'NOPE': no such source"),
        (
            "couplings: {gas.biogas: {figures: {rise_h: {value: 6, sources: [NOPE]}}}}",
            "figures.rise_h.sources = 'NOPE': no such source",
        ),
    ],
)
def test_what_would_do_nothing_is_refused_with_its_line(body: str, message: str) -> None:
    found = told(body)
    assert message in found
    assert found.startswith("mine.yaml:3: ")


@pytest.mark.parametrize(
    "body",
    [
        OWN.format("kinds: [network_pressure, hydrant_pressure]", "MPa"),
        OWN.format("kinds: ['*_pressure'], domains: [water]", "MPa"),
        OWN.format("kinds: ['*'], devices: ['WP-[!A]*', '[]]']", "MPa"),
        OWN.format("quantity: pressure", "MPa").replace("{domain:", "{enabled: false, domain:"),
        NIGHT.format("from_h: 1, to_h: 4"),
        SILENCE.format("rule: 'any.*', level: '[12]', domain: 'f*', quantity: '*'"),
        "silences: {s: {matchers: {area: D1}, why: x, begins: '06:00', ends: '06:00', days: [1]}}",
        SILENCE.format("rule: mine.wet") + "\ncouplings:\n  mine.wet: {expression: gas.a > 1}",
        "rules: {gas.flow_z: {chain_of: gas.pressure_low}, "
        "gas.pressure_low: {chain_of: water.pressure_head}}",
        "inhibitions: {i: {source: {rule: gas.flow_z, level: red}, "
        "target: {rule: gas.flow_z}, equal: [], why: x}}",
    ],
)
def test_what_can_work_is_taken(body: str) -> None:
    assert told(body) == ""
    load_rules(f"{HEAD}{body}\n", "mine.yaml")


@pytest.mark.parametrize(
    ("glob", "is_so"),
    [("[", True), ("a[b]", False), ("[]]", False), ("[!]", True), ("[a][", True), ("]", False)],
)
def test_a_bracket_that_is_never_closed_is_known(glob: str, is_so: bool) -> None:
    assert is_unclosed(glob) == is_so
