"""Work is handed to the thread that owns an object, and its outcome comes back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from api.handover import REFUSALS, Handover
from api.problems import ProblemError


def over() -> ProblemError:
    return ProblemError(409, "over", "it is over")


def put(number: int, owned: list[int]) -> None:
    owned.append(number)


@contextmanager
def owner_of(handover: Handover[list[int]], owned: list[int], actions: int) -> Iterator[None]:
    """Run a thread that owns `owned` and serves so many actions."""

    def serve() -> None:
        for _ in range(actions):
            handover.serve(owned, None)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    thread.join()


def test_an_action_runs_in_the_thread_of_the_owner() -> None:
    handover: Handover[list[int]] = Handover(over)
    with owner_of(handover, [], 1):
        ran_in = handover.do(lambda _: threading.get_ident())
    assert ran_in != threading.get_ident()


def test_actions_are_carried_out_in_the_order_they_were_given() -> None:
    handover: Handover[list[int]] = Handover(over)
    owned: list[int] = []
    with owner_of(handover, owned, 3):
        for number in range(3):
            handover.do(partial(put, number))
    assert owned == [0, 1, 2]


@pytest.mark.parametrize("kind", [ValueError, ProblemError])
def test_a_refusal_reaches_the_asking_side_and_the_owner_goes_on(kind: type[Exception]) -> None:
    assert issubclass(kind, REFUSALS)
    handover: Handover[list[int]] = Handover(over)

    def refuse(_: list[int]) -> None:
        raise over() if kind is ProblemError else ValueError("no")

    with owner_of(handover, [], 2):
        with pytest.raises(kind):
            handover.do(refuse)
        assert handover.do(len) == 0


def test_a_failure_reaches_both_sides() -> None:
    handover: Handover[list[int]] = Handover(over)
    asked: list[BaseException] = []

    def ask() -> None:
        try:
            handover.do(lambda own: own[7])
        except IndexError as error:
            asked.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    with pytest.raises(IndexError):
        handover.serve([], None)
    thread.join()
    assert len(asked) == 1


def test_an_action_not_begun_in_time_is_withdrawn() -> None:
    handover: Handover[list[int]] = Handover(over, patience_s=0.01)
    owned: list[int] = []
    with pytest.raises(ProblemError, match="busy") as refused:
        handover.do(lambda own: own.append(1))
    assert refused.value.status_code == 503
    assert handover.serve(owned, 0.0)
    assert owned == []


def test_nothing_waiting_is_told() -> None:
    handover: Handover[list[int]] = Handover(over)
    assert not handover.serve([], 0.0)
    assert not handover.serve([], 0.001)


def test_what_waits_and_what_comes_after_the_end_is_refused() -> None:
    handover: Handover[list[int]] = Handover(over)
    refused: list[ProblemError] = []
    is_waiting = threading.Event()

    def ask() -> None:
        is_waiting.set()
        try:
            handover.do(len)
        except ProblemError as error:
            refused.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    is_waiting.wait()
    handover.close()
    thread.join()
    with pytest.raises(ProblemError, match="over"):
        handover.do(len)
    assert [error.kind for error in refused] == ["over"]
