"""Decodes what came over the wire and counts, by reason, what could not be read."""

from collections.abc import Mapping

from sensors.codecs import Codec
from sensors.errors import FrameError, RejectReason
from sensors.readings import Frame


class Intake:
    """The platform's door: bytes in, frames out; nothing a device sends makes it fail.

    `rejected` counts readings where they are known, and 1 for a frame refused whole.
    """

    def __init__(self, codecs: Mapping[str, Codec]) -> None:
        """Take the codecs by name, as `codec_named` makes them."""
        self._codecs = codecs
        self.rejected: dict[RejectReason, int] = {}

    def decode(self, codec: str, gateway: str, payload: bytes, now_ms: int) -> Frame | None:
        """Return the frame in `payload`, None when it was refused.

        Args:
            codec: Codec named in the topic.
            gateway: Gateway named in the topic; the frame must be its own.
            payload: What came.
            now_ms: Event time, against which sample times are judged.
        """
        if codec not in self._codecs:
            self.reject(RejectReason.UNKNOWN_CODEC)
            return None
        try:
            decoded = self._codecs[codec].decode(payload, now_ms)
        except FrameError as error:
            self.reject(error.reason)
            return None
        for reason, count in sorted(decoded.rejected.items()):
            self.reject(reason, count)
        if decoded.frame.id.gateway != gateway:
            self.reject(RejectReason.BAD_TOPIC, max(1, len(decoded.frame.batch)))
            return None
        return decoded.frame

    def reject(self, reason: RejectReason, count: int = 1) -> None:
        """Count what was refused here, or before it got here (a topic that cannot be read)."""
        self.rejected[reason] = self.rejected.get(reason, 0) + count
