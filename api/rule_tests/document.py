"""The shape of a file of rule tests, checked by pydantic; errors name file, line, key and fix."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from api.rule_tests.durations import duration_ms
from pipeline.errors import RuleError
from pipeline.messages import OperatorActKind
from pipeline.rules.marks import read_tree

Span = Annotated[int, BeforeValidator(duration_ms)]
"""Event time in the file, milliseconds in memory."""
DEFAULT_START_MS = 1_780_272_000_000
"""Event time of the first sample unless a file says otherwise: 2026-06-01 00:00 UTC."""
SUBJECTS = ("alarm", "standing", "warning", "finding", "incident", "health", "handling", "flood")
"""What an expectation can be about; `standing` is an alarm that stands at a moment."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DeviceTable(_Part):
    """One device, or `count` like ones (`id-000000`, …) spread over `areas` areas.

    `sheet` replaces figures of the kind's data sheet, such as `max_step`; `constants` are what
    the platform knows of the site, such as `invert_depth_m` and `diameter_m`; `expected` is a
    series of what its network model holds for normal (its last sample holds on).
    """

    id: Annotated[str, Field(pattern=r"^[!-~]+$")]
    kind: str
    input: str
    area: str = "A"
    areas: Annotated[int, Field(ge=1)] = 1
    element: str = ""
    profile: str = ""
    x_m: float = 0.0
    y_m: float = 0.0
    spacing_m: float = 0.0
    count: Annotated[int, Field(ge=1)] = 1
    interval: Annotated[Span, Field(gt=0)] | None = None
    offset: Span = 0
    sheet: Mapping[str, float] = {}
    constants: Mapping[str, float] = {}
    expected: str = ""


class CallTable(_Part):
    """A hotline call."""

    at: Span
    subject: str
    area: str = "A"
    x_m: float = 0.0
    y_m: float = 0.0
    seen: Span | None = None


class PermitTable(_Part):
    """A permit of third-party works, from `at` to `until`."""

    kind: str
    element: str = ""
    area: str = "A"
    x_m: float = 0.0
    y_m: float = 0.0
    at: Span = 0
    until: Span = 86_400_000
    holder: str = ""


class ActTable(_Part):
    """An operator's act; `target` may be the beginning or a part of an alarm's or warning's id."""

    at: Span
    act: OperatorActKind
    target: str = ""
    matchers: dict[str, str] = {}
    by: str = "operator"
    why: str = "test"
    until: Span | None = None


class ExpectTable(_Part):
    """One expectation: one subject with a filter, when, and how many or which exactly."""

    alarm: Mapping[str, Any] | None = None
    standing: Mapping[str, Any] | None = None
    warning: Mapping[str, Any] | None = None
    finding: Mapping[str, Any] | None = None
    incident: Mapping[str, Any] | None = None
    health: Mapping[str, Any] | None = None
    handling: Mapping[str, Any] | None = None
    flood: Mapping[str, Any] | None = None
    at: Span | None = None
    begin: Annotated[Span | None, Field(alias="from")] = None
    end: Annotated[Span | None, Field(alias="to")] = None
    tolerance: Span | None = None
    count: Annotated[int, Field(ge=0)] | None = None
    at_most: Annotated[int, Field(ge=0)] | None = None
    none: bool = False
    are: list[str] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "ExpectTable":
        given = [name for name in SUBJECTS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"an expectation is about one of {', '.join(SUBJECTS)}")
        if self.at is not None and (self.begin is not None or self.end is not None):
            raise ValueError("give `at`, or `from` and `to`")
        if self.begin is not None and self.end is not None and self.begin > self.end:
            raise ValueError("`from` is after `to`; nothing comes then")
        if given[0] == "standing" and self.at is None:
            raise ValueError("`standing` needs `at`")
        bounds = (self.count is not None, self.at_most is not None, self.none)
        if sum((*bounds, self.are is not None)) > 1:
            raise ValueError("give one of count, at_most, none, are")
        return self

    @property
    def subject(self) -> str:
        """What it is about."""
        return next(name for name in SUBJECTS if getattr(self, name) is not None)

    @property
    def filter(self) -> Mapping[str, Any]:
        """Field → what it must be."""
        chosen: Mapping[str, Any] = getattr(self, self.subject)
        return chosen


class _Common(_Part):
    rules: str | Mapping[str, Any] | None = None
    only: list[str] | None = None
    interval: Annotated[Span, Field(gt=0)] | None = None
    tolerance: Span | None = None
    seed: int | None = None
    start_ms: int | None = None
    utc_offset: Span | None = None


