"""Bulletins as Markdown: a title, a table of facts, sections of lines."""

from collections.abc import Sequence

Fact = tuple[str, str]
Section = tuple[str, Sequence[str]]


def document(title: str, lead: str, facts: Sequence[Fact], sections: Sequence[Section]) -> str:
    """Return a Markdown document.

    Args:
        title: Heading.
        lead: Paragraph beneath it.
        facts: Label and value of each row of the table.
        sections: Heading and lines of each list; one without lines is left out.
    """
    parts = [f"# {title}", lead]
    if facts:
        parts.append(table(("", ""), facts))
    for heading, lines in sections:
        if lines:
            parts.append(f"## {heading}")
            parts.append("\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; cells are made safe."""
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    safe = [cell.replace("|", "\\|").replace("\n", " ") for cell in cells]
    return "| " + " | ".join(safe) + " |"
