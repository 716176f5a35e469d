"""What can go wrong in the platform.

PipelineError
├── RuleError        a rule or plan file is wrong (file, key, value, fix)
├── SnapshotError    a snapshot is of another version or damaged
└── StoreError       the event log or snapshot store failed or was tampered with
"""


class PipelineError(Exception):
    """Root of the errors of the platform."""


class RuleError(PipelineError):
    """A rule, plan or limits file is wrong; the message names file, key, value and the fix."""


class SnapshotError(PipelineError):
    """A snapshot is of another version, of another stage, or damaged."""


class StoreError(PipelineError):
    """The event log or the snapshot store failed, or its hash chain does not hold."""
