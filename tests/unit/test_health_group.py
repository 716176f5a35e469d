"""Many devices that change alike are one log entry; few, and different ones, stay apart."""

from dataclasses import replace

import msgspec

from pipeline.event_log import EventLog, verify
from pipeline.health_group import GROUPED_FROM, DeviceHealthGroup, grouped
from pipeline.messages import DeviceHealth, HealthKind
from sensors.field import Feedback, FeedbackKind

FEEDBACK = Feedback("f1", "o1", "I-1", "T1", FeedbackKind.ARRIVED, 900)


def silent(device: int, kind: HealthKind = HealthKind.OFFLINE) -> DeviceHealth:
    return DeviceHealth(f"WP-{device:04d}", f"D{device % 2}", kind, True, 900, "no_reading_in_time")


def test_few_devices_stay_single_entries() -> None:
    few = [silent(device) for device in range(GROUPED_FROM - 1)]
    assert grouped([FEEDBACK, *few]) == [FEEDBACK, *few]


def test_many_devices_become_one_entry_that_names_them_all() -> None:
    many = [silent(device) for device in range(GROUPED_FROM)]
    stuck = silent(7, HealthKind.STUCK)
    first, group, second, last = grouped([FEEDBACK, many[0], stuck, *many[1:], FEEDBACK])
    assert (first, second, last) == (FEEDBACK, stuck, FEEDBACK)
    assert group == DeviceHealthGroup(
        HealthKind.OFFLINE,
        True,
        GROUPED_FROM,
        tuple(one.device for one in many),
        {"D0": GROUPED_FROM // 2, "D1": GROUPED_FROM // 2},
        900,
        "no_reading_in_time",
    )


def test_what_begins_and_what_ends_are_not_mixed() -> None:
    began = [silent(device) for device in range(GROUPED_FROM)]
    ended = [replace(one, is_on=False, reason="reading_came") for one in began]
    groups = grouped([*began, *ended])
    assert [(one.is_on, one.reason) for one in groups] == [
        (True, "no_reading_in_time"),
        (False, "reading_came"),
    ]


def test_the_chain_holds_over_a_group() -> None:
    log = EventLog()
    entries = [log.add(one) for one in grouped([silent(n) for n in range(GROUPED_FROM)])]
    entries.append(log.add(FEEDBACK))
    assert verify(entries) == 2
    assert (entries[0].stage, entries[0].kind) == ("monitor", "DeviceHealthGroup")
    assert entries[0].subject == f"{GROUPED_FROM} devices"
    kept = msgspec.json.decode(msgspec.json.encode(entries[0].data))
    assert kept["devices"][-1] == f"WP-{GROUPED_FROM - 1:04d}"
