"""The embedded broker: quick to start, clean to stop, and it does not outlive us."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sensors.errors import BrokerError
from sensors.transports.broker import EmbeddedBroker, find_binary
from sensors.transports.mqtt import BrokerAddress, MqttTransport

ROOT = Path(__file__).parents[2]


def servers_below(process: psutil.Process) -> list[psutil.Process]:
    return [one for one in process.children(recursive=True) if one.name().startswith("nats")]


def can_connect(url: str) -> bool:
    address = BrokerAddress.parse(url)
    with socket.socket() as probe:
        return probe.connect_ex((address.host, address.port)) == 0


def test_it_starts_within_two_seconds_and_leaves_nothing_behind() -> None:
    before = psutil.Process().children(recursive=True)
    begin = time.monotonic()
    with EmbeddedBroker() as broker:
        assert time.monotonic() - begin < 2.0
        assert broker.is_running
        assert can_connect(broker.url)
        assert broker.url.startswith("mqtt://127.0.0.1:")
        store = broker.store
    assert not broker.is_running
    assert not can_connect(broker.url)
    assert psutil.Process().children(recursive=True) == before
    assert not store.exists()


def test_sessions_and_messages_outlive_an_orderly_restart(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / "store")
    with broker:
        receiver = MqttTransport(broker.url, "platform")
        receiver.subscribe(["t"])
        receiver.close()
        sender = MqttTransport(broker.url, "world")
        sender.publish("t", b"kept")
        sender.flush(10.0)
        sender.close()
        url = broker.url
    with broker:
        assert broker.url == url
        receiver = MqttTransport(broker.url, "platform")
        assert [one.payload for one in receiver.poll(10.0)] == [b"kept"]
        receiver.close()


def test_two_brokers_run_side_by_side() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.url != other.url


def test_a_taken_port_is_an_error_that_shows_the_log() -> None:
    with (
        EmbeddedBroker() as first,
        pytest.raises(BrokerError, match="address already in use"),
        EmbeddedBroker(port=first.port),
    ):
        pass


def test_a_program_that_is_no_broker_is_reported(tmp_path: Path) -> None:
    program = tmp_path / "nats-server"
    program.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(BrokerError, match="no such luck"):
        EmbeddedBroker(tmp_path / "store", binary=program).start()


def test_a_missing_program_is_reported_by_name() -> None:
    with pytest.raises(BrokerError, match="/no/such/nats-server"):
        EmbeddedBroker(binary="/no/such/nats-server").start()


def test_the_wheel_s_program_is_found_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert Path(find_binary()).name.startswith("nats-server")


def test_killing_it_is_noticed_and_it_can_start_again(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        broker.kill()
        assert not broker.is_running
        assert not can_connect(broker.url)
        broker.start()
        assert can_connect(broker.url)


@pytest.mark.skipif(os.name != "posix", reason="the watch needs a POSIX shell")
def test_it_ends_when_the_process_that_started_it_is_killed() -> None:
    program = (
        "import sys; from sensors.transports.broker import EmbeddedBroker\n"
        "broker = EmbeddedBroker(); broker.start(); print(broker.url, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        (server,) = servers_below(psutil.Process(owner.pid))
        assert can_connect(url)
        owner.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs([server], timeout=5.0)
    assert (gone, alive) == ([server], [])
