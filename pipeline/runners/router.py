"""Carries messages through the stages in loop order until nothing is left to carry."""

from collections.abc import Mapping, Sequence

from pipeline.loop import LOOP, Step
from pipeline.messages import Message
from pipeline.stage import Stage

_MOST_PASSES = 50


class Router:
    """Runs the stages of a loop over the messages of one moment.

    Each pass visits the stages in loop order. What a stage returns goes to later stages in the
    same pass and to earlier ones in the next; a stage is never given its own output back.
    """

    def __init__(self, stages: Mapping[str, Stage], steps: Sequence[Step] = LOOP) -> None:
        missing = [step.name for step in steps if step.name not in stages]
        if missing:
            raise ValueError(f"the loop has no stage for {missing}")
        self._steps = [(step, stages[step.name]) for step in steps]
        self._takers: dict[type, tuple[int, ...]] = {}

    def run(
        self, messages: Sequence[Message], now_ms: int, *, is_time_told: bool = True
    ) -> list[Message]:
        """Give `messages` to the stages, let their timers fall due, return all they returned.

        A stage is told the time once a tick: leave it out of a second run at the same moment.
        """
        waiting: list[list[Message]] = [[] for _ in self._steps]
        for message in messages:
            self._post(message, waiting, None)
        outputs: list[Message] = []
        for number in range(_MOST_PASSES):
            for place, (_, stage) in enumerate(self._steps):
                batch, waiting[place] = waiting[place], []
                returned = list(stage.on_batch(batch, now_ms)) if batch else []
                if number == 0 and is_time_told:
                    returned += stage.on_time(now_ms)
                for message in returned:
                    self._post(message, waiting, place)
                outputs += returned
            if not any(waiting):
                return outputs
        raise RuntimeError(f"the loop did not come to rest in {_MOST_PASSES} passes at {now_ms}")

    def _post(self, message: Message, waiting: list[list[Message]], sender: int | None) -> None:
        takers = self._takers.get(type(message))
        if takers is None:  # found once a type: a base station's outage is a message a device
            takers = tuple(
                place
                for place, (step, _) in enumerate(self._steps)
                if isinstance(message, step.takes)
            )
            self._takers[type(message)] = takers
        for place in takers:
            if place != sender:
                waiting[place].append(message)
