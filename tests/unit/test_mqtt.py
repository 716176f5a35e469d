"""The MQTT client: addresses, errors that say what to do, and surviving a broken connection."""

import socket
from pathlib import Path

import pytest

from sensors.errors import TransportError
from sensors.transports import Envelope
from sensors.transports.broker import EmbeddedBroker
from sensors.transports.mqtt import BrokerAddress, MqttTransport

PATIENCE_S = 10.0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://127.0.0.1:1884", ("127.0.0.1", 1884, False, None, None)),
        ("mqtt://broker", ("broker", 1883, False, None, None)),
        ("mqtts://broker", ("broker", 8883, True, None, None)),
        ("mqtt://me:p%40ss@broker:99", ("broker", 99, False, "me", "p@ss")),
        ("mqtt://[::1]:1883", ("::1", 1883, False, None, None)),
    ],
)
def test_an_address_is_read_from_its_url(url: str, expected: tuple[object, ...]) -> None:
    assert BrokerAddress.parse(url) == BrokerAddress(*expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["", "broker:1883", "http://broker", "mqtt://", "mqtt://h:port", "mqtt://h/path"]
)
def test_a_url_that_is_no_broker_s_is_refused(url: str) -> None:
    with pytest.raises(TransportError, match="broker URL"):
        BrokerAddress.parse(url)


def test_an_address_without_broker_says_where_and_what_to_do() -> None:
    with socket.socket() as taken:  # bound but not listening: nobody else can take the port
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(TransportError, match=rf"127\.0\.0\.1:{port} .*tocsin broker") as error:
            MqttTransport(f"mqtt://127.0.0.1:{port}", "c")
    assert error.value.retryable


def test_a_filter_the_broker_refuses_is_named() -> None:
    with EmbeddedBroker() as broker:
        client = MqttTransport(broker.url, "c")
        with pytest.raises(TransportError, match="f8"):
            client.subscribe([f"f{number}" for number in range(9)])  # one more than the window
        client.close()


def receive(client: MqttTransport, count: int) -> list[Envelope]:
    got: list[Envelope] = []
    while len(got) < count and (news := client.poll(PATIENCE_S)):
        client.ack(news)
        got += news
    return got


def test_a_session_goes_on_by_itself_after_the_broker_was_killed(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path, ack_wait_s=1) as broker:
        receiver = MqttTransport(broker.url, "platform")
        receiver.subscribe(["t"])
        sender = MqttTransport(broker.url, "world")
        sender.publish("t", b"before")
        sender.flush(PATIENCE_S)
        assert [one.payload for one in receive(receiver, 1)] == [b"before"]
        broker.kill()
        sender.publish("t", b"while down")
        with pytest.raises(TransportError, match="1 messages unacknowledged"):
            sender.flush(0.05)
        broker.start()
        sender.flush(PATIENCE_S)
        got: set[bytes] = set()
        while b"while down" not in got:  # "before" may come again: its receipt died unwritten
            news = receive(receiver, 1)
            assert news
            got |= {one.payload for one in news}
        assert got <= {b"before", b"while down"}
        sender.close()
        receiver.close()


def test_an_acknowledgement_of_an_earlier_connection_is_not_sent_on_a_later_one(
    tmp_path: Path,
) -> None:
    with EmbeddedBroker(tmp_path, ack_wait_s=1) as broker:
        receiver = MqttTransport(broker.url, "platform")
        receiver.subscribe(["t"])
        sender = MqttTransport(broker.url, "world")
        sender.publish("t", b"owed")
        sender.flush(PATIENCE_S)
        first = receiver.poll(PATIENCE_S)[0]
        broker.kill()
        broker.start()
        again = receiver.poll(PATIENCE_S)[0]
        assert again.payload == b"owed"
        receiver.ack([first])  # its packet id may mean another message by now
        receiver.close()
        later = MqttTransport(broker.url, "platform")
        assert {one.payload for one in receive(later, 1)} == {b"owed"}
        sender.close()
        later.close()


def test_publishing_more_than_the_window_waits_and_loses_nothing() -> None:
    with EmbeddedBroker() as broker:
        receiver = MqttTransport(broker.url, "platform")
        receiver.subscribe(["t"])
        sender = MqttTransport(broker.url, "world", window=4)
        for number in range(200):
            sender.publish("t", b"%d" % number)
        sender.flush(PATIENCE_S)
        assert [int(one.payload) for one in receive(receiver, 200)] == list(range(200))
        sender.close()
        receiver.close()
