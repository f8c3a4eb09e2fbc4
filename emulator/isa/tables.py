"""Named constant tables for `ops.lookup`."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.ptx_types import ScalarType


@dataclass(frozen=True, slots=True)
class Table:
    """Constants of one integer type."""

    type: ScalarType
    values: tuple[int, ...]


_TABLES: dict[str, Table] = {}


def table(name: str) -> Table:
    """A constant table by name; KeyError if there is none."""
    return _TABLES[name]
