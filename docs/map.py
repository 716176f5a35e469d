"""Write or check the module map of ARCHITECTURE.md: one line a module, from its docstring."""

import argparse
import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("sensors", "simulator", "pipeline", "api")
BEGIN, END = "<!-- map: begin (make docs) -->", "<!-- map: end -->"


def purpose(module: Path) -> str:
    """Return the first line of a module's docstring, empty when it has none."""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    return docstring.splitlines()[0] if docstring else ""


def modules(root: Path) -> list[Path]:
    """Return the modules of the four packages, packages in layer order, files by path."""
    return [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]


def render(root: Path) -> str:
    """Return the map as Markdown: a table a package, a row a module."""
    lines: list[str] = []
    for package in PACKAGES:
        lines += [f"### `{package}/`", "", purpose(root / package / "__init__.py"), ""]
        lines += ["| module | what it is for |", "|---|---|"]
        for file in sorted((root / package).rglob("*.py")):
            inside = file.relative_to(root / package)
            if inside.name == "__init__.py":
                if inside.parent != Path():
                    lines.append(f"| `{inside.parent.as_posix()}/` | {purpose(file)} |")
            else:
                lines.append(f"| `{inside.as_posix()}` | {purpose(file)} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def replaced(page: str, content: str) -> str:
    """Return `page` with what stands between the two markers replaced by `content`."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not rest or not tail:
        raise SystemExit(
            f"ARCHITECTURE.md: the markers {BEGIN} and {END} are missing; put them back"
        )
    return f"{head}{BEGIN}\n\n{content}\n{END}{tail}"


def main() -> None:
    """Write the map with `--write`; otherwise exit 1 when it is out of date."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="write the map into the page")
    options = arguments.parse_args()
    page = ROOT / "ARCHITECTURE.md"
    old = page.read_text(encoding="utf-8")
    new = replaced(old, render(ROOT))
    if options.write:
        page.write_text(new, encoding="utf-8")
    elif new != old:
        sys.exit("ARCHITECTURE.md: the module map is out of date; run `make docs`")


if __name__ == "__main__":
    main()
