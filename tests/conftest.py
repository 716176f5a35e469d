"""What every test gets: nothing may be left running, Hypothesis settings, the shared networks."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

ROOT = Path(__file__).resolve().parent.parent
SHARED_NETWORKS = ROOT.parent / "shared" / "data" / "networks"
GRACE_S = 2.0
"""How long something that is ending already may take."""


def running_threads() -> set[threading.Thread]:
    """Return the threads that would keep the interpreter alive."""
    return {thread for thread in threading.enumerate() if not thread.daemon}


def running_children() -> set[psutil.Process]:
    """Return the child processes, theirs included."""
    return set(psutil.Process().children(recursive=True))


def end_threads(threads: set[threading.Thread], grace_s: float = GRACE_S) -> list[str]:
    """Wait for threads that are ending and return the names of those that are not."""
    for thread in threads:
        thread.join(grace_s)
    return sorted(thread.name for thread in threads if thread.is_alive())


def end_children(children: set[psutil.Process], grace_s: float = GRACE_S) -> list[str]:
    """Wait for processes that are ending; kill those that are not and return what they were."""
    _, alive = psutil.wait_procs(children, timeout=grace_s)
    names = []
    for process in alive:
        try:
            names.append(f"{process.pid} {' '.join(process.cmdline())}")
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=GRACE_S)
    return sorted(names)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a non-daemon thread or a child process running."""
    threads, children = running_threads(), running_children()
    yield
    left = end_threads(running_threads() - threads) + end_children(running_children() - children)
    if left:
        pytest.fail(f"left running: {', '.join(left)}", pytrace=False)


@pytest.fixture(scope="session")
def shared_networks() -> Path:
    """Return the folder of the public EPANET networks that lies beside the repository."""
    if not SHARED_NETWORKS.is_dir():
        pytest.skip(
            "no ../shared/data/networks beside the repository: the public networks are "
            "not shipped with it"
        )
    return SHARED_NETWORKS
