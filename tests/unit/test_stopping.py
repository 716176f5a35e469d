"""Stopping in order: the first signal asks, the second interrupts, waits end early."""

import signal
from collections.abc import Iterator

import pytest

from api.commands.stopping import Stop, interrupt_on_sigterm, stop_on_signals


@pytest.fixture(name="_handlers_kept")
def _keep_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers_kept")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_interrupts(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.is_asked
        signal.raise_signal(number)
        assert stop.is_asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.usefixtures("_handlers_kept")
def test_sigterm_ends_a_command_as_ctrl_c_does() -> None:
    interrupt_on_sigterm()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_a_wait_ends_when_it_is_over_or_when_asked() -> None:
    stop = Stop()
    assert stop.wait(0.0) is False
    stop.ask()
    assert stop.wait(3600.0) is True
