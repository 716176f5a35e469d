"""The guard of conftest notices what a test leaves running, and waits for what is ending."""

import subprocess
import sys
import threading

import psutil

from tests.conftest import end_children, end_threads, running_children, running_threads

WAIT_FOR_STDIN = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def test_a_child_left_running_is_named_and_killed() -> None:
    before = running_children()
    with subprocess.Popen(WAIT_FOR_STDIN, stdin=subprocess.PIPE) as child:
        left = end_children(running_children() - before, grace_s=0.01)
        assert left == [f"{child.pid} {' '.join(WAIT_FOR_STDIN)}"]
        assert not psutil.pid_exists(child.pid)


def test_a_child_that_ends_by_itself_is_forgiven() -> None:
    before = running_children()
    with subprocess.Popen(WAIT_FOR_STDIN, stdin=subprocess.PIPE) as child:
        started = running_children() - before
        assert child.stdin is not None
        child.stdin.close()
        assert end_children(started) == []


def test_a_thread_is_forgiven_only_when_it_ends() -> None:
    before, release = running_threads(), threading.Event()
    threading.Thread(target=release.wait, name="forgotten").start()
    started = running_threads() - before
    assert end_threads(started, grace_s=0.01) == ["forgotten"]
    release.set()
    assert end_threads(started) == []


def test_a_daemon_thread_is_not_counted() -> None:
    before, release = running_threads(), threading.Event()
    thread = threading.Thread(target=release.wait, daemon=True)
    thread.start()
    assert running_threads() == before
    release.set()
    thread.join()
