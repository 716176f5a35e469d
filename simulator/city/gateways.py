"""Which area and which domain each gateway of a fleet serves."""

from sensors.errors import RegistryError
from sensors.registry import Registry


def gateway_topics(registry: Registry) -> dict[str, tuple[str, str]]:
    """Return gateway → (area, domain), in the order of the registry.

    Raises:
        RegistryError: A gateway serves two areas or domains.
    """
    topics: dict[str, tuple[str, str]] = {}
    columns = (registry.texts(name) for name in ("gateway", "area", "domain"))
    for gateway, area, domain in zip(*columns, strict=True):
        if topics.setdefault(gateway, (area, domain)) != (area, domain):
            raise RegistryError(
                f"gateway {gateway} serves {'/'.join(topics[gateway])} and {area}/{domain}; "
                "give each area and domain gateways of its own"
            )
    return topics
