"""The events of a run.

An observer declares in `wants` what it needs; what no one wants costs nothing.  Engines deliver batches of
binary records, so that a checker can be a compiled loop.
"""

from __future__ import annotations

from enum import Flag, auto
from typing import Any

import numpy as np


class Events(Flag):
    """What an observer can ask for."""

    NONE = 0
    INSTRUCTION = auto()  # every executed warp instruction
    MEMORY = auto()  # every access, one record a lane


INSTRUCTION_RECORD = np.dtype(
    [("time", "u8"), ("grid", "u4"), ("cta", "u4"), ("warp", "u4"), ("pc", "u4"), ("lanes", "u4")], align=True
)
MEMORY_RECORD = np.dtype(
    [
        ("time", "u8"),
        ("grid", "u4"),
        ("cta", "u4"),
        ("warp", "u4"),
        ("pc", "u4"),
        ("lane", "u1"),
        ("kind", "S1"),  # b"r" read, b"w" write, b"a" atomic
        ("space", "S7"),
        ("size", "u4"),
        ("address", "u8"),
    ]
)


class Observer:
    """Base of everything that watches a run; override what is wanted."""

    wants: Events = Events.NONE

    def on_launch(self, number: int, program: Any) -> None:
        """A launch starts, or runs already when the observer is added; records name it by its number."""

    def on_instructions(self, records: np.ndarray[Any, Any]) -> None:
        """A batch of INSTRUCTION_RECORDs in order of time."""

    def on_memory(self, records: np.ndarray[Any, Any]) -> None:
        """A batch of MEMORY_RECORDs in order of time."""
