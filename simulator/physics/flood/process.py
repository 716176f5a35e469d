"""The parent's end of the worker process: start it, talk to it, never hang, leave nothing."""

import mmap
import os
import sys
import tempfile
import weakref
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import PhysicsError
from simulator.physics.flood.orders import Done, Failed, Start
from simulator.physics.flood.worker import ANSWERS_FD, COLUMNS_FD, COMMANDS_FD

Floats = NDArray[np.float64]

ANSWER_S = 600.0
"""Longest wait for one stretch; a longer one is an error, not a hang."""
_END_S = 5.0
_ENTRY = (
    "import sys; sys.path[:] = {path!r}; from simulator.physics.flood.worker import main; main()"
)


class SwmmProcess:
    """A worker process with one model open.

    It needs no `__main__` guard in the calling script and no helper process: it is started by
    `posix_spawn`, talks through two pipes and shares its columns through a file that has no
    name. When this end closes or its process dies, the worker reads the end of the pipe and
    ends, too.
    """

    def __init__(self, start: Start) -> None:
        """Start the process and open the model.

        Raises:
            PhysicsError: it cannot be started or refuses the model.
        """
        self._nodes, self._links = len(start.node_ids), len(start.link_ids)
        with tempfile.TemporaryFile() as columns, tempfile.TemporaryFile() as complaints:
            columns.truncate((self._nodes + 2 * self._links) * 8)
            self._memory = mmap.mmap(columns.fileno(), 0)
            commands_in, commands_out = os.pipe()
            answers_in, answers_out = os.pipe()
            self._complaints = os.dup(complaints.fileno())
            try:
                inherited = (commands_in, answers_out, columns.fileno(), complaints.fileno())
                self.pid = _spawn(inherited)
            finally:
                os.close(commands_in)
                os.close(answers_out)
        self._commands: Any = Connection(commands_out, readable=False)
        self._answers: Any = Connection(answers_in, writable=False)
        self._end = weakref.finalize(
            self, _end, self.pid, self._commands, self._answers, self._complaints
        )
        try:
            self.send(start)
            self.totals = self.receive().totals
        except BaseException:
            self.close()
            raise

    def send(self, order: object) -> None:
        """Send an order; the answer is fetched by `receive`.

        Raises:
            PhysicsError: the process is dead.
        """
        try:
            self._commands.send(order)
        except OSError as error:
            raise self._death() from error

    def receive(self) -> Done:
        """Wait for the answer to the last order.

        Raises:
            PhysicsError: the engine failed, the process died, or it did not answer in time.
        """
        try:
            if not self._answers.poll(ANSWER_S):
                raise PhysicsError(
                    f"SWMM worker process {self.pid} gave no answer in {ANSWER_S:g} s; "
                    "use a smaller network or fewer steps at a time"
                )
            answer = self._answers.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error
        if isinstance(answer, Failed):
            raise PhysicsError(answer.message)
        assert isinstance(answer, Done)
        return answer

    def columns(self) -> tuple[Floats, Floats, Floats]:
        """Return copies of depth (m) by node, flow (m3/s) and setting by link."""
        both = np.frombuffer(self._memory, dtype=np.float64).copy()
        nodes, links = self._nodes, self._links
        return both[:nodes], both[nodes : nodes + links], both[nodes + links :]

    def close(self) -> None:
        """End the process and wait for it; closing twice does nothing."""
        self._end()

    def _death(self) -> PhysicsError:
        size = os.fstat(self._complaints).st_size
        told = os.pread(self._complaints, 2000, max(size - 2000, 0)).decode("utf-8", "replace")
        last = told.strip().splitlines()[-1:] or ["it said nothing"]
        return PhysicsError(
            f"SWMM worker process {self.pid} died ({last[0]}); start the network again"
        )


def _spawn(inherited: tuple[int, int, int, int]) -> int:
    """Start the worker with the four descriptors at their places; stderr is the fourth.

    They are moved out of the way first: a place may be taken by one of the others.
    """
    numbers = (COMMANDS_FD, ANSWERS_FD, COLUMNS_FD, 2)
    actions: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    spare = max(inherited) + 1
    for n, source in enumerate(inherited):
        actions.append((os.POSIX_SPAWN_DUP2, source, spare + n))
    for n, number in enumerate(numbers):
        actions.append((os.POSIX_SPAWN_DUP2, spare + n, number))
        actions.append((os.POSIX_SPAWN_CLOSE, spare + n))
    entry = _ENTRY.format(path=[os.path.abspath(entry) for entry in sys.path])
    command = [sys.executable, "-c", entry]
    try:
        return os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    except OSError as error:
        raise PhysicsError(f"cannot start {command[0]} for SWMM: {error.strerror}") from error


def _end(pid: int, commands: Any, answers: Any, complaints: int) -> None:
    """Close the pipes, give the worker time to end, then kill it; collect it in any case."""
    commands.close()
    with suppress(OSError, EOFError):
        while answers.poll(_END_S):  # ends by EOFError when the worker has closed its end
            answers.recv()
        os.kill(pid, 9)
    answers.close()
    os.close(complaints)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
