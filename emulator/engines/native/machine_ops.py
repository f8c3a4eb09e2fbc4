"""Memory and control as LLVM text.

A memory instruction checks bounds, alignment and write protection of all its lanes before it touches a byte;
if any check fails it leaves to the reference engine, which finds the lane's own allocation or makes the fault.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence

from emulator.engines.native import multimem
from emulator.engines.native.addresses import I1, I64, PTR, AddressOps
from emulator.engines.native.atomics import atomic_text
from emulator.engines.native.context import HEADER, offset_of
from emulator.engines.native.mbarriers import update_text
from emulator.engines.native.noting import note_access
from emulator.engines.native.patterns import Pattern, fits
from emulator.engines.native.text import NoNativeForm, lane_type, splat, vector
from emulator.isa.ops import PRED, U64, ObjectChange, Value
from emulator.machine import memory as m
from emulator.machine.multicast import MULTICAST_END, MULTICAST_WINDOW
from emulator.machine.warp import HEADER_BYTES
from emulator.ptx_types import TYPES, ScalarType

FENCES = {"sc": "seq_cst", "acq_rel": "acq_rel", "acquire": "acquire", "release": "release"}


class MachineOps(AddressOps):
    """Memory and control of the text builder."""

    # --- loads and stores ----------------------------------------------------------------------------

    def load(
        self, space: str, kind: ScalarType, address: Value, count: int = 1, sem: str = "weak", scope: str = ""
    ) -> list[Value]:
        """Consecutive elements from each executing lane's address; what lanes off read is not used."""
        self._require_one_access(kind, sem)
        place = fits(self, space, kind, address, count, write=False)
        if place is not None:
            found = Pattern(self, place, space, kind, count).load()
        else:
            pointers = self._pointers(space, address, kind.bytes * count, write=False, own=True)
            note_access(self, "r", space, address, kind.bytes * count)
            found = [self._gather(kind, self._element(pointers, n * kind.bytes)) for n in range(count)]
        if sem == "acquire":
            self.fence(sem, scope)
        return found

    def _require_one_access(self, kind: ScalarType, sem: str) -> None:
        """Strong accesses of 16 bytes are two here: no other thread must come between them."""
        if kind.width > U64.width and sem != "weak":
            self.go_on_unless(self.several_threads())

    def _element(self, pointers: str, offset: int) -> str:
        if not offset:
            return pointers
        return self.emit(f"getelementptr i8, {PTR} {pointers}, {I64} {splat('i64', offset)}")

    def _gather(self, kind: ScalarType, pointers: str) -> Value:
        element, result = lane_type(kind), vector(lane_type(kind))
        name = f"llvm.masked.gather.v32{_short(element)}.v32p0"
        lanes = [(PTR, pointers), ("i32", "1"), (I1, self.lanes.data), (result, "zeroinitializer")]
        return Value(self, kind, self.intrinsic(name, result, lanes))

    def store(
        self, space: str, kind: ScalarType, address: Value, values: Sequence[Value], sem: str = "weak", scope: str = ""
    ) -> None:
        """Consecutive elements at each executing lane's address, lower lanes first."""
        values = [self.view(value, kind) if value.type.width == kind.width else value for value in values]
        self._require_one_access(kind, sem)
        if sem == "release":
            self.fence(sem, scope)
        place = fits(self, space, kind, address, len(values), write=True)
        if place is not None:
            Pattern(self, place, space, kind, len(values)).store(values)
            return
        pointers = self._pointers(space, address, kind.bytes * len(values), write=True, own=True)
        note_access(self, "w", space, address, kind.bytes * len(values))
        seen: Value | None = self.lanes
        if space in ("local", "param") or self.in_frame:
            seen = None
        elif space == "generic":
            seen = self.lanes & (address >> 32 != m.LOCAL_WINDOW >> 32)
        self._write(pointers, kind, values, seen)
        if space in ("global", "generic"):
            self._mark_dirty(space, address.data)

    @abstractmethod
    def call_void(self, name: str, arguments: Sequence[tuple[str, str]]) -> None:
        """A call of an intrinsic without a result."""

    def _note_change(self, kind: ScalarType, pointers: str, value: Value, lanes: Value) -> None:
        """Count progress if a byte of shared or global memory changes, once a turn; lanes: those that access it."""
        at = self.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of('progress')}")
        progress = self.emit(f"load i64, ptr {at}")
        known = self.emit(f"icmp ne i64 {progress}, 0")
        compare, after = self.label(), self.label()
        self.lines.append(f"  br i1 {known}, label %{after}, label %{compare}")
        self.lines.append(f"{compare}:")
        bits = TYPES[f"b{max(8, kind.width)}"]
        differs = self._gather(bits, pointers) != self.view(value, bits)
        changed = self.any_lane(self.emit(f"and {I1} {differs.data}, {lanes.data}"))
        self.lines.append(f"  store i64 {self.emit(f'zext i1 {changed} to i64')}, ptr {at}")
        self.lines.append(f"  br label %{after}")
        self.lines.append(f"{after}:")

    def _on_device(self, space: str, address: str) -> str:
        """Which addresses lead to global memory."""
        if space != "generic":
            return splat("i1", int(space == "global"))
        return self.emit(f"icmp uge {I64} {address}, {splat('i64', m.DEVICE_BASE)}")

    def _mark_dirty(self, space: str, address: str) -> None:
        lanes = self.emit(f"and {I1} {self.lanes.data}, {self._on_device(space, address)}")
        page = self.emit(f"lshr {I64} {address}, {splat('i64', m.PAGE_SHIFT)}")
        host = self.emit(f"add {I64} {page}, {self.spread('i64', self.global_field('dirty'))}")
        pointers = self.emit(f"inttoptr {I64} {host} to {PTR}")
        self.call_void(
            "llvm.masked.scatter.v32i8.v32p0",
            [(vector("i8"), splat("i8", 1)), (PTR, pointers), ("i32", "1"), (I1, lanes)],
        )

    def atomic(
        self, space: str, operation: str, kind: ScalarType, address: Value, operands: Sequence[Value],
        sem: str = "relaxed", scope: str = "gpu",
    ) -> Value:  # fmt: skip
        """Read, modify, write, the lowest lane first."""
        if space != "shared":
            self._require_one_access(kind, sem)
        return self._atomic(space, operation, kind, address, [operands])[0]

    def atomic_vector(
        self, space: str, operation: str, kind: ScalarType, address: Value, operands: Sequence[Value],
        sem: str = "relaxed", scope: str = "gpu",
    ) -> list[Value]:  # fmt: skip
        """`atomic` on consecutive elements, all of a lane's before those of the next."""
        return self._atomic(space, operation, kind, address, [[b] for b in operands])

    def _atomic(
        self, space: str, operation: str, kind: ScalarType, address: Value, operands: Sequence[Sequence[Value]]
    ) -> list[Value]:
        size = kind.bytes * len(operands)
        pointers = self._pointers(space, address, size, write=True)
        note_access(self, "a", space, address, size)
        in_global = self._on_device(space, address.data)
        contended = "false" if space == "shared" else self.several_threads()
        old = atomic_text(self, pointers, operation, kind, operands, in_global, contended)
        if space in ("global", "generic"):
            self._mark_dirty(space, address.data)
        return old

    def replicas(self, address: Value, size: int) -> Iterator[Value]:
        """Where a multimem address leads, device by device: text that is a loop."""
        for _, where in multimem.each_device(self, address, size):
            yield where

    def reduce_replicas(
        self, address: Value, size: int, load: Callable[[Value], list[Value]], combine: Callable[[Value, Value], Value]
    ) -> list[Value]:
        """What the devices hold, combined."""
        return multimem.reduced(self, address, size, load, combine)

    def mbarrier(self, space: str, address: Value, change: ObjectChange) -> Value:
        """Change the lanes' mbarrier objects."""
        return update_text(self, self._objects(space, address, "a"), change)

    def mbarrier_word(self, space: str, address: Value, check: Callable[[Value], Value]) -> Value:
        """The lanes' mbarrier objects; what is wrong leaves."""
        word = self._gather(U64, self._objects(space, address, "r"))
        self.go_on_unless(self.any_lane(((check(word) != 0) & self.lanes).data))
        return word

    def update_async(
        self, space: str, operation: str, kind: ScalarType, address: Value, values: Sequence[Value], mbar: Value,
        change: ObjectChange,
    ) -> None:  # fmt: skip
        """The change of an object, then a store or reduction: both are checked before either is done."""
        where, object_ = (self._bare_shared(space, each) for each in (address, mbar))
        size, what = kind.bytes * len(values), "a" if operation else "w"
        pointers = self._pointers("shared", where, size, write=True)
        if self.watching:
            note_access(self, what, "shared", where, size)
        update_text(self, self._objects("shared", object_, "a"), change)
        if self.recording:
            note_access(self, what, "shared", where, size)
        if operation:
            atomic_text(self, pointers, operation, kind, [values], self._on_device("shared", ""), "false")
        else:
            self._write(pointers, kind, values, self.lanes)

    def _bare_shared(self, space: str, address: Value) -> Value:
        """A shared address; a generic one may be without its window, in another window it leaves."""
        if space != "generic":
            return address
        window = address & -m.WINDOW_BYTES
        self.go_on_unless(self.any_lane(((window != m.SHARED_WINDOW) & (window != 0) & self.lanes).data))
        return address & m.WINDOW_BYTES - 1

    def _objects(self, space: str, address: Value, kind: str) -> str:
        """Host addresses of mbarrier objects; a generic address outside of the shared window fails its check."""
        shared = self.from_generic("shared", address) if space == "generic" else address
        pointers = self._pointers("shared", shared, U64.bytes, write=kind == "a")
        note_access(self, kind, "shared", shared, U64.bytes)
        return pointers

    def fence(self, sem: str, scope: str) -> None:
        """What other CTAs see in order; one thread runs all warps of a CTA, and all CTAs of a cluster."""
        if sem not in FENCES or scope not in ("gpu", "sys"):
            return
        fence, after = self.label(), self.label()
        self.lines += [f"  br i1 {self.several_threads()}, label %{fence}, label %{after}", f"{fence}:"]
        self.lines += [f"  fence {FENCES[sem]}", f"  br label %{after}", f"{after}:"]

    def several_threads(self) -> str:
        """Whether other threads run CTAs of the launch (jobs.py): an i1."""
        return self.emit(f"icmp ne i64 {self.global_field('aside')}, 0")

    def copy_async(self, destination: Value, source: Value, size: int, read: Value) -> None:
        """At once; every lane copies all of its bytes or writes zeros, any other number leaves."""
        executing = self.lanes
        copies = read >= size
        self.go_on_unless(self.any_lane((executing & ~copies & (read != 0)).data))
        to = self._pointers("shared", destination, size, write=True)
        self.lanes = executing & copies
        given = self._pointers("global", source, size, write=False)
        note_access(self, "r", "global", source, size)
        kind = TYPES["b32" if size == 4 else "b64"]
        values = [self._gather(kind, self._element(given, at)) for at in range(0, size, kind.bytes)]
        self.lanes = executing
        note_access(self, "w", "shared", destination, size)
        self._write(to, kind, values, executing)

    def _write(self, pointers: str, kind: ScalarType, values: Sequence[Value], seen: Value | None) -> None:
        """Consecutive elements at the executing lanes' pointers; seen: the lanes, if any, whose bytes others see."""
        for number, value in enumerate(values):
            at = self._element(pointers, number * kind.bytes)
            if seen is not None:
                self._note_change(kind, at, value, seen)
            self._scatter(kind, at, value)

    def _scatter(self, kind: ScalarType, pointers: str, value: Value) -> None:
        element = lane_type(kind)
        arguments = [(vector(element), value.data), (PTR, pointers), ("i32", "1"), (I1, self.lanes.data)]
        self.call_void(f"llvm.masked.scatter.v32{_short(element)}.v32p0", arguments)

    # --- windows -------------------------------------------------------------------------------------

    def to_generic(self, space: str, address: Value) -> Value:
        """The space's window plus the address."""
        return self.cast(address, U64) + m.WINDOWS.get(space, 0)

    def from_generic(self, space: str, address: Value) -> Value:
        """The generic address minus the space's window."""
        return self.cast(address, U64) - m.WINDOWS.get(space, 0)

    def in_space(self, space: str, address: Value) -> Value:
        """Whether a generic address lies in a window; .shared is the CTA's own part of it."""
        wide = self.cast(address, U64)
        if space not in m.WINDOWS:
            return self._in_device(space, wide)
        if space != "shared":
            return wide >> 32 == m.WINDOWS[space] >> 32
        rank = Value(self, U64, self.spread("i64", self.field("shared_origin"))) >> m.CLUSTER_SHIFT
        return wide >> m.CLUSTER_SHIFT == rank + (m.SHARED_WINDOW >> m.CLUSTER_SHIFT)

    def _in_device(self, space: str, address: Value) -> Value:
        """Whether an address is of .const, or of .global, to which parameters and multicasts belong."""
        device = address - m.DEVICE_BASE
        inside = (address >= m.DEVICE_BASE) & (device < self._everywhere("memory_bytes"))
        stride = self._everywhere("stride")
        const = self.remainder(device, stride) >= stride - m.CONST_BYTES
        if space == "const":
            return inside & const
        inside = inside & ~const | (address >> 32 == m.PARAM_WINDOW >> 32)
        return inside | ((address >= MULTICAST_WINDOW) & (address < MULTICAST_END))

    def _everywhere(self, field: str) -> Value:
        """A field of the run's record in all lanes."""
        return Value(self, U64, self.spread("i64", self.global_field(field)))

    # --- the carry bit -------------------------------------------------------------------------------

    def _carry_place(self) -> str:
        return self.emit(f"getelementptr i8, ptr %regs, i64 {HEADER['carry'] - HEADER_BYTES}")

    def carry(self) -> Value:
        """CC.CF."""
        return self.value(TYPES["b8"], f"load {vector('i8')}, ptr {self._carry_place()}, align 32") != 0

    def set_carry(self, p: Value) -> None:
        """Write CC.CF of the executing lanes."""
        new = self.select(self.lanes, p, self.carry())
        wide = self.emit(f"zext {I1} {new.data} to {vector('i8')}")
        self.lines.append(f"  store {vector('i8')} {wide}, ptr {self._carry_place()}, align 32")


def _short(element: str) -> str:
    """An element's name inside an intrinsic's name."""
    return {"float": "f32", "double": "f64"}.get(element, element)


__all__ = ["PRED", "MachineOps", "NoNativeForm"]