class CaseTable(_Common):
    """One test; `invariants` also plays it in other batches, orders and with restarts."""

    name: Annotated[str, Field(min_length=1)]
    devices: Annotated[list[DeviceTable], Field(min_length=1)]
    expect: list[ExpectTable] = []
    invariants: bool = False
    tick: Annotated[Span, Field(gt=0)] | None = None
    duration: Span | None = None
    calls: list[CallTable] = []
    permits: list[PermitTable] = []
    acts: list[ActTable] = []
    people: float = 0.0
    assess: bool | None = None
    order: Literal["assess_first", "issue_first"] = "assess_first"

    @model_validator(mode="after")
    def _expects_something(self) -> "CaseTable":
        if not self.expect and not self.invariants:
            raise ValueError("nothing is expected; give `expect`, or `invariants: true`")
        return self


class FileTable(_Common):
    """A whole file of tests; what stands at its top holds for tests that say nothing else."""

    note: str = ""
    tests: Annotated[list[CaseTable], Field(min_length=1)]


def load_tests(file: Path) -> FileTable:
    """Read a file of rule tests; RuleError names file, line, key, value and fix."""
    return read_tests(_text(file), str(file))


def is_rule_file(file: Path) -> bool:
    """Return whether a file is a set of rules, which often lies beside its tests."""
    return _is_rules(read_tree(_text(file), str(file)).data)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RuleError(f"{file}: not UTF-8 text ({error.reason}); save it as UTF-8") from error


def _is_rules(data: Any) -> bool:
    if not isinstance(data, dict) or "tests" in data:
        return False
    return not _RULE_KEYS.isdisjoint(data) or isinstance(data.get("rules"), list)


def read_tests(text: str, source: str) -> FileTable:
    """Read the text of a file of rule tests.

    Raises:
        RuleError: it is not one; the message names file, line, key, value and the fix.
    """
    tree = read_tree(text, source)
    if tree.mistakes:
        first = tree.mistakes[0]
        if first.problem == _NO_MAPPING:
            first = replace(first, problem="not a file of rule tests", fix=_BEGIN)
        raise RuleError(str(first))
    if _is_rules(tree.data):
        fix = "check it with `tocsin rules check`, and name it in a test as `rules`"
        raise RuleError(str(tree.mistake((), "a rule file, not a file of rule tests", fix)))
    try:
        return FileTable.model_validate(tree.data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        unknown = (one for one in found if one["type"] == "extra_forbidden")
        mistake = next(unknown, found[0])
        path = tuple(part for part in mistake["loc"] if part not in _UNION_ARMS)
        if mistake["type"] == "missing":
            raise RuleError(str(tree.mistake(path, "missing", "add it"))) from error
        if mistake["type"] == "extra_forbidden":
            fix = "remove it or correct its spelling"
            raise RuleError(str(tree.mistake(path, "unknown key", fix))) from error
        value = "" if isinstance(mistake["input"], dict | list) else repr(mistake["input"])
        problem = mistake["msg"].removeprefix("Value error, ")
        fix = "correct it"
        if mistake["type"] == "string_type" and value:
            problem, fix = "a number or word that YAML takes for no text", "put it in quotes"
        raise RuleError(str(tree.mistake(path, problem, fix, value))) from error


_RULE_KEYS = frozenset({"format", "extends", "closure", "couplings", "silences"})
"""Keys at the top of rule files that test files do not have."""
_NO_MAPPING = "not a rule file"
"""What the reader of rule files says of a file that is no mapping."""
_BEGIN = "write a mapping that begins with `tests:`"
_UNION_ARMS = frozenset({"str", "function-before[duration_ms(), int]", "mapping[str,any]"})
"""How pydantic names the arms of a union inside an error's path; no keys of the file."""


def tests_yaml(table: FileTable) -> str:
    """Return a file of tests as text, without what is left at its default."""
    content = table.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    return yaml.safe_dump(_spelt(content), sort_keys=False, allow_unicode=True, width=100)


_SPANS = frozenset(
    {
        "at",
        "from",
        "to",
        "until",
        "seen",
        "interval",
        "offset",
        "tolerance",
        "tick",
        "duration",
        "utc_offset",
    }
)
"""Keys of spans of time."""


def _spelt(value: Any, key: str = "") -> Any:
    """Return a dumped value with its spans of time in seconds, as the file takes them."""
    if isinstance(value, dict):
        return {name: _spelt(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_spelt(item) for item in value]
    if key in _SPANS and isinstance(value, int):
        return f"{value}ms"
    return value
