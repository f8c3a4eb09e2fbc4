"""What native code knows beside the registers: one context a warp, one block of globals a run.

Native code finds a context's fields by their offsets; `offset_of` is the one place that knows them.
"""

from __future__ import annotations

import struct

import numpy as np

CONTEXT = np.dtype(
    [
        ("budget", "i8"),  # instructions left in the turn; at or below zero the next control transfer ends it
        ("time", "i8"),  # instructions executed
        ("progress", "i8"),  # changes of shared and global memory
        ("shared", "u8"),  # host address of the CTA's shared memory
        ("shared_size", "i8"),
        ("shared_origin", "i8"),  # the shared address of its first byte
        ("local", "u8"),  # host address of lane 0's stack
        ("stack_bytes", "i8"),
        ("params", "u8"),
        ("param_size", "i8"),
        ("globals", "u8"),  # the run's GLOBALS
        ("map", "u8"),  # the record of every pc
        ("start_pc", "i4"),  # where the straight run began
        ("other_pc", "i4"),  # the next pc at which other lanes stand
        ("taken", "u4"),  # lanes that take a divergent branch, or that left to the reference engine
        ("unused", "u4"),
    ]
)
PACKED = struct.Struct("<3q Qqq Qq Qq QQ ii II")  # the same fields, for a context made in one go
assert PACKED.size == CONTEXT.itemsize
GLOBALS = np.dtype(
    [
        ("memory", "i8"),  # host address minus device address
        ("dirty", "i8"),  # page map, so that dirty + (device address >> 12) is a page's byte
        ("table", "u8"),  # ALLOCATION entries by address
        ("count", "i8"),
    ]
)
ALLOCATION = np.dtype([("base", "u8"), ("end", "u8"), ("read_only", "u8"), ("unused", "u8")])

HEADER = {"pc": 0, "depth": 128, "frame": 256, "carry": 640, "live": 672, "waiting": 676, "slice": 680}
HEADER |= {"run_length": 684, "turn": 688, "ran": 692, "suspended": 696}


def offset_of(field: str) -> int:
    """The byte offset of a context's field."""
    fields = CONTEXT.fields
    assert fields is not None
    return int(fields[field][1])


def global_offset(field: str) -> int:
    """The byte offset of a field of the globals."""
    fields = GLOBALS.fields
    assert fields is not None
    return int(fields[field][1])
