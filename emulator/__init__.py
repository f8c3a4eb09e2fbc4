"""ptxemu: an exact, educational emulator of NVIDIA PTX.

    from emulator import Device, LaunchConfig, ObjectCode, System, launch

The packages, in the order in which data flows through them:

    errors, ptx_types, observer     what everything speaks
    parse       PTX text -> module
    isa         what every instruction looks like and means
    program     module + isa -> linked program
    machine     the state of a run
    engines     what makes the machine move
    observers   counters, traces, checkers
    api         the classes of this module
    commands    the command line
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.api.device import Buffer, Device, Event, Stream
    from emulator.api.kernel import Kernel, LaunchConfig, ObjectCode, launch
    from emulator.api.multicast import Multicast
    from emulator.api.system import System, configure
    from emulator.observer import Events, Observer

__version__ = "0.1.0"

_PLACES = {
    "Buffer": "emulator.api.device",
    "Device": "emulator.api.device",
    "Event": "emulator.api.device",
    "Stream": "emulator.api.device",
    "Kernel": "emulator.api.kernel",
    "LaunchConfig": "emulator.api.kernel",
    "ObjectCode": "emulator.api.kernel",
    "launch": "emulator.api.kernel",
    "Multicast": "emulator.api.multicast",
    "System": "emulator.api.system",
    "configure": "emulator.api.system",
    "Events": "emulator.observer",
    "Observer": "emulator.observer",
}

__all__ = [
    "Buffer",
    "Device",
    "Event",
    "Events",
    "Kernel",
    "LaunchConfig",
    "Multicast",
    "ObjectCode",
    "Observer",
    "Stream",
    "System",
    "configure",
    "launch",
]


def __getattr__(name: str) -> Any:
    """The public classes, imported when they are first used, so that `ptxemu --help` stays quick."""
    import importlib

    if name not in _PLACES:
        raise AttributeError(f"module 'emulator' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
