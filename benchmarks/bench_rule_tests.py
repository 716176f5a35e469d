"""`tocsin rules test` at size: a rule over a large fleet, with noise, an alarm and its end.

Sizes come from the environment: `RULE_TEST_DEVICES` and `RULE_TEST_SAMPLES`; 200,000 × 1,440 is
the size in the requirements and takes minutes, the default is a tenth of the devices.
"""

import os
import resource
import time
from pathlib import Path

from api.rule_tests.document import CaseTable, DeviceTable, ExpectTable
from api.rule_tests.suite import Case, run_case
from benchmarks.figures import Figure

DEVICES = 20_000
SAMPLES = 1_440
RULE = "water.pressure_head"
_ALARM, _AFTER = 4, 20


def run() -> Figure:
    """Return readings a second of one rule test: all devices are normal, alarm once and clear.

    Raises:
        RuntimeError: the test itself fails, so that its speed says nothing.
    """
    devices = int(os.environ.get("RULE_TEST_DEVICES", DEVICES))
    samples = int(os.environ.get("RULE_TEST_SAMPLES", SAMPLES))
    began, cpu = time.perf_counter(), time.process_time()
    outcome = run_case(Case(Path("benchmark"), _test(devices, samples)))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    if not outcome.is_passed:
        raise RuntimeError(f"the rule test failed: {outcome.error or outcome.failures[0].got}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    detail = {
        "devices": devices,
        "samples": samples,
        "readings": outcome.readings,
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu_s, 1),
        "peak_mb": round(peak_mb),
        "alarms": devices,
    }
    return Figure("rule_tests", outcome.readings / seconds, "readings/s", detail=detail)


def _test(devices: int, samples: int) -> CaseTable:
    series = f"0.30~0.004x{samples - _ALARM - _AFTER} 0.13x{_ALARM} 0.30x{_AFTER}"
    fleet = DeviceTable(id="P", kind="network_pressure", count=devices, input=series)
    expect = [
        ExpectTable(alarm={"rule": RULE, "state": state}, count=devices)
        for state in ("raised", "cleared")
    ]
    return CaseTable(
        name="at size",
        rules="national",
        only=[RULE],
        interval=60.0,  # type: ignore[arg-type]
        devices=[fleet],
        expect=expect,
    )
