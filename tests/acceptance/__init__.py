"""The acceptance list of the domain, item by item; docs/acceptance.md says where each is tested."""
