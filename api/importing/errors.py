"""What can be wrong with an import: ``RegistryError`` ← ``MappingError``."""

from sensors.errors import RegistryError


class MappingError(RegistryError):
    """A mapping, or a file it names, does not fit; the message names file, key, value and fix."""
