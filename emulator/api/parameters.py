"""Python values as the bytes of kernel parameters, checked against the `.param` declarations."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.errors import Diagnostic, Label, UsageError
from emulator.machine.memory import Allocation, Bytes
from emulator.program import KernelParameter, Program
from emulator.ptx_types import TYPES, ScalarType

if TYPE_CHECKING:
    pass


def pack_arguments(program: Program, arguments: Sequence[Any]) -> tuple[Bytes, dict[str, Allocation | str]]:
    """(parameter bytes, what each parameter was given); UsageError naming the parameter that does not fit."""
    parameters = program.parameters
    if len(arguments) != len(parameters):
        raise _wrong_count(program, len(arguments))
    data = np.zeros(program.parameter_bytes, dtype=np.uint8)
    given: dict[str, Allocation | str] = {}
    for number, (parameter, value) in enumerate(zip(parameters, arguments, strict=True)):
        raw = _pack_one(program, number, parameter, value)
        data[parameter.offset : parameter.offset + len(raw)] = np.frombuffer(raw, dtype=np.uint8)
        given[parameter.name] = value.allocation if hasattr(value, "allocation") else str(value)[:40]
    return data, given


def _wrong_count(program: Program, found: int) -> UsageError:
    names = ", ".join(_declared(parameter) for parameter in program.parameters) or "none"
    count = len(program.parameters)
    text = f"{program.name} takes {count} argument{'s' * (count != 1)}, found {found}"
    label = Label(program.entry.node.span, "declared here")
    return UsageError(Diagnostic("PTX-L0102", "usage", text, program.source, (label,), (("takes", names),)))


def _declared(parameter: KernelParameter) -> str:
    return f".{parameter.node.type} {parameter.name}" + (f"[{parameter.size}]" if parameter.is_struct else "")


def _refuse(program: Program, number: int, parameter: KernelParameter, why: str, fix: str = "") -> UsageError:
    text = f"argument {number + 1} of {program.name} ({_declared(parameter)}): {why}"
    return UsageError(Diagnostic("PTX-L0103", "usage", text, program.source, (Label(parameter.node.span),), help=fix))


def _pack_one(program: Program, number: int, parameter: KernelParameter, value: Any) -> bytes:
    from emulator.api.device import Buffer
    from emulator.api.multicast import Multicast

    if parameter.is_struct:
        return _pack_struct(program, number, parameter, value)
    kind = TYPES[parameter.node.type]
    if value is None:
        value = 0
    if isinstance(value, (Buffer, Multicast)):
        what = "buffer" if isinstance(value, Buffer) else "multicast"
        if parameter.size != 8 or kind.is_float:
            fix = "is the order of the arguments right?"
            raise _refuse(program, number, parameter, f"a {what}'s address does not fit {kind}", fix)
        if value.closed:
            raise _refuse(program, number, parameter, f"the {what} {value.name} is closed")
        return struct.pack("<Q", value.address)
    if isinstance(value, np.ndarray) and value.ndim:
        fix = "copy it to the device first: device.array(x)"
        raise _refuse(program, number, parameter, f"a NumPy array of shape {value.shape}", fix)
    if isinstance(value, (np.generic, np.ndarray)):
        return _pack_numpy(program, number, parameter, value)
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, int):
        return _pack_int(program, number, parameter, value)
    if isinstance(value, float):
        if not kind.is_float or kind.width == 16:
            fix = "use numpy.float32(x) or numpy.float64(x) if the bits of a float are meant"
            raise _refuse(program, number, parameter, f"a Python float does not fit {kind}", fix)
        return struct.pack("<f" if kind.width == 32 else "<d", value)
    raise _refuse(program, number, parameter, f"a {type(value).__name__} is no kernel argument")


def _pack_struct(program: Program, number: int, parameter: KernelParameter, value: Any) -> bytes:
    try:
        raw = value.tobytes() if isinstance(value, np.ndarray) else bytes(value)
    except TypeError:
        fix = f"give {parameter.size} bytes"
        raise _refuse(program, number, parameter, f"a {type(value).__name__} is no struct", fix) from None
    if isinstance(value, int) or len(raw) != parameter.size:
        size = "no bytes" if isinstance(value, int) else f"{len(raw)} bytes"
        fix = f"give {parameter.size} bytes, on the command line u8[{parameter.size}]"
        raise _refuse(program, number, parameter, f"{size} for a struct of {parameter.size}", fix)
    return raw


def _pack_numpy(program: Program, number: int, parameter: KernelParameter, value: Any) -> bytes:
    kind = TYPES[parameter.node.type]
    dtype = np.asarray(value).dtype
    if dtype.itemsize != kind.bytes:
        text = f"a numpy.{dtype} has {dtype.itemsize} bytes, {kind} has {kind.bytes}"
        raise _refuse(program, number, parameter, text, _right_type(kind))
    if (kind.kind in "us" and dtype.kind == "f") or (kind.is_float and dtype.kind in "iub"):
        raise _refuse(program, number, parameter, f"a numpy.{dtype} does not fit {kind}", _right_type(kind))
    return np.asarray(value, dtype=dtype.newbyteorder("=")).tobytes()


def _right_type(kind: ScalarType) -> str:
    """How to give a number of a parameter's type."""
    name = kind.name.replace("b", "u", 1) if kind.kind == "b" else kind.name
    numpy_name = {"u": "uint", "s": "int", "f": "float"}[name[0]] + name[1:]
    return f"give a numpy.{numpy_name}, on the command line {name}=1"


def _pack_int(program: Program, number: int, parameter: KernelParameter, value: int) -> bytes:
    kind = TYPES[parameter.node.type]
    if kind.is_float:
        if kind.width == 16:
            raise _refuse(program, number, parameter, f"a Python int for {kind}", "use numpy.float16(x)")
        return struct.pack("<f" if kind.width == 32 else "<d", float(value))
    low, high = -(1 << kind.width - 1), (1 << kind.width) - 1  # nvcc declares an `int` as .u32
    if not low <= value <= high:
        raise _refuse(program, number, parameter, f"{value} is beyond {low} .. {high}")
    return (value & ((1 << kind.width) - 1)).to_bytes(kind.bytes, "little")
