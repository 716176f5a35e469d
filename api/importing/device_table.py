"""The table of devices that a mapping may name: a row a device, keys as columns."""

import csv
from pathlib import Path

from pydantic import ValidationError

from api.importing.errors import MappingError
from api.importing.mapping import CsvSpec, DeviceSpec, Mapping, first_mistake

Rows = dict[str, tuple[str, DeviceSpec]]
"""Name of a device → where it stands, for messages, and what is said of it."""

_TEXTS = ("match", "kind", "unit", "area", "element", "profile", "interval")


def device_rows(mapping: Mapping, base: Path) -> Rows:
    """Return the rows of `devices_table`; none without one.

    The file may be written as `csv` says of the data, or as UTF-8 with commas and points.

    Args:
        mapping: The mapping.
        base: Folder that paths are relative to.

    Raises:
        MappingError: the file cannot be read, a row is wrong, or a device stands there twice.
    """
    if mapping.devices_table is None:
        return {}
    file = base / mapping.devices_table
    lines = _text(file, mapping.csv).splitlines()
    is_own = bool(lines) and mapping.csv.delimiter in lines[0]
    delimiter = mapping.csv.delimiter if is_own else ","
    try:
        table = list(csv.DictReader(lines, delimiter=delimiter))
    except csv.Error as error:
        raise MappingError(f"{file}: cannot be read: {error}; see devices_table") from error
    rows: Rows = {}
    for number, line in enumerate(table, start=2):
        where = f"{file}: line {number}"
        if None in line:
            raise MappingError(f"{where}: has more fields than the head; see devices_table, csv")
        given = {key: text for key, text in line.items() if key and text not in (None, "")}
        name = given.pop("device", None)
        if name is None:
            raise MappingError(f"{where}: device: missing; name the device as the data does")
        if name in rows:
            other = rows[name][0].rsplit(" ", 1)[-1]
            raise MappingError(f"{where}: device {name!r}: stands in line {other} too; remove one")
        if is_own and mapping.csv.decimal != ".":
            given = {
                key: text if key in _TEXTS else text.replace(mapping.csv.decimal, ".")
                for key, text in given.items()
            }
        try:
            rows[name] = (where, DeviceSpec.model_validate(given))
        except ValidationError as error:
            raise MappingError(first_mistake(error, where)) from error
    return rows


def _text(file: Path, spec: CsvSpec) -> str:
    """Return a file's text: UTF-8, or what the mapping says of the data."""
    try:
        content = file.read_bytes()
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode(spec.encoding)
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(
            f"{file}: cannot be read: {error}; see devices_table, and csv.encoding"
        ) from error
