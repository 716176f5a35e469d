"""Topics: the tree is built and parsed the same way, and bad segments never get on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.errors import TopicError
from sensors.transports.topics import (
    PlatformKind,
    TelemetryKind,
    TelemetryTopic,
    ack_topic,
    check_segment,
    clock_topic,
    feedback_topic,
    hotline_topic,
    matches,
    order_filter,
    order_topic,
    platform_topic,
    registry_topic,
    status_filter,
    telemetry_filter,
    truth_topic,
)

PRINTABLE = [chr(code) for code in range(0x21, 0x7F) if chr(code) not in "+#/$"]
segments = st.text(alphabet=PRINTABLE, min_size=1, max_size=20)


@given(segments, segments, segments, segments, st.sampled_from(TelemetryKind), segments)
def test_parsing_a_built_topic_gives_its_parts(
    city: str, area: str, domain: str, gateway: str, kind: TelemetryKind, codec: str
) -> None:
    topic = TelemetryTopic(city, "A" + area, domain, gateway, kind, codec)
    assert TelemetryTopic.parse(str(topic)) == topic


def test_the_tree_is_spelled_as_documented() -> None:
    topic = TelemetryTopic("c", "D01", "water", "gw-1", TelemetryKind.TELE, "senml_json")
    assert str(topic) == "tocsin/c/D01/water/gw-1/tele/senml_json"
    assert order_topic("c", "O-1") == "tocsin/c/platform/order/O-1"
    assert ack_topic("c") == "tocsin/c/platform/ack"
    assert clock_topic("c") == "tocsin/c/world/clock"
    assert truth_topic("c") == "tocsin/c/world/truth"
    assert feedback_topic("c") == "tocsin/c/world/feedback"
    assert hotline_topic("c") == "tocsin/c/world/hotline"
    assert registry_topic("c") == "tocsin/c/world/registry"


@pytest.mark.parametrize(
    "segment", ["", "a b", "a+", "#", "a/b", "$SYS", "Ä", "a\0", "\n", "x" * 129, "泵"]
)
def test_a_bad_segment_is_refused(segment: str) -> None:
    with pytest.raises(TopicError, match="segment"):
        check_segment(segment)


@pytest.mark.parametrize("area", ["world", "platform"])
def test_an_area_cannot_have_a_reserved_name(area: str) -> None:
    with pytest.raises(TopicError, match="area"):
        TelemetryTopic("c", area, "water", "gw", TelemetryKind.TELE, "senml_json")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "tocsin/c/D01/water/gw/tele",
        "tocsin/c/D01/water/gw/tele/senml_json/x",
        "other/c/D01/water/gw/tele/senml_json",
        "tocsin/c/D01/water/gw/news/senml_json",
        "tocsin/c//water/gw/tele/senml_json",
        "tocsin/c/world/water/gw/tele/senml_json",
    ],
)
def test_a_topic_of_another_shape_is_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        TelemetryTopic.parse(topic)


def test_an_id_with_slashes_stays_one_segment() -> None:
    topic = platform_topic("c", PlatformKind.ALARM, "WP-D03/low pressure/17+#")
    assert topic == "tocsin/c/platform/alarm/WP-D03%2Flow%20pressure%2F17%2B%23"


def test_filters_hear_their_own_kind_only() -> None:
    tele = str(TelemetryTopic("c", "D01", "water", "gw", TelemetryKind.TELE, "arrow_ipc"))
    state = str(TelemetryTopic("c", "D01", "water", "gw", TelemetryKind.STATE, "json"))
    topics = [tele, state, order_topic("c", "O-1"), truth_topic("c"), clock_topic("c")]
    for topic_filter, heard in (
        (telemetry_filter("c"), tele),
        (status_filter("c"), state),
        (order_filter("c"), order_topic("c", "O-1")),
    ):
        assert [topic for topic in topics if matches(topic_filter, topic)] == [heard]


@pytest.mark.parametrize(
    ("topic_filter", "topic", "is_match"),
    [
        # The examples of MQTT 3.1.1 §4.7.
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "sport/tennis", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/monitor", False),
        ("+/monitor", "$SYS/monitor", False),
        ("$SYS/#", "$SYS/monitor", True),
        ("a/b", "a/b", True),
        ("a/b", "a/B", False),
        ("a/b", "a/b/c", False),
    ],
)
def test_wildcards_follow_the_standard(topic_filter: str, topic: str, is_match: bool) -> None:
    assert matches(topic_filter, topic) is is_match
