"""Memory and control as LLVM text.

A memory instruction checks bounds, alignment and write protection of all its lanes before it touches a byte;
if any check fails it leaves to the reference engine, which finds the lane's own allocation or makes the fault.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NoReturn

from emulator.engines.native.atomics import atomic_text
from emulator.engines.native.context import HEADER, global_offset, offset_of
from emulator.engines.native.mbarriers import update_text
from emulator.engines.native.noting import note_access
from emulator.engines.native.patterns import Pattern, Place, fits
from emulator.engines.native.text import NoNativeForm, lane_type, splat, vector
from emulator.isa.ops import PRED, U64, ObjectChange, Ops, Value
from emulator.machine import memory as m
from emulator.machine.multicast import MULTICAST_END, MULTICAST_WINDOW
from emulator.machine.warp import HEADER_BYTES
from emulator.ptx_types import TYPES, WARP_SIZE, ScalarType

I64, PTR, I1 = vector("i64"), vector("ptr"), vector("i1")
FENCES = {"sc": "seq_cst", "acq_rel": "acq_rel", "acquire": "acquire", "release": "release"}
LANES = "<" + ", ".join(f"i64 {n}" for n in range(WARP_SIZE)) + ">"
SIMPLE_FIELDS = {
    "shared": ("shared", "shared_size", "shared_origin"),
    "local": ("local", "stack_bytes", None),
    "param": ("params", "param_size", None),
}


class MachineOps(Ops):
    """Memory and control of the text builder."""

    lines: list[str]
    declarations: set[str]
    in_frame = False  # whether the address counts from the lane's frame
    place: Place | None = None  # where the instruction's address comes from
    fast = False  # whether accesses try patterns first, and miss them in the slow version
    whole = False  # whether all lanes execute
    avx512 = False  # whether the CPU has AVX-512: masks, permutations of two registers
    lane_mask = "-1"  # the executing lanes as an i32
    misses = False  # whether the function has a way to its slow version
    recording = False  # whether accesses are noted for observers
    watching = False  # whether accesses of watched bytes leave
    leaves = False  # whether the function has a way out to the reference engine
    control = ""  # the function that a control transfer ends with, in place of the next handler

    @abstractmethod
    def emit(self, text: str) -> str:
        """Append `%name = text`; the name."""

    @abstractmethod
    def emit_later(self) -> str:
        """A name whose line is appended by hand."""

    @abstractmethod
    def value(self, kind: ScalarType, text: str) -> Value:
        """A value from the right side of an assignment."""

    @abstractmethod
    def label(self) -> str:
        """A new label's name."""

    @abstractmethod
    def intrinsic(self, name: str, result: str, arguments: Sequence[tuple[str, str]]) -> str:
        """A call of an intrinsic."""

    @abstractmethod
    def from_table(self, low: str, high: str, indices: Sequence[str]) -> str:
        """Entries of a table of 32 words."""

    def _none(self, what: str) -> NoReturn:
        raise NoNativeForm(what)

    # --- text --------------------------------------------------------------------------------------

    def field(self, name: str, kind: str = "i64") -> str:
        """A field of the context."""
        at = self.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of(name)}")
        return self.emit(f"load {kind}, ptr {at}")

    def global_field(self, name: str, kind: str = "i64") -> str:
        """A field of the run's globals."""
        base = self.field("globals", "ptr")
        at = self.emit(f"getelementptr i8, ptr {base}, i64 {global_offset(name)}")
        return self.emit(f"load {kind}, ptr {at}")

    def spread(self, element: str, scalar: str) -> str:
        """A scalar in every lane."""
        kind = vector(element)
        first = self.emit(f"insertelement {kind} poison, {element} {scalar}, i32 0")
        return self.emit(f"shufflevector {kind} {first}, {kind} poison, {vector('i32')} zeroinitializer")

    def go_on_unless(self, bad: str) -> None:
        """Leave the instruction to the reference engine where an i1 holds."""
        self.leaves = True
        after = self.label()
        self.lines += [f"  br i1 {bad}, label %leave, label %{after}", f"{after}:"]

    def bind_lanes(self, mask: str) -> None:
        """Make the lanes of an i32 the executing ones."""
        self.lane_mask = mask
        if self.avx512:
            self.lanes = self.value(PRED, f"bitcast i32 {mask} to {I1}")
            return
        bits = "<" + ", ".join(f"i32 {1 << n}" for n in range(WARP_SIZE)) + ">"
        kind = vector("i32")
        own = self.emit(f"and {kind} {self.spread('i32', mask)}, {bits}")
        self.lanes = self.value(PRED, f"icmp ne {kind} {own}, zeroinitializer")

    def any_lane(self, p: str) -> str:
        """Whether a predicate holds in any lane: an i1."""
        mask = self.emit(f"bitcast {I1} {p} to i32")
        return self.emit(f"icmp ne i32 {mask}, 0")

    # --- where the bytes are -------------------------------------------------------------------------

    def _misaligned(self, address: str, size: int) -> str:
        low = self.emit(f"and {I64} {address}, {splat('i64', size - 1)}")
        return self.emit(f"icmp ne {I64} {low}, zeroinitializer")

    def _bad_lanes(self, beyond: str, address: str, size: int) -> str:
        """Executing lanes that are out of bounds or misaligned."""
        bad = self.emit(f"or {I1} {beyond}, {self._misaligned(address, size)}") if size > 1 else beyond
        return self.emit(f"and {I1} {self.lanes.data}, {bad}")

    def _pointers(self, space: str, address: Value, size: int, *, write: bool) -> str:
        """The host addresses of the lanes' bytes, checked; what fails a check leaves."""
        if self.in_frame:
            return self._simple("local", address.data, size)
        if space == "generic":
            return self._generic(address.data, size, write=write)
        if space in ("global", "const"):
            return self._global(address.data, size, write=write)
        if space not in SIMPLE_FIELDS or (space == "param" and write):
            self._none(f"{space} memory")
        return self._simple(space, address.data, size)

    def _simple(self, space: str, address: str, size: int) -> str:
        base, limit, origin = SIMPLE_FIELDS[space]
        offset = address
        if origin is not None:
            offset = self.emit(f"sub {I64} {address}, {self.spread('i64', self.field(origin))}")
        room = self.emit(f"sub i64 {self.field(limit)}, {size}")
        none = self.emit(f"icmp slt i64 {room}, 0")
        beyond = self.emit(f"icmp ugt {I64} {offset}, {self.spread('i64', room)}")
        bad = self.any_lane(self._bad_lanes(beyond, address, size))
        self.go_on_unless(self.emit(f"or i1 {none}, {bad}"))
        if space == "local":
            stride = self.spread("i64", self.field("stack_bytes"))
            rows = self.emit(f"mul {I64} {stride}, {LANES}")
            offset = self.emit(f"add {I64} {offset}, {rows}")
        return self.emit(f"getelementptr i8, ptr {self.field(base, 'ptr')}, {I64} {offset}")

    def _global(self, address: str, size: int, *, write: bool) -> str:
        """Two tries: with the allocation that the record remembers, and with that of the first bad lane."""
        self.leaves = True
        first, miss, again, good = self.label(), self.label(), self.label(), self.label()
        self.lines += [f"  br label %{first}", f"{first}:"]
        bad = self._outside(address, size, write)
        mask = self.emit(f"bitcast {I1} {bad} to i32")
        is_bad = self.emit(f"icmp ne i32 {mask}, 0")
        self.lines += [f"  br i1 {is_bad}, label %{miss}, label %{good}", f"{miss}:"]
        lane = self.intrinsic("llvm.cttz.i32", "i32", [("i32", mask), ("i1", "true")])
        wanted = self.emit(f"extractelement {I64} {address}, i32 {lane}")
        found = self.emit(f"call i1 @lookup(ptr %ip, ptr %ctx, i64 {wanted})")
        self.lines += [f"  br i1 {found}, label %{again}, label %leave", f"{again}:"]
        still = self.any_lane(self._outside(address, size, write))
        self.lines += [f"  br i1 {still}, label %leave, label %{good}", f"{good}:"]
        moved = self.spread("i64", self.global_field("memory"))
        host = self.emit(f"add {I64} {address}, {moved}")
        return self.emit(f"inttoptr {I64} {host} to {PTR}")

    def _outside(self, address: str, size: int, write: bool) -> str:
        """Executing lanes that are not inside the remembered allocation, misaligned, or write to what must not be."""
        at = self.emit("getelementptr i8, ptr %ip, i64 48")
        cache = self.emit(f"load ptr, ptr {at}")
        base = self.emit(f"load i64, ptr {cache}")
        at_end = self.emit(f"getelementptr i8, ptr {cache}, i64 8")
        end = self.emit(f"load i64, ptr {at_end}")
        length = self.emit(f"sub i64 {end}, {base}")
        room = self.emit(f"sub i64 {length}, {size}")
        offset = self.emit(f"sub {I64} {address}, {self.spread('i64', base)}")
        beyond = self.emit(f"icmp ugt {I64} {offset}, {self.spread('i64', room)}")
        small = self.emit(f"icmp slt i64 {room}, 0")
        if write:
            at_flag = self.emit(f"getelementptr i8, ptr {cache}, i64 16")
            flag = self.emit(f"load i64, ptr {at_flag}")
            protected = self.emit(f"icmp ne i64 {flag}, 0")
            small = self.emit(f"or i1 {small}, {protected}")
        beyond = self.emit(f"or {I1} {beyond}, {self.spread('i1', small)}")
        return self._bad_lanes(beyond, address, size)

    def _generic(self, address: str, size: int, *, write: bool) -> str:
        """Shared memory if every executing lane is in its window, else device memory, as every lane must be."""
        window = self.emit(f"lshr {I64} {address}, {splat('i64', 32)}")
        other = self.emit(f"icmp ne {I64} {window}, {splat('i64', m.SHARED_WINDOW >> 32)}")
        outside = self.any_lane(self.emit(f"and {I1} {self.lanes.data}, {other}"))
        device, shared, done = self.label(), self.label(), self.label()
        self.lines += [f"  br i1 {outside}, label %{device}, label %{shared}", f"{shared}:"]
        low = self.emit(f"and {I64} {address}, {splat('i64', 0xFFFFFFFF)}")
        in_shared = self._simple("shared", low, size)
        shared_end = self.block_end(done)
        self.lines.append(f"{device}:")
        in_device = self._global(address, size, write=write)
        device_end = self.block_end(done)
        self.lines.append(f"{done}:")
        return self.emit(f"phi {PTR} [ {in_shared}, %{shared_end} ], [ {in_device}, %{device_end} ]")

    def block_end(self, target: str) -> str:
        """End the current block with a jump; its label, made so that a phi can name it."""
        name = self.label()
        self.lines += [f"  br label %{name}", f"{name}:", f"  br label %{target}"]
        return name

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
            pointers = self._pointers(space, address, kind.bytes * count, write=False)
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
        pointers = self._pointers(space, address, kind.bytes * len(values), write=True)
        note_access(self, "w", space, address, kind.bytes * len(values))
        tracked = space not in ("local", "param")
        for number, data in enumerate(values):
            at = self._element(pointers, number * kind.bytes)
            if tracked:
                self._note_change(kind, at, data)
            self._scatter(kind, at, data)
        if space in ("global", "generic"):
            self._mark_dirty(space, address.data)

    @abstractmethod
    def call_void(self, name: str, arguments: Sequence[tuple[str, str]]) -> None:
        """A call of an intrinsic without a result."""

    def _note_change(self, kind: ScalarType, pointers: str, value: Value) -> None:
        """Count progress if a byte of shared or global memory changes, once a turn."""
        at = self.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of('progress')}")
        progress = self.emit(f"load i64, ptr {at}")
        known = self.emit(f"icmp ne i64 {progress}, 0")
        compare, after = self.label(), self.label()
        self.lines.append(f"  br i1 {known}, label %{after}, label %{compare}")
        self.lines.append(f"{compare}:")
        bits = TYPES[f"b{max(8, kind.width)}"]
        differs = self._gather(bits, pointers) != self.view(value, bits)
        changed = self.any_lane(self.emit(f"and {I1} {differs.data}, {self.lanes.data}"))
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

    def mbarrier(self, space: str, address: Value, change: ObjectChange) -> Value:
        """Change the lanes' mbarrier objects."""
        return update_text(self, self._objects(space, address, "a"), change)

    def mbarrier_word(self, space: str, address: Value, check: Callable[[Value], Value]) -> Value:
        """The lanes' mbarrier objects; what is wrong leaves."""
        word = self._gather(U64, self._objects(space, address, "r"))
        self.go_on_unless(self.any_lane(((check(word) != 0) & self.lanes).data))
        return word

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
        for number, value in enumerate(values):
            at = self._element(to, number * kind.bytes)
            self._note_change(kind, at, value)
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
