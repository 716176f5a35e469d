"""What every transport keeps: order in a topic, at least once, sessions, retained, wildcards."""

import itertools
import threading
from collections.abc import Callable, Iterator

import pytest

from sensors.errors import TransportError
from sensors.transports import Envelope, Transport
from sensors.transports.broker import EmbeddedBroker
from sensors.transports.memory import MemoryBus
from sensors.transports.mqtt import MqttTransport

Connect = Callable[..., Transport]
TRANSPORTS = ("memory", "mqtt")
PATIENCE_S = 30.0
QUIET_S = 0.2


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    """A broker that delivers nothing again within a test, however slow the machine is."""
    with EmbeddedBroker(ack_wait_s=120) as running:
        yield running


@pytest.fixture(scope="module")
def hasty_broker() -> Iterator[EmbeddedBroker]:
    """A broker that delivers again what is not acknowledged within a second.

    On a slow machine that may be what was received and is on its way to be acknowledged.
    """
    with EmbeddedBroker(ack_wait_s=1) as running:
        yield running


@pytest.fixture(params=TRANSPORTS)
def connect(request: pytest.FixtureRequest, broker: EmbeddedBroker) -> Iterator[Connect]:
    """Return a function that attaches a client; all are closed afterwards."""
    yield from _opening(request.param, broker)


@pytest.fixture(params=TRANSPORTS)
def connect_hasty(
    request: pytest.FixtureRequest, hasty_broker: EmbeddedBroker
) -> Iterator[Connect]:
    """Return a function that attaches a client to a broker quick to deliver again."""
    yield from _opening(request.param, hasty_broker)


def _opening(kind: str, broker: EmbeddedBroker) -> Iterator[Connect]:
    opened: list[Transport] = []
    if kind == "memory":
        bus = MemoryBus()
        attach: Connect = bus.client
    else:

        def attach(client_id: str, **options: bool) -> Transport:
            return MqttTransport(broker.url, client_id, **options)

    def opening(client_id: str, **options: bool) -> Transport:
        opened.append(attach(client_id, **options))
        return opened[-1]

    yield opening
    for transport in opened:
        transport.close()


_runs = itertools.count()


@pytest.fixture
def root() -> str:
    """Return a topic prefix and client-id prefix no other test uses."""
    return f"run{next(_runs)}"


def collect(transport: Transport, count: int) -> list[Envelope]:
    """Poll until `count` messages have come, acknowledging them; fewer when it stays quiet."""
    got: list[Envelope] = []
    while len(got) < count:
        news = transport.poll(PATIENCE_S)
        if not news:
            break
        transport.ack(news)
        got += news
    return got


def test_a_topic_keeps_its_order_and_nothing_is_lost(connect: Connect, root: str) -> None:
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/+/tele"])
    count = 5_000
    for number in range(count):
        sender.publish(f"{root}/{number % 3}/tele", b"%d" % number)
    sender.flush(PATIENCE_S)
    got = collect(receiver, count)
    for lane in range(3):
        numbers = [int(one.payload) for one in got if one.topic == f"{root}/{lane}/tele"]
        assert numbers == list(range(lane, count, 3))
    assert receiver.poll(QUIET_S) == []


def collect_all(transport: Transport, wanted: set[int]) -> list[Envelope]:
    """Poll until every number of `wanted` has come, acknowledging; fails when it stays quiet."""
    got: list[Envelope] = []
    while wanted - {int(one.payload) for one in got}:
        news = transport.poll(PATIENCE_S)
        assert news, f"only {sorted(int(one.payload) for one in got)} of {sorted(wanted)} came"
        transport.ack(news)
        got += news
    return got


def test_what_was_not_acknowledged_comes_again_to_the_same_client(
    connect_hasty: Connect, root: str
) -> None:
    connect = connect_hasty
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/t"])
    for number in range(10):
        sender.publish(f"{root}/t", b"%d" % number)
    sender.flush(PATIENCE_S)
    first: dict[int, Envelope] = {}
    while len(first) < 10:
        for one in receiver.poll(PATIENCE_S):
            first.setdefault(int(one.payload), one)
    assert not any(one.is_duplicate for one in first.values())
    receiver.ack([one for number, one in first.items() if number < 4])
    receiver.close()
    again = collect_all(connect(f"{root}-r"), set(range(4, 10)))
    assert all(one.is_duplicate for one in again)


def test_what_was_acknowledged_stops_coming(connect_hasty: Connect, root: str) -> None:
    receiver, sender = connect_hasty(f"{root}-r"), connect_hasty(f"{root}-s")
    receiver.subscribe([f"{root}/t"])
    for number in range(10):
        sender.publish(f"{root}/t", b"%d" % number)
    sender.flush(PATIENCE_S)
    collect_all(receiver, set(range(10)))
    rounds = 0
    while again := receiver.poll(1.5):  # longer than the broker waits before it sends again
        receiver.ack(again)
        rounds += 1
        assert rounds < 10, "messages come again and again though they are acknowledged"


def test_a_session_gathers_messages_while_its_client_is_away(
    connect_hasty: Connect, root: str
) -> None:
    connect = connect_hasty
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/t"])
    receiver.close()
    for number in range(20):
        sender.publish(f"{root}/t", b"%d" % number)
    sender.flush(PATIENCE_S)
    got = collect_all(connect(f"{root}-r"), set(range(20)))
    # A broker may still send the first few to the connection that just ended, and then again.
    in_time = [int(one.payload) for one in got if not one.is_duplicate]
    assert in_time == sorted(set(in_time))


