"""How frames become bytes: the codecs and what they share."""

from sensors.codecs.arrow_ipc import ArrowIpcCodec
from sensors.codecs.codec import MAX_FUTURE_MS, MAX_PAST_MS, MAX_PAYLOAD_BYTES, Codec, Decoded
from sensors.codecs.senml_json import SenmlJsonCodec
from sensors.errors import FrameError, RejectReason
from sensors.registry import Registry

__all__ = [
    "CODEC_NAMES",
    "MAX_FUTURE_MS",
    "MAX_PAST_MS",
    "MAX_PAYLOAD_BYTES",
    "ArrowIpcCodec",
    "Codec",
    "Decoded",
    "SenmlJsonCodec",
    "codec_named",
]

_CODECS = {codec.name: codec for codec in (SenmlJsonCodec, ArrowIpcCodec)}

CODEC_NAMES: tuple[str, ...] = tuple(_CODECS)
"""Names of the codecs at hand, the default first."""


def codec_named(name: str, registry: Registry) -> Codec:
    """Return a codec by the name in the topic, made for `registry`.

    Raises:
        FrameError: unknown_codec.
    """
    if name not in _CODECS:
        raise FrameError(RejectReason.UNKNOWN_CODEC, f"{name!r}; known: {', '.join(_CODECS)}")
    codec: Codec = _CODECS[name](registry)
    return codec
