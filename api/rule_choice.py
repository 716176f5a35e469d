"""The rule set of a run: chosen by name or file, kept in the run's folder, watched for changes."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import RuleError
from pipeline.messages import RuleText
from pipeline.rules import RuleSet, default_rules, rules_named

RULES_FILE = "rules.yaml"
"""Where a run keeps the rules it was made with."""

_BY = "--watch-rules"


def chosen_rules(name_or_path: str | None) -> RuleSet:
    """Return a shipped set by its name, or a file's; the national default for None.

    Raises:
        RuleError: there is no such set, or the file is wrong.
    """
    return default_rules() if name_or_path is None else rules_named(name_or_path)


def keep_rules(folder: Path, rules: RuleSet) -> None:
    """Write the rules into a run's folder, so that the run can be made again.

    Files that their couplings name (trained models) are copied beside them under the same
    relative path; one that lies elsewhere (an absolute path, or up and out of the rules' folder)
    has to stay where it is.
    """
    if not rules.text:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RULES_FILE).write_text(rules.text, encoding="utf-8")
    source = Path(rules.source).parent
    for name in sorted({one.file for one in rules.couplings if one.file and one.is_on}):
        path = Path(name)
        given, kept = source / path, folder / path
        if path.is_absolute() or ".." in path.parts or not given.is_file():
            continue  # what is missing is told when the platform is built
        if kept.resolve() != given.resolve():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(given, kept)


def note_rules(folder: Path, summary: Mapping[str, Any], rules: RuleSet) -> dict[str, Any]:
    """Say in a run's manifest with which rules it was made; return the summary that says so too."""
    told = {"set": rules.city, "version": rules.version, "source": rules.source}
    file = folder / "manifest.json"
    manifest = {**json.loads(file.read_text(encoding="utf-8")), "rules": told}
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    file.write_text(text + "\n", encoding="utf-8")
    return {**summary, "rules": told}


class Told(Protocol):
    """A platform that can be told new rules."""

    def tell(self, message: RuleText) -> object:
        """Take a rule file; it comes into force with the next tick."""
        ...


@dataclass
class RuleWatch:
    """Tells the platform of a rule file that has changed on disk.

    `look` is cheap (one stat); call it once a tick. A file that cannot be read is told to `note`
    and looked at again when it changes; whether its content will do, the platform decides.
    """

    file: Path
    note: Callable[[str], object]
    seen_ns: int = 0
    told: int = 0

    def __post_init__(self) -> None:
        self.seen_ns = self._changed_ns()

    def look(self, now_ms: int, platform: Told) -> bool:
        """Tell the platform when the file has changed since the last look; return whether."""
        changed_ns = self._changed_ns()
        if changed_ns in (0, self.seen_ns):
            return False
        self.seen_ns = changed_ns
        try:
            text = self.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.note(f"{self.file}: cannot be read: {error}; the rules in use stay")
            return False
        self.told += 1
        name = f"{_BY}/{now_ms}/{self.told}"
        platform.tell(RuleText(name, text, str(self.file), _BY, now_ms))
        return True

    def _changed_ns(self) -> int:
        try:
            return self.file.stat().st_mtime_ns
        except OSError:
            return 0


def watched_file(name_or_path: str | None) -> Path:
    """Return the file `--watch-rules` is to watch; RuleError when the rules come from none."""
    if name_or_path is None or not Path(name_or_path).is_file():
        raise RuleError(
            f"--watch-rules: {name_or_path or 'the default set'} is no file; name one with --rules"
        )
    return Path(name_or_path)
