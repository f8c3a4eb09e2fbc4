"""What calls copy, as bytes: the functions of a program and its call instructions, for native code (calls.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from emulator.engines.native.calls import HELD, IN_FRAME, IN_ROW, NOTHING, CallSite, Column, Item, Routine
from emulator.machine.layout import dtype_of
from emulator.program import FunctionInfo, Instruction, Program
from emulator.program.operands import Callee, Immediate, Operand, Register, Storage
from emulator.ptx_types import ScalarType

ConstantRow = Callable[[Immediate, ScalarType], int]  # the offset of a row that holds a constant
Place = Operand | Storage | Register


class CallSites:
    """The bytes of a program's functions and calls.

    constant: gives the row of an argument that is a constant.
    """

    def __init__(self, program: Program, constant: ConstantRow) -> None:
        self._program = program
        self._constant = constant
        self._kept: list[np.ndarray] = []
        self._routines: dict[str, int] = {}

    def is_known(self, instruction: Instruction) -> bool:
        """Whether native code can do a call: it enters a function of the module, and what it copies is not much."""
        info = instruction.call
        assert info is not None
        callees = self._callees(instruction)
        lists: list[Sequence[Place]] = [info.arguments.elements, *(callee.returns for callee in callees)]
        return bool(callees) and all(sum(_item(place)[1] for place in places) <= HELD for places in lists)

    def routine(self, function: FunctionInfo) -> int:
        """The address of a function's record."""
        found = self._routines.get(function.name)
        if found is None:
            found = self._routines[function.name] = self._make_routine(function)
        return found

    def site(self, instruction: Instruction) -> int:
        """The address of a call's record."""
        info = instruction.call
        assert info is not None
        place = instruction.sources[0].place
        assert isinstance(place, Callee)
        record = np.zeros(1, dtype_of(CallSite))
        routines = np.array([self.routine(function) for function in self._callees(instruction)], np.uint64)
        record["routines"], record["routine_count"] = self._keep(routines), len(routines)
        if isinstance(place.place, Register):
            record["width"], record["row"] = place.place.type.width, place.place.offset
        record["arguments"], record["argument_count"] = self._items(info.arguments.elements)
        record["results"], record["result_count"] = self._items(info.results.elements)
        return self._keep(record)

    def _callees(self, instruction: Instruction) -> list[FunctionInfo]:
        """The functions that a call may enter."""
        place = instruction.sources[0].place
        assert isinstance(place, Callee)
        functions = self._program.functions
        candidates = [functions[place.place]] if isinstance(place.place, str) else functions.values()
        return [function for function in candidates if not function.external and function is not self._program.entry]

    def _make_routine(self, function: FunctionInfo) -> int:
        record = np.zeros(1, dtype_of(Routine))
        record["code"], record["first_pc"] = function.address, function.first_pc
        record["frame_size"], record["frame_align"] = function.frame_size, function.frame_align
        if function.recursive:
            columns = np.array([(r.offset, r.type.bytes) for r in function.registers], dtype_of(Column))
            record["columns"], record["column_count"] = self._keep(columns), len(columns)
            record["saved"] = sum(register.type.bytes for register in function.registers)
        record["parameters"], record["parameter_count"] = self._items(function.parameters)
        record["returns"], record["return_count"] = self._items(function.returns)
        return self._keep(record)

    def _items(self, places: Sequence[Place]) -> tuple[int, int]:
        """(address, number) of items."""
        items = [self._place(place) for place in places]
        return self._keep(np.array(items, dtype_of(Item))), len(items)

    def _place(self, place: Place) -> tuple[int, int, int]:
        where, size, offset = _item(place)
        if isinstance(place, Operand) and isinstance(place.place, Immediate):
            assert place.type is not None
            offset = self._constant(place.place, place.type)
        return where, size, offset

    def _keep(self, array: np.ndarray) -> int:
        """The address of an array that stays alive."""
        self._kept.append(array)
        return int(array.ctypes.data)


def _item(place: Place) -> tuple[int, int, int]:
    """(where, size, offset) of an item; the rows of constants come later."""
    if isinstance(place, Storage):
        return IN_FRAME, place.size, place.offset
    if isinstance(place, Register):
        return IN_ROW, place.type.bytes, place.offset
    if isinstance(place.place, Register):
        return IN_ROW, place.place.type.bytes, place.place.offset
    if isinstance(place.place, Immediate):
        assert place.type is not None
        return IN_ROW, place.type.bytes, 0
    return NOTHING, 0, 0
