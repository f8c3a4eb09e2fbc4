"""What the names of an instruction became: places that an engine can read and write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.ptx_types import WARP_SIZE, ScalarType

if TYPE_CHECKING:
    from emulator.parse.nodes import Variable

RESERVED_SHARED = "%reserved_smem_offset_1"  # also the name of the variable that lies there
RESERVED_SHARED_BYTES = 288  # as many as CUDA's cooperative groups expect


@dataclass(frozen=True, slots=True)
class Register:
    """A row of 32 lanes at a byte offset of a warp's registers.  `type` is the declared one."""

    name: str
    type: ScalarType
    offset: int

    @property
    def row_bytes(self) -> int:
        return WARP_SIZE * self.type.bytes


@dataclass(frozen=True, slots=True)
class Immediate:
    """A constant's bits, in the operand's width."""

    bits: int


@dataclass(frozen=True, slots=True)
class Special:
    """A special register; component 0..3 of a vector one."""

    name: str
    type: ScalarType
    component: int = 0


@dataclass(eq=False, slots=True)
class Storage:
    """A variable outside the registers.

    space: "global", "const", "shared", "param" (of the kernel) or "frame" (a lane's own stack: .local variables
    and the parameters of functions).  offset: within the kernel's static shared memory, its parameters or the
    function's frame; -1 for extern shared memory, which follows the static one, and for global and const
    variables, whose addresses belong to the device.
    """

    name: str
    space: str
    type: str
    size: int
    align: int
    offset: int = -1
    node: Variable | None = field(default=None, repr=False)

    @property
    def is_unified(self) -> bool:
        """Whether it has the attribute .unified (manual, 5.4.8)."""
        return self.node is not None and any("unified" in word for word in self.node.attributes)


def space_of(storage: Storage) -> str:
    """The state space that accesses to a variable name: "local" or "param" for one of a frame."""
    if storage.space != "frame":
        return storage.space
    space = storage.node.space if storage.node is not None else "local"
    return "param" if space == "reg" else space


@dataclass(frozen=True, slots=True)
class Symbol:
    """The address of a variable in its own state space or as a generic one, and a constant number of bytes."""

    storage: Storage
    addend: int = 0
    generic: bool = False


@dataclass(frozen=True, slots=True)
class FunctionAddress:
    """The address of a function."""

    name: str


@dataclass(frozen=True, slots=True)
class Memory:
    """`[base + offset]`."""

    base: Register | Symbol | Immediate
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Packed:
    """A vector that is one value: the first element is the lowest (mov)."""

    elements: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Elements:
    """A vector of separate values."""

    elements: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Sink:
    """`_`: the result is thrown away."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Branch targets: pcs of this program."""

    pcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Callee:
    """Whom a call may reach: a function's name, or a register with its address."""

    place: str | Register


@dataclass(frozen=True, slots=True)
class CallList:
    """The arguments or results of a call: frame variables, registers or constants."""

    elements: tuple[Operand | Storage, ...]


Place = (
    Register
    | Immediate
    | Special
    | Symbol
    | FunctionAddress
    | Memory
    | Packed
    | Elements
    | Sink
    | Targets
    | Callee
    | CallList
)


@dataclass(frozen=True, slots=True)
class Operand:
    """One operand of a linked instruction: the type in which the instruction sees it, and its place."""

    name: str
    type: ScalarType | None
    place: Place
    negated: bool = False
