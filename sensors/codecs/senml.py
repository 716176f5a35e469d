"""Resolution of SenML packs: RFC 8428 §4, whatever the encoding they came in.

Base fields apply to their own record and all later ones until they are given again; times
below 2**28 s are relative to now; a label that ends in `_` must be understood or the pack is
refused; any other unknown label is ignored.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sensors.errors import FrameError, RejectReason

VERSION = 10
"""SenML version of RFC 8428; a pack with a higher one must not be read."""

RELATIVE_BELOW_S = 2**28
"""Times below this count from now, others from 1970 (RFC 8428 §4.5.3)."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
"""What a name may look like once its base name stands before it (RFC 8428 §4.5.1)."""

_VALUE_LABELS = ("v", "vs", "vb", "vd")


@dataclass(frozen=True, slots=True)
class ResolvedRecord:
    """A record that needs no other one to be understood.

    Attributes:
        name: Base name and name together.
        unit: Unit, or base unit, or None.
        value: Number with the base value added; None when there is none.
        string: String value.
        boolean: Boolean value.
        data: Data value, still in base64url.
        sum: Integrated sum with the base sum added.
        time_s: Seconds since 1970; NaN when it was no number.
        update_s: Longest time to the next record of this name, as given.
        is_bad: Whether its value is of a wrong type, not finite, or given more than once.
    """

    name: str
    unit: str | None
    value: float | None
    string: str | None
    boolean: bool | None
    data: str | None
    sum: float | None
    time_s: float
    update_s: float | None
    is_bad: bool

    @property
    def has_value(self) -> bool:
        """Whether the record carries a value of any type, good or bad."""
        return (
            self.is_bad
            or self.value is not None
            or self.string is not None
            or self.boolean is not None
            or self.data is not None
        )


@dataclass(slots=True)
class _Base:
    """The base fields in force while walking through a pack."""

    name: str = ""
    time_s: float = 0.0
    unit: str | None = None
    value: float | None = None
    sum: float | None = None
    version: float | None = None

    def update(self, record: Mapping[str, object]) -> None:
        """Take over the base fields of a record; FrameError when one is of a wrong type."""
        if "bn" in record:
            self.name = _text(record["bn"], "bn")
        if "bu" in record:
            self.unit = _text(record["bu"], "bu")
        if "bt" in record:
            self.time_s = _base_number(record["bt"], "bt")
        if "bv" in record:
            self.value = _base_number(record["bv"], "bv")
        if "bs" in record:
            self.sum = _base_number(record["bs"], "bs")
        if "bver" in record:
            self._check_version(_base_number(record["bver"], "bver"))

    def _check_version(self, version: float) -> None:
        if not version <= VERSION:
            raise FrameError(
                RejectReason.MUST_UNDERSTAND, f"SenML version {version}, known up to {VERSION}"
            )
        if self.version is not None and version != self.version:
            raise _malformed("records of one pack have different versions")
        self.version = version


def resolve(records: Sequence[object], now_s: float = 0.0) -> list[ResolvedRecord]:
    """Return the resolved records of a pack in chronological order (RFC 8428 §4.6).

    Args:
        records: The pack as parsed, one mapping a record.
        now_s: What relative times count from, seconds since 1970.

    Raises:
        FrameError: must_understand or malformed; the whole pack is refused.
    """
    resolved = resolve_in_pack_order(records, now_s)
    return sorted(resolved, key=lambda one: (math.isnan(one.time_s), one.time_s))


def resolve_in_pack_order(records: Sequence[object], now_s: float) -> list[ResolvedRecord]:
    """Return the resolved records in the order they were given; else like `resolve`."""
    base = _Base()
    resolved = []
    for record in records:
        if not isinstance(record, Mapping):
            raise _malformed("a record is not an object")
        for label in record:
            if not isinstance(label, str) or label.endswith("_"):
                raise FrameError(RejectReason.MUST_UNDERSTAND, f"unknown label {label!r}")
        base.update(record)
        one = _resolved(record, base, now_s)
        if one is not None:
            resolved.append(one)
    return resolved


def _resolved(record: Mapping[str, object], base: _Base, now_s: float) -> ResolvedRecord | None:
    """Resolve one record; None for one that only sets base fields."""
    given = [label for label in _VALUE_LABELS if label in record]
    has_own_fields = bool(given) or not record.keys().isdisjoint({"n", "s", "t", "u", "ut"})
    if not has_own_fields and base.value is None and base.sum is None and not base.name:
        return None
    name = base.name + (_text(record["n"], "n") if "n" in record else "")
    if NAME.fullmatch(name) is None:
        raise _malformed(f"{name[:40]!r} is not a SenML name")
    is_number = "v" in record or not (given or "s" in record)
    value = _sum_of(record.get("v"), base.value) if is_number else None
    string, boolean, data = record.get("vs"), record.get("vb"), record.get("vd")
    is_bad = (
        len(given) > 1
        or (value is not None and not math.isfinite(value))
        or any(record[label] is None for label in given)
        or not isinstance(string, str | None)
        or not isinstance(boolean, bool | None)
        or not isinstance(data, str | None)
    )
    return ResolvedRecord(
        name=name,
        unit=_text(record["u"], "u") if "u" in record else base.unit,
        value=value,
        string=string if isinstance(string, str) else None,
        boolean=boolean if isinstance(boolean, bool) else None,
        data=data if isinstance(data, str) else None,
        sum=_sum_of(record.get("s"), base.sum),
        time_s=_time(record, base.time_s, now_s),
        update_s=_number(record["ut"]) if "ut" in record else None,
        is_bad=is_bad,
    )


def _time(record: Mapping[str, object], base_s: float, now_s: float) -> float:
    time_s = base_s + (_number(record["t"]) if "t" in record else 0.0)
    return now_s + time_s if time_s < RELATIVE_BELOW_S else time_s


def _sum_of(own: object, base: float | None) -> float | None:
    """Add a field and its base; a missing one counts as 0, both missing as nothing."""
    if own is None:
        return base
    return _number(own) + (base or 0.0)


def _number(raw: object) -> float:
    """Return a number of the wire as float, NaN when it is none (booleans are none)."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return math.nan
    try:
        return float(raw)
    except OverflowError:
        return math.inf


def _base_number(raw: object, label: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise _malformed(f"{label} is not a number")
    return _number(raw)


def _text(raw: object, label: str) -> str:
    if not isinstance(raw, str):
        raise _malformed(f"{label} is not a string")
    return raw


def _malformed(detail: str) -> FrameError:
    return FrameError(RejectReason.MALFORMED, detail)
