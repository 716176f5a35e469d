"""What can go wrong in the world.

SimulatorError
├── ScenarioError    a scenario, city or fault file is wrong (file, key, value, fix)
├── PhysicsError     an engine could not solve a step
└── InjectionError   an incident or act names an element or kind that does not exist
"""


class SimulatorError(Exception):
    """Root of the errors of the world."""


class ScenarioError(SimulatorError):
    """A scenario or city file is wrong; the message names file, key, value and the fix."""


class PhysicsError(SimulatorError):
    """A physics engine could not open a model or solve a step."""


class InjectionError(SimulatorError):
    """An incident or a crew's act names an element or a kind that does not exist."""
