"""The vocabulary in which meanings are written.

A meaning is a function `(ops, i, *sources) -> results` over lane values: one number in each of a warp's 32
lanes, of one scalar type.  It never asks a value for its truth and never loops over data, so the same body
runs on NumPy rows (engines/reference) and can be turned into machine code.

Operators on values follow the value's type: `+ - *` wrap, `& | ^ ~` work on bits, `<<` and `>>` clamp the
shift amount as PTX does (`>>` extends the sign of a signed type), comparisons give predicates.  Floats are
computed only by the operations whose names begin with `f`, so that rounding is always in sight.  A Python
number beside a value is a constant of the value's type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from emulator.ptx_types import TYPES, ScalarType

PRED, U8, U16, U32, U64 = (TYPES[name] for name in ("pred", "u8", "u16", "u32", "u64"))
S32, S64, B32, B64, B128 = (TYPES[name] for name in ("s32", "s64", "b32", "b64", "b128"))
F16, F32, F64 = (TYPES[name] for name in ("f16", "f32", "f64"))

Number = "Value | int | float"
ObjectChange = Callable[
    ["Value"], "tuple[Value, Value]"
]  # an mbarrier's word -> its word afterwards, and the fault or 0


class Value:
    """A lane value: 32 numbers of one scalar type.  `data` belongs to the backend."""

    __slots__ = ("data", "ops", "type")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, ops: Ops, kind: ScalarType, data: Any) -> None:
        self.ops = ops
        self.type = kind
        self.data = data

    def _other(self, value: Value | int) -> Value:
        return value if isinstance(value, Value) else self.ops.const(self.type, value)

    def __add__(self, b: Value | int) -> Value:
        return self.ops.add(self, self._other(b))

    def __sub__(self, b: Value | int) -> Value:
        return self.ops.sub(self, self._other(b))

    def __rsub__(self, b: int) -> Value:
        return self.ops.sub(self._other(b), self)

    def __mul__(self, b: Value | int) -> Value:
        return self.ops.mul(self, self._other(b))

    def __and__(self, b: Value | int) -> Value:
        return self.ops.and_(self, self._other(b))

    def __or__(self, b: Value | int) -> Value:
        return self.ops.or_(self, self._other(b))

    def __xor__(self, b: Value | int) -> Value:
        return self.ops.xor(self, self._other(b))

    def __invert__(self) -> Value:
        return self.ops.not_(self)

    def __neg__(self) -> Value:
        return self.ops.sub(self.ops.const(self.type, 0), self)

    def __lshift__(self, b: Value | int) -> Value:
        return self.ops.shl(self, b if isinstance(b, Value) else self.ops.const(U32, b))

    def __rshift__(self, b: Value | int) -> Value:
        return self.ops.shr(self, b if isinstance(b, Value) else self.ops.const(U32, b))

    def __rlshift__(self, b: int) -> Value:
        return self.ops.shl(self._other(b), self)

    def __lt__(self, b: Value | int) -> Value:
        return self.ops.compare("lt", self, self._other(b))

    def __le__(self, b: Value | int) -> Value:
        return self.ops.compare("le", self, self._other(b))

    def __gt__(self, b: Value | int) -> Value:
        return self.ops.compare("gt", self, self._other(b))

    def __ge__(self, b: Value | int) -> Value:
        return self.ops.compare("ge", self, self._other(b))

    def __eq__(self, b: Value | int) -> Value:  # type: ignore[override]
        return self.ops.compare("eq", self, self._other(b))

    def __ne__(self, b: Value | int) -> Value:  # type: ignore[override]
        return self.ops.compare("ne", self, self._other(b))

    __radd__, __rmul__, __rand__, __ror__, __rxor__ = __add__, __mul__, __and__, __or__, __xor__

    def __bool__(self) -> bool:
        raise TypeError("a lane value has no single truth: use ops.select(condition, x, y)")

    def __repr__(self) -> str:
        return f"Value({self.type.name}, {self.data!r})"


class Ops(ABC):
    """What a backend provides.  `lanes` is the predicate of the lanes that execute the instruction."""

    lanes: Value

    # --- constants and views ---------------------------------------------------------------------

    @abstractmethod
    def const(self, kind: ScalarType, value: int | float) -> Value:
        """The same number in every lane; integers wrap to the width, floats are rounded to nearest even."""

    @abstractmethod
    def cast(self, a: Value, kind: ScalarType) -> Value:
        """An integer or predicate as another integer type: truncated, or extended by the sign of a's type."""

    @abstractmethod
    def view(self, a: Value, kind: ScalarType) -> Value:
        """The same bits as another type of the same width."""

    # --- integers --------------------------------------------------------------------------------

    @abstractmethod
    def add(self, a: Value, b: Value) -> Value:
        """a + b, wrapped."""

    @abstractmethod
    def sub(self, a: Value, b: Value) -> Value:
        """a - b, wrapped."""

    @abstractmethod
    def mul(self, a: Value, b: Value) -> Value:
        """The low half of a * b."""

    @abstractmethod
    def mul_high(self, a: Value, b: Value) -> Value:
        """The high half of a * b, signed or unsigned by the type; any width up to 64."""

    @abstractmethod
    def divide(self, a: Value, b: Value) -> Value:
        """a / b rounded toward zero; all ones where b is 0; INT_MIN / -1 wraps to INT_MIN."""

    @abstractmethod
    def remainder(self, a: Value, b: Value) -> Value:
        """The remainder with the sign of a; all ones where b is 0; 0 for INT_MIN and -1."""

    @abstractmethod
    def and_(self, a: Value, b: Value) -> Value:
        """Bitwise and; of predicates too."""

    @abstractmethod
    def or_(self, a: Value, b: Value) -> Value:
        """Bitwise or; of predicates too."""

    @abstractmethod
    def xor(self, a: Value, b: Value) -> Value:
        """Bitwise exclusive or; of predicates too."""

    @abstractmethod
    def not_(self, a: Value) -> Value:
        """Bitwise complement; of predicates too."""

    @abstractmethod
    def shl(self, a: Value, n: Value) -> Value:
        """a shifted left by the unsigned n; 0 where n is the width or more."""

    @abstractmethod
    def shr(self, a: Value, n: Value) -> Value:
        """a shifted right by the unsigned n, by the sign of a's type; all sign bits where n is the width or more."""

    @abstractmethod
    def popcount(self, a: Value) -> Value:
        """The number of one bits, u32."""

    @abstractmethod
    def leading_zeros(self, a: Value) -> Value:
        """The number of zero bits above the highest one, u32; the width for 0."""

    @abstractmethod
    def reverse_bits(self, a: Value) -> Value:
        """Bit i moves to bit width-1-i."""

    @abstractmethod
    def compare(self, relation: str, a: Value, b: Value) -> Value:
        """eq ne lt le gt ge of two integers or predicates, signed or unsigned by the type."""

    @abstractmethod
    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """a where the predicate holds, else b; a and b have one type."""

    def minimum(self, a: Value, b: Value) -> Value:
        """The smaller integer."""
        return self.select(self.compare("lt", b, a), b, a)

    def maximum(self, a: Value, b: Value) -> Value:
        """The larger integer."""
        return self.select(self.compare("gt", b, a), b, a)

    @abstractmethod
    def lookup(self, table: str, index: Value) -> Value:
        """The entry of a constant table (isa/tables.py) at an unsigned index that is always in range."""

    # --- floats: f16, f32, f64; NaN results are canonical (f32 0x7fffffff, f16 0x7fff) ---------------

    @abstractmethod
    def fadd(self, a: Value, b: Value, rnd: str = "rn") -> Value:
        """a + b rounded once, in rn, rz, rm or rp; subnormals are kept."""

    @abstractmethod
    def fmul(self, a: Value, b: Value, rnd: str = "rn") -> Value:
        """a * b rounded once."""

    @abstractmethod
    def fma(self, a: Value, b: Value, c: Value, rnd: str = "rn") -> Value:
        """a * b + c rounded once."""

    @abstractmethod
    def fdiv(self, a: Value, b: Value, rnd: str = "rn") -> Value:
        """a / b rounded once."""

    @abstractmethod
    def fsqrt(self, a: Value, rnd: str = "rn") -> Value:
        """The square root rounded once; NaN below zero, -0 for -0."""

    @abstractmethod
    def fcompare(self, relation: str, a: Value, b: Value) -> Value:
        """eq ne lt le gt ge: false if a or b is NaN; equ neu ltu leu gtu geu: true then; num, nan."""

    @abstractmethod
    def fconvert(self, a: Value, kind: ScalarType, rnd: str = "rn") -> Value:
        """A float (f16, bf16, f32, f64) as another, rounded once; NaN becomes canonical, overflow infinite."""

    @abstractmethod
    def fround(self, a: Value, mode: str) -> Value:
        """To an integral value of the same type: rni (nearest even), rzi, rmi, rpi; the sign of zero is kept."""

    @abstractmethod
    def float_to_int(self, a: Value, kind: ScalarType) -> Value:
        """An integral float as an integer, saturated to the type; NaN gives 0."""

    @abstractmethod
    def int_to_float(self, a: Value, kind: ScalarType, rnd: str = "rn") -> Value:
        """An integer as a float, rounded once."""

    # --- the carry bit of extended-precision arithmetic (manual, 9.7.2) ---------------------------

    @abstractmethod
    def carry(self) -> Value:
        """CC.CF, a predicate."""

    @abstractmethod
    def set_carry(self, p: Value) -> None:
        """Write CC.CF of the executing lanes."""

    # --- the warp --------------------------------------------------------------------------------

    @abstractmethod
    def lane(self) -> Value:
        """The lane's number, u32."""

    @abstractmethod
    def permute(self, a: Value, source: Value) -> Value:
        """In each lane the value that lane `source` (0..31) holds, active or not."""

    @abstractmethod
    def ballot(self, p: Value) -> Value:
        """In every lane the u32 whose bit j is the predicate of lane j."""

    # --- memory ----------------------------------------------------------------------------------

    @abstractmethod
    def load(
        self, space: str, kind: ScalarType, address: Value, count: int = 1, sem: str = "weak", scope: str = ""
    ) -> list[Value]:
        """`count` consecutive elements from each executing lane's address; faults are the backend's business.

        space: "generic", "global", "shared", "local", "const" or "param".  Lanes off read 0.
        """

    @abstractmethod
    def store(
        self, space: str, kind: ScalarType, address: Value, values: Sequence[Value], sem: str = "weak", scope: str = ""
    ) -> None:
        """Store consecutive elements at each executing lane's address, lower lanes first."""

    @abstractmethod
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
        """Read, modify, write, lane by lane in ascending order; the old value.

        operation: add min max and or xor inc dec exch cas (operands: compare, new).
        """

    @abstractmethod
    def atomic_vector(
        self,
        space: str,
        operation: str,
        kind: ScalarType,
        address: Value,
        operands: Sequence[Value],
        sem: str = "relaxed",
        scope: str = "gpu",
    ) -> list[Value]:
        """`atomic` on consecutive elements, an operand each; aligned as a whole, each element atomic for itself."""

    @abstractmethod
    def replicas(self, address: Value, size: int) -> Iterator[Value]:
        """Where a multimem address leads, device by device; meanwhile `lanes` are those that have such a device.

        For the body of a `for` loop that carries nothing from one device to the next.
        """

    @abstractmethod
    def reduce_replicas(
        self, address: Value, size: int, load: Callable[[Value], list[Value]], combine: Callable[[Value, Value], Value]
    ) -> list[Value]:
        """What `load` finds where a multimem address leads, device by device: each value combined with those before."""

    @abstractmethod
    def copy_async(self, destination: Value, source: Value, size: int, read: Value) -> None:
        """Copy `size` bytes a lane from global to shared memory (cp.async), aligned to size.

        Only the first `read` (u32) of them are read; the others become zeros.
        """

    @abstractmethod
    def mbarrier(self, space: str, address: Value, change: ObjectChange) -> Value:
        """Read, check, change and write the mbarrier object at each executing lane's address; the words before.

        The lanes take turns in ascending order.  Where a lane's change is not allowed, nothing at all is written.
        space: "shared" or "generic".
        """

    @abstractmethod
    def mbarrier_word(self, space: str, address: Value, check: Callable[[Value], Value]) -> Value:
        """The words of the executing lanes' mbarrier objects, of which `check` gives the fault (isa/mbarrier.py)."""

    @abstractmethod
    def update_async(
        self,
        space: str,
        operation: str,
        kind: ScalarType,
        address: Value,
        values: Sequence[Value],
        mbar: Value,
        change: ObjectChange,
    ) -> None:
        """Store values in shared memory, or combine one by an atomic operation, and change an mbarrier object."""

    @abstractmethod
    def fence(self, sem: str, scope: str) -> None:
        """Order memory operations; sem: sc acq_rel acquire release, or proxy.

        The reference memory is sequentially consistent already.
        """

    @abstractmethod
    def to_generic(self, space: str, address: Value) -> Value:
        """A space's address as a generic one (u64)."""

    @abstractmethod
    def from_generic(self, space: str, address: Value) -> Value:
        """A generic address as one of a space (u64)."""

    @abstractmethod
    def in_space(self, space: str, address: Value) -> Value:
        """Whether a generic address lies in a space's window."""

    @abstractmethod
    def stack_top(self) -> Value:
        """Where the lane's stack in use ends, an address of local memory (u64)."""

    @abstractmethod
    def set_stack_top(self, address: Value) -> None:
        """Move the end of the stack in use; beyond the stack's end is a fault."""

    # --- control: a mask may be empty --------------------------------------------------------------

    @abstractmethod
    def branch(self, lanes: Value, target: Any) -> None:
        """These lanes go on at a label."""

    @abstractmethod
    def branch_table(self, lanes: Value, index: Value, targets: Any) -> None:
        """These lanes go on at the label with their index."""

    @abstractmethod
    def call(self, lanes: Value, target: Any) -> None:
        """These lanes enter a function, with the instruction's arguments copied to its parameters."""

    @abstractmethod
    def ret(self, lanes: Value) -> None:
        """These lanes return to their caller, or exit from a kernel."""

    @abstractmethod
    def exit(self, lanes: Value) -> None:
        """These lanes end."""

    @abstractmethod
    def fault(self, lanes: Value, kind: str) -> None:
        """Stop the launch at this instruction if any of these lanes is on: "trap" or "breakpoint"."""

    @abstractmethod
    def yield_(self, lanes: Value) -> None:
        """End the warp's turn after this instruction (nanosleep)."""

    @abstractmethod
    def suspend(self, lanes: Value) -> None:
        """These lanes have to wait (try_wait): the other warps have a turn, then the instruction is tried again.

        The second time lanes that still have to wait go on.  While a lane waits, the instruction has no results.
        """

    @abstractmethod
    def barrier(
        self, lanes: Value, index: Value, count: Value | None, *, wait: bool, predicate: Value | None = None
    ) -> None:
        """Arrive at a named barrier of the CTA; `wait` keeps the lanes at the instruction until it completes."""

    @abstractmethod
    def barrier_result(self, reduction: str) -> Value:
        """In the resume half of bar.red: popc (u32), and, or (predicates) over the barrier's threads."""

    # --- the rest ----------------------------------------------------------------------------------

    @abstractmethod
    def special(self, name: str) -> Value:
        """A special register that changes during a run: clock, clock64, globaltimer ..."""

    @abstractmethod
    def undefined(self, kind: ScalarType) -> Value:
        """A value that PTX leaves undefined: zeros here, poison for the checkers."""