def test_a_clean_client_begins_with_nothing(connect: Connect, root: str) -> None:
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/t"])
    receiver.close()
    sender.publish(f"{root}/t", b"old")
    sender.flush(PATIENCE_S)
    fresh = connect(f"{root}-r", clean=True)
    assert fresh.poll(QUIET_S) == []
    fresh.subscribe([f"{root}/t"])
    sender.publish(f"{root}/t", b"new")
    assert [one.payload for one in collect(fresh, 1)] == [b"new"]


def test_a_later_subscriber_gets_the_retained_message_of_each_topic(
    connect: Connect, root: str
) -> None:
    sender = connect(f"{root}-s")
    for topic, payload in (("a", b"1"), ("a", b"2"), ("b", b"3"), ("c", b"4"), ("c", b"")):
        sender.publish(f"{root}/{topic}", payload, retain=True)
    sender.publish(f"{root}/d", b"not kept")
    sender.flush(PATIENCE_S)
    receiver = connect(f"{root}-r")
    receiver.subscribe([f"{root}/+"])
    got = collect(receiver, 2)
    assert sorted((one.topic, one.payload) for one in got) == [
        (f"{root}/a", b"2"),
        (f"{root}/b", b"3"),
    ]
    assert receiver.poll(QUIET_S) == []


def test_wildcards_choose_topics(connect: Connect, root: str) -> None:
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/+/tele/x", f"{root}/world/#"])
    wanted = ["1/tele/x", "2/tele/x", "world/clock", "world/truth/deep"]
    for topic in [*wanted, "1/state/x", "1/tele/y", "1/tele/x/y", "other"]:
        sender.publish(f"{root}/{topic}", topic.encode())
    sender.flush(PATIENCE_S)
    assert sorted(one.payload.decode() for one in collect(receiver, 4)) == wanted
    assert receiver.poll(QUIET_S) == []


@pytest.mark.parametrize(
    "payload", [b"", b"\x00\xff\r\n", bytes(range(256)) * 4096], ids=["empty", "binary", "1 MB"]
)
def test_payloads_arrive_untouched(connect: Connect, root: str, payload: bytes) -> None:
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/t"])
    sender.publish(f"{root}/t", payload)
    assert [one.payload for one in collect(receiver, 1)] == [payload]


def test_at_most_once_messages_owe_no_acknowledgement(connect: Connect, root: str) -> None:
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/t"])
    sender.publish(f"{root}/t", b"x", qos=0)
    (got,) = receiver.poll(PATIENCE_S)
    assert (got.payload, got.token) == (b"x", None)
    receiver.ack([got])


def test_poll_gives_no_more_than_asked_for(connect: Connect, root: str) -> None:
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/t"])
    for number in range(9):
        sender.publish(f"{root}/t", b"%d" % number)
    sender.flush(PATIENCE_S)
    got: list[Envelope] = []
    while len(got) < 9:
        news = receiver.poll(PATIENCE_S, limit=2)
        assert 1 <= len(news) <= 2
        got += news
    assert [int(one.payload) for one in got] == list(range(9))


def test_acknowledging_twice_is_harmless(connect: Connect, root: str) -> None:
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/t"])
    sender.publish(f"{root}/t", b"1")
    got = collect(receiver, 1)
    receiver.ack(got)
    sender.publish(f"{root}/t", b"2")
    assert [one.payload for one in collect(receiver, 1)] == [b"2"]


@pytest.mark.parametrize("topic", ["", "a/+/b", "a/#", "a b"])
def test_a_topic_that_cannot_be_published_on_is_refused(
    connect: Connect, root: str, topic: str
) -> None:
    sender = connect(f"{root}-s")
    with pytest.raises(TransportError, match="topic"):
        sender.publish(topic, b"")


def test_an_oversized_payload_is_refused(connect: Connect, root: str) -> None:
    sender = connect(f"{root}-s")
    with pytest.raises(TransportError, match="smaller frames"):
        sender.publish(f"{root}/t", bytes(8 * 1024 * 1024 + 1))


def test_a_closed_client_refuses_work_and_leaves_no_thread(connect: Connect, root: str) -> None:
    before = set(threading.enumerate())
    transport = connect(f"{root}-r")
    transport.subscribe([f"{root}/t"])
    transport.close()
    transport.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(TransportError, match="closed"):
        transport.publish(f"{root}/t", b"")
    with pytest.raises(TransportError, match="closed"):
        transport.poll(0.0)


def test_a_waiting_poll_wakes_up_for_a_message_of_another_thread(
    connect: Connect, root: str
) -> None:
    receiver, sender = connect(f"{root}-r"), connect(f"{root}-s")
    receiver.subscribe([f"{root}/t"])
    late = threading.Timer(0.05, sender.publish, (f"{root}/t", b"x"))
    late.start()
    assert [one.payload for one in receiver.poll(PATIENCE_S)] == [b"x"]
    late.join()


def test_memory_cuts_off_the_older_of_two_clients_with_one_id() -> None:
    bus = MemoryBus()
    older = bus.client("platform")
    older.subscribe(["t"])
    sender = bus.client("world")
    sender.publish("t", b"1")
    (owed,) = older.poll(0.0)
    newer = bus.client("platform")
    assert [(one.payload, one.is_duplicate) for one in newer.poll(0.0)] == [(b"1", True)]
    assert not owed.is_duplicate
    with pytest.raises(TransportError, match="closed"):
        older.poll(0.0)


def test_memory_stops_a_publisher_whose_reader_does_not_read() -> None:
    bus = MemoryBus(window=3, stall_s=0.01)
    bus.client("reader").subscribe(["t"])
    sender = bus.client("sender")
    for _ in range(3):
        sender.publish("t", b"")
    with pytest.raises(TransportError, match="'reader' leaves 3 messages unread"):
        sender.publish("t", b"")
