"""What can go wrong on the wire, and the reasons a reading or frame is refused.

SensorsError
├── FrameError          a frame that cannot be decoded (carries a RejectReason)
├── RegistryError       a registry or city table that contradicts itself
├── TopicError          a topic that does not follow the tree
└── TransportError      the wire failed (carries `retryable`)
    └── BrokerError     the embedded broker could not be started or died
"""

from enum import StrEnum


class RejectReason(StrEnum):
    """Why a frame or a reading was refused; every refusal is counted under one of these."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    BAD_TOPIC = "bad_topic"
    UNKNOWN_CODEC = "unknown_codec"
    MUST_UNDERSTAND = "must_understand"
    NO_IDENTITY = "no_identity"
    REGISTRY_MISMATCH = "registry_mismatch"
    UNKNOWN_DEVICE = "unknown_device"
    WRONG_UNIT = "wrong_unit"
    BAD_VALUE = "bad_value"
    BAD_TIME = "bad_time"
    FAR_FUTURE = "far_future"
    FAR_PAST = "far_past"


class SensorsError(Exception):
    """Root of the errors of the wire and of the shared tables."""


class FrameError(SensorsError):
    """A frame that cannot be decoded; it is counted under `reason` and dropped whole."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class RegistryError(SensorsError):
    """A registry or city table that contradicts itself; the message names table, row and fix."""


class TopicError(SensorsError):
    """A topic or a topic segment that does not follow the tree of `transports.topics`."""


class TransportError(SensorsError):
    """The wire failed. `retryable` says whether trying again can help."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class BrokerError(TransportError):
    """The embedded broker could not be started, or died."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)
