"""Reads YAML (or JSON) into plain values and remembers where in the file each of them stands.

Only what a rule file needs is taken: mappings, lists, text, plain decimal numbers, `true`, `false`
and `null`. What YAML 1.1 reads as something else than people mean (`yes`, `on`, `010`, `1_000`),
anchors and aliases, tags, merge keys and doubled keys are mistakes with a fix.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline.rules.mistakes import Mistake, Path, key_of, shown

DEEPEST = 30
"""Levels of nesting that are read; the deepest place of a rule file is at 7."""
LONGEST = 1_000_000
"""Characters that are read (the national set has 40,000)."""
MOST_DIGITS = 15
"""Digits a number may have: what a double keeps."""
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_ODD_NUMBER = re.compile(
    r"[-+]?(0[0-7_]+|0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*_[\d_]*(\.[\d_]*)?)"
)
_NO_NUMBER = re.compile(r"[-+]?\.?(inf|Inf|INF|infinity|Infinity)|\.?(nan|NaN|NAN)")
_ODD_WORDS = frozenset(
    case for word in ("yes", "no", "on", "off") for case in (word, word.title(), word.upper())
)
_PLAIN_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a key or value stands: file, line and column, both from 1."""

    file: str
    line: int
    column: int


@dataclass(slots=True)
class Tree:
    """The content of a file.

    Attributes:
        source: Its name.
        data: Its content as plain values; None when it could not be read.
        marks: Path of each value → where its key (or the value, in a list) stands.
        mistakes: What was wrong already.
    """

    source: str
    data: Any = None
    marks: dict[Path, Mark] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, path: Path) -> Mark:
        """Return where a path stands, or the nearest of its parents that does.

        What a file has changed is looked for in that file before what it extends.
        """
        found = [
            self.marks[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.marks
        ]
        own = [
            self.marks[path[:end]]
            for end in range(len(path), 1, -1)
            if path[:end] in self.marks and self.marks[path[:end]].file == self.source
        ]
        return next(iter([*own, *found]), Mark(self.source, 1, 1))

    def mistake(self, path: Path, problem: str, fix: str, value: str = "") -> Mistake:
        """Return a mistake at a path."""
        mark = self.place(path)
        return Mistake(mark.file, mark.line, mark.column, key_of(path), value, problem, fix)


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read."""

    content: dict[str, Any] | list[Any]
    path: Path
    key: str | None = None
    keys: dict[str, int] = field(default_factory=dict)


def read_tree(text: str, source: str) -> Tree:
    """Read a file; what is wrong with its syntax is in `Tree.mistakes`, then `data` is None."""
    tree = Tree(source)
    if len(text) > LONGEST:
        tree.mistakes.append(
            Mistake(source, 1, 1, "", "", f"longer than {LONGEST} characters", "split the file")
        )
        return tree
    if text.lstrip().startswith(("{", "[")):
        text = text.replace("\t", " ")
    try:
        data = _Reader(tree).read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines = len(text.rstrip().splitlines())
        if mark is not None and mark.line >= lines:
            mark = error.context_mark or mark  # it is open to the end: where does it begin?
        line, column = (1, 1) if mark is None else (min(mark.line + 1, lines), mark.column + 1)
        problem = error.problem or "not YAML"
        fix = "fix the syntax there"
        if "'\\t'" in problem or "tab" in problem:
            problem, fix = "a tab", "indent with spaces"
        tree.mistakes.append(Mistake(source, line, column, "", "", f"not YAML: {problem}", fix))
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        problem = getattr(error, "reason", "cannot be read")
        tree.mistakes.append(
            Mistake(source, line, 1, "", "", f"not YAML: {problem}", "save it as plain UTF-8 text")
        )
    else:
        if not tree.mistakes and not isinstance(data, dict):
            tree.mistakes.append(
                Mistake(source, 1, 1, "", shown(data), "not a rule file", "write a mapping that "
                        "begins with `format: 1`")
            )  # fmt: skip
        if not tree.mistakes:
            tree.data = data
    return tree


class _Reader:
    """Builds values from the events of a YAML parser, without recursion."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._open: list[_Open] = []
        self._root: Any = None
        self._documents = 0

    def read(self, text: str) -> Any:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents == 2:
                    self._wrong(event, "a second document", "remove the `---`")
                    break
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._check_extras(event)
                if len(self._open) >= DEEPEST:
                    self._wrong(event, f"nested deeper than {DEEPEST}", "flatten it")
                    break
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self._begin({} if is_mapping else [], event)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._open.pop()
            elif isinstance(event, yaml.ScalarEvent):
                self._check_extras(event)
                self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self._wrong(event, "an alias", "rule files have none: write the value out")
                self._put(None, event)
        return self._root

    def _begin(self, content: dict[str, Any] | list[Any], event: yaml.Event) -> None:
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.content, dict) and top.key is None:
            self._wrong(event, "a key that is no text", "give the key a name")
            top.key = "?"
        path = self._put(content, event)
        self._open.append(_Open(content, path))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.content, dict) and top.key is None:
            self._key(top, event)
            return
        self._put(self._value(event), event)

    def _key(self, top: _Open, event: yaml.ScalarEvent) -> None:
        key = str(event.value)
        path = (*top.path, key)
        if key == "<<":
            self._wrong(event, "a merge key", "rule files have none: use `extends`")
        elif key in top.keys:
            self._wrong(
                event, f"given twice, first in line {top.keys[key]}", "remove one of them", path
            )
        top.keys.setdefault(key, self._mark(event).line)
        top.key = key
        self._tree.marks[path] = self._mark(event)

    def _put(self, value: Any, event: yaml.Event) -> Path:
        if not self._open:
            self._root = value
            self._tree.marks[()] = Mark(self._tree.source, 1, 1)
            return ()
        top = self._open[-1]
        if isinstance(top.content, list):
            path: Path = (*top.path, len(top.content))
            top.content.append(value)
            self._tree.marks[path] = self._mark(event)
            return path
        key, top.key = top.key, None
        if key is None:
            self._wrong(event, "a key that is no text", "give the key a name")
            return top.path
        top.content[key] = value
        return (*top.path, key)

    def _value(self, event: yaml.ScalarEvent) -> Any:
        text = str(event.value)
        if not event.implicit[0]:
            return text
        if text in _PLAIN_WORDS:
            return _PLAIN_WORDS[text]
        if text in _ODD_WORDS:
            self._wrong(event, f"{text!r} is true or false to some readers and text to others",
                        "write true or false, or put it in quotes")  # fmt: skip
        elif _ODD_NUMBER.fullmatch(text):
            self._wrong(event, f"{text!r} is not a plain decimal number", "write plain digits, "
                        "or put it in quotes")  # fmt: skip
        elif _NO_NUMBER.fullmatch(text):
            self._wrong(event, f"{text!r} is not a finite number", "give a number")
        elif _NUMBER.fullmatch(text):
            return self._number(text, event)
        return text

    def _number(self, text: str, event: yaml.ScalarEvent) -> int | float:
        digits = sum(char.isdigit() for char in text.lower().split("e")[0].strip("0."))
        number = float(text)
        if digits > MOST_DIGITS or number in (float("inf"), float("-inf")):
            self._wrong(event, f"{shown(text)} is longer than a number can be kept",
                        f"use at most {MOST_DIGITS} digits")  # fmt: skip
            return 0
        return int(text) if text.lstrip("+-").isdigit() else number

    def _check_extras(self, event: yaml.Event) -> None:
        if getattr(event, "anchor", None) is not None:
            self._wrong(event, "an anchor", "rule files have none: write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._wrong(event, f"a tag {tag!r}", "remove it")

    def _mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        if start is None:
            return Mark(self._tree.source, 1, 1)
        return Mark(self._tree.source, start.line + 1, start.column + 1)

    def _wrong(self, event: yaml.Event, problem: str, fix: str, path: Path | None = None) -> None:
        if path is None:
            top = self._open[-1] if self._open else None
            path = () if top is None else top.path
            if top is not None and top.key is not None:
                path = (*path, top.key)
            elif top is not None and isinstance(top.content, list):
                path = (*path, len(top.content))
        mark = self._mark(event)
        self._tree.mistakes.append(
            Mistake(mark.file, mark.line, mark.column, key_of(path), "", problem, fix)
        )
