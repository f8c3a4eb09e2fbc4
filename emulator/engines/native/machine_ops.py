"""The operations on memory and control of the native engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from emulator.isa.ops import Ops, Value
from emulator.ptx_types import ScalarType


class NoNativeForm(Exception):
    """An operation that has no native form yet; the reference step executes the instruction."""


class MachineOps(Ops):
    """Memory and control: without a native form yet."""

    def _none(self, what: str) -> NoReturn:
        raise NoNativeForm(what)

    def carry(self) -> Value:
        """CC.CF."""
        self._none("carry")

    def set_carry(self, p: Value) -> None:
        """Write CC.CF."""
        self._none("carry")

    def load(
        self, space: str, kind: ScalarType, address: Value, count: int = 1, sem: str = "weak", scope: str = ""
    ) -> list[Value]:
        """Consecutive elements."""
        self._none("load")

    def store(
        self, space: str, kind: ScalarType, address: Value, values: Sequence[Value], sem: str = "weak", scope: str = ""
    ) -> None:
        """Consecutive elements."""
        self._none("store")

    def atomic(
        self,
        space: str,
        operation: str,
        kind: ScalarType,
        address: Value,
        operands: Sequence[Value],
        sem: str = "relaxed",
        scope: str = "gpu",
    ) -> Value:
        """Read, modify, write."""
        self._none("atomic")

    def fence(self, sem: str, scope: str) -> None:
        """Order memory operations."""
        self._none("fence")

    def to_generic(self, space: str, address: Value) -> Value:
        """A generic address."""
        self._none("to_generic")

    def from_generic(self, space: str, address: Value) -> Value:
        """An address of a space."""
        self._none("from_generic")

    def in_space(self, space: str, address: Value) -> Value:
        """Whether a generic address lies in a window."""
        self._none("in_space")

    def branch(self, lanes: Value, target: Any) -> None:
        """Go on at a label."""
        self._none("branch")

    def branch_table(self, lanes: Value, index: Value, targets: Any) -> None:
        """Go on at one of several labels."""
        self._none("branch_table")

    def call(self, lanes: Value, target: Any) -> None:
        """Enter a function."""
        self._none("call")

    def ret(self, lanes: Value) -> None:
        """Return."""
        self._none("ret")

    def exit(self, lanes: Value) -> None:
        """End."""
        self._none("exit")

    def fault(self, lanes: Value, kind: str) -> None:
        """Stop the launch."""
        self._none("fault")

    def yield_(self, lanes: Value) -> None:
        """End the turn."""
        self._none("yield")

    def barrier(
        self, lanes: Value, index: Value, count: Value | None, *, wait: bool, predicate: Value | None = None
    ) -> None:
        """Arrive at a barrier."""
        self._none("barrier")

    def barrier_result(self, reduction: str) -> Value:
        """The reduction of a barrier."""
        self._none("barrier_result")

    def special(self, name: str) -> Value:
        """A special register."""
        self._none("special")
