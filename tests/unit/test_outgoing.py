"""What leaves the platform, under which key, and what stays inside."""

from dataclasses import replace

import msgspec
import pytest

from pipeline.messages import (
    AlarmState,
    IncidentStatus,
    Message,
    WarningNotice,
    WarningStatus,
)
from pipeline.runners.outgoing import Outgoing, Sent
from pipeline.stage import pack, unpack
from sensors.field import WorkOrder, decode_numbered
from sensors.levels import Level
from tests.unit.hand_stages import closure_of, milestone_of, order_of, slip_of
from tests.unit.loop_messages import alarm, incident


def notice(status: WarningStatus, version: int = 1, name: str = "W-1") -> WarningNotice:
    return WarningNotice(
        name, version, status, Level.YELLOW, "water", "D01", "I-1", ("a",), 1, "leak_fits"
    )


def keys(outgoing: Outgoing, *messages: Message) -> list[str | None]:
    out = [outgoing.of(message) for message in messages]
    return [None if one is None else one[0] for one in out]


DRAFT, ISSUED = notice(WarningStatus.DRAFT), notice(WarningStatus.ISSUED, 2)
CANCELLED = notice(WarningStatus.CANCELLED, 3)
CLOSED = incident(status=IncidentStatus.CLOSED)


@pytest.mark.parametrize(
    "message",
    [
        DRAFT,
        alarm(AlarmState.PROVISIONAL),
        alarm(AlarmState.WITHDRAWN),
        incident(status=IncidentStatus.ASSESSING),
        incident(status=IncidentStatus.DISMISSED),
        slip_of(DRAFT),
        closure_of(DRAFT),
        milestone_of(DRAFT),
    ],
)
def test_what_is_not_for_the_public_stays_inside(message: Message) -> None:
    outgoing = Outgoing("town")
    assert outgoing.of(message) is None
    assert outgoing.sent == Sent()


@pytest.mark.parametrize("version", [1, 2, 7])
def test_a_draft_cancelled_before_it_was_issued_stays_inside(version: int) -> None:
    outgoing = Outgoing("town")
    assert keys(outgoing, DRAFT, replace(CANCELLED, version=version)) == [None, None]


def test_a_warning_that_was_issued_is_cancelled_in_public_once() -> None:
    outgoing = Outgoing("town")
    assert keys(outgoing, DRAFT, ISSUED, CANCELLED, CANCELLED) == [
        None,
        "warning/1",
        "warning/2",
        None,
    ]


def test_another_draft_cancelled_beside_the_issued_warning_stays_inside() -> None:
    outgoing = Outgoing("town")
    merged = notice(WarningStatus.CANCELLED, 2, "W-2")
    assert keys(outgoing, ISSUED, merged) == ["warning/1", None]


def test_only_an_incident_that_was_confirmed_is_closed_in_public() -> None:
    outgoing = Outgoing("town")
    assert keys(outgoing, CLOSED, incident(), CLOSED) == [None, "incident/1", "incident/2"]


def test_alarms_go_out_under_their_device() -> None:
    outgoing = Outgoing("town")
    sent = [outgoing.of(alarm(state)) for state in (AlarmState.RAISED, AlarmState.CLEARED)]
    assert [one and one[:2] for one in sent] == [
        ("alarm/1", "tocsin/town/platform/alarm/WP-1"),
        ("alarm/2", "tocsin/town/platform/alarm/WP-1"),
    ]


def test_orders_are_numbered_from_one() -> None:
    outgoing = Outgoing("town")
    for number in (1, 2):
        out = outgoing.of(order_of(number, 5))
        assert out is not None
        key, topic, payload = out
        assert (key, topic) == (f"order/{number}", f"tocsin/town/platform/order/O-{number}")
        assert decode_numbered(payload, WorkOrder) == (number, order_of(number, 5))


def test_numbers_and_what_is_out_go_on_after_a_restart() -> None:
    outgoing = Outgoing("town")
    keys(outgoing, order_of(1, 5), ISSUED, incident())
    again = Outgoing("town", unpack(pack("sent", 1, outgoing.sent), "sent", 1, Sent))
    assert keys(again, order_of(2, 6), CANCELLED, CLOSED) == ["order/2", "warning/3", "incident/4"]
    assert again.sent.is_out == {}


def test_what_goes_out_is_the_message_as_json() -> None:
    out = Outgoing("town").of(ISSUED)
    assert out is not None
    assert msgspec.json.decode(out[2], type=WarningNotice) == ISSUED


@pytest.mark.parametrize("level", list(Level))
def test_a_version_that_waits_for_its_authority_stays_inside_and_changes_go_out(
    level: Level,
) -> None:
    outgoing = Outgoing("town")
    wanted = [
        WarningStatus.AWAITING_APPROVAL,
        WarningStatus.ISSUED,
        WarningStatus.AWAITING_APPROVAL,
        WarningStatus.UPGRADED,
        WarningStatus.DOWNGRADED,
        WarningStatus.CANCELLED,
    ]
    versions = [replace(notice(one, n), level=level) for n, one in enumerate(wanted, start=2)]
    sent = [None, "warning/1", None, "warning/2", "warning/3", "warning/4"]
    assert keys(outgoing, *versions) == sent


def test_a_warning_turned_down_before_it_was_out_stays_inside() -> None:
    waiting = notice(WarningStatus.AWAITING_APPROVAL, 2)
    assert keys(Outgoing("town"), waiting, replace(CANCELLED, version=3)) == [None, None]
