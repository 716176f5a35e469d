"""Acceptance 7: messages that come out of order or twice over a real broker change no figure."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.bootstrap import build_platform
from sensors.transports.broker import EmbeddedBroker
from sensors.transports.mqtt import MqttTransport
from tests.system.wire_story import Raw, WireStory, record_story

pytestmark = [pytest.mark.system, pytest.mark.slow]

WINDOW = 3
"""Ticks whose messages are mixed with each other."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> WireStory:
    return record_story(tmp_path_factory.mktemp("story"))


def muddled(story: WireStory, seed: int) -> Iterator[list[Raw]]:
    """Yield the messages of some ticks at a time: shuffled, a fifth of them twice."""
    chance = random.Random(seed)
    for first in range(0, len(story.ticks), WINDOW):
        some = [one for tick in story.ticks[first : first + WINDOW] for one in tick]
        some += chance.sample(some, len(some) // 5)
        chance.shuffle(some)
        yield some


@pytest.mark.parametrize("seed", [1, 2])
def test_shuffled_and_repeated_messages_give_identical_metrics(
    story: WireStory, tmp_path: Path, seed: int
) -> None:
    with EmbeddedBroker() as broker:
        platform = build_platform(story.plan, MqttTransport(broker.url, "platform"), tmp_path)
        world = MqttTransport(broker.url, "world")
        try:
            platform.start()
            for number, messages in enumerate(muddled(story, seed), 1):
                for topic, payload in messages:
                    world.publish(topic, payload)
                world.flush(30.0)
                wanted = min(number * WINDOW, len(story.ticks))
                while platform.last_tick < wanted:
                    platform.pump(5.0)
            entries = platform.entries()
        finally:
            world.close()
            platform.close()
    assert [one.data for one in entries] == [one.data for one in story.entries]
    assert entries == story.entries  # with numbers and hashes: every figure follows from these
