"""Ids of devices and areas, made of whatever names the data has."""

import re

from api.importing.errors import MappingError

FOREIGN = "xn--"
"""Begins the id of a name with letters that topics cannot hold, as it does in internet names."""


def plain_id(name: str) -> str:
    """Return a name as an id: ASCII without spaces, one segment of a topic.

    Letters and digits beyond ASCII are written in punycode (RFC 3492), so that different names
    keep different ids.

    >>> plain_id("PT 101"), plain_id("\u57ce\u4e1c")
    ('PT-101', 'xn--xhq29u')
    """
    stripped = name.strip()
    if any(char.isalnum() and not char.isascii() for char in stripped):
        stripped = FOREIGN + stripped.encode("punycode").decode("ascii")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stripped).strip("-") or "device"


class AreaIds:
    """Gives areas their ids, each name one of its own."""

    def __init__(self) -> None:
        """Begin without any."""
        self._names: dict[str, str] = {}

    def id_of(self, name: str, where: str) -> str:
        """Return the id of an area.

        Raises:
            MappingError: another area has it; `where` begins the message.
        """
        area = plain_id(name)
        other = self._names.setdefault(area, name)
        if other.strip() != name.strip():
            raise MappingError(
                f"{where}: area {name!r}: has the id {area!r} of area {other!r}; write both the "
                "same, or so that they differ in letters or digits"
            )
        return area
