"""Where the bytes of accesses lie, as LLVM text: host addresses of the lanes' bytes, checked.

Bounds, alignment and write protection of all lanes are checked before a byte is touched; if a check fails the
instruction is left to the reference engine, which makes the fault.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NoReturn

from emulator.engines.native.context import global_offset, offset_of
from emulator.engines.native.patterns import Place
from emulator.engines.native.text import NoNativeForm, splat, vector
from emulator.engines.native.windows import Window
from emulator.isa.ops import PRED, Ops, Value
from emulator.machine import memory as m
from emulator.ptx_types import WARP_SIZE, ScalarType

I64, PTR, I1 = vector("i64"), vector("ptr"), vector("i1")
LANES = "<" + ", ".join(f"i64 {n}" for n in range(WARP_SIZE)) + ">"
CONSTANT_FIELDS = (
    "shared", "shared_size", "shared_origin", "local", "stack_bytes", "params", "param_size", "globals",
)  # fmt: skip
CONSTANT_GLOBALS = ("memory", "dirty")
SIMPLE_FIELDS = {
    "shared": ("shared", "shared_size", "shared_origin"),
    "local": ("local", "stack_bytes", None),
    "param": ("params", "param_size", None),
}


class AddressOps(Ops):
    """Lines of text, fields of records, and addresses."""

    lines: list[str]
    declarations: set[str]
    rooms: list[str]  # lines before all others: memory of the function's own
    in_frame = False  # whether the address counts from the lane's frame
    place: Place | None = None  # where the instruction's address comes from
    held: dict[str, str] | None = None  # in a run (fused.py) what it has read of records that do not change meanwhile
    window: Window | None = None  # and where the lanes' addresses in shared memory are
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
    def halves(self, element: str, data: str) -> tuple[str, str]:
        """The lower and the upper 16 lanes."""

    @abstractmethod
    def from_table(self, low: str, high: str, indices: Sequence[str]) -> str:
        """Entries of a table of 32 words."""

    def _none(self, what: str) -> NoReturn:
        raise NoNativeForm(what)

    # --- text --------------------------------------------------------------------------------------

    def field(self, name: str, kind: str = "i64") -> str:
        """A field of the context."""
        if self.held is not None and name in CONSTANT_FIELDS:
            return self.held.setdefault(f"{kind} {name}", f"%held.{name}.{kind}")
        at = self.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of(name)}")
        return self.emit(f"load {kind}, ptr {at}")

    def global_field(self, name: str, kind: str = "i64") -> str:
        """A field of the run's globals."""
        if self.held is not None and name in CONSTANT_GLOBALS:
            return self.held.setdefault(f"{kind} {name}", f"%held.{name}.{kind}")
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
        self.lines.append(f"  br i1 {bad}, label %leave, label %{after}")
        self.lines.append(f"{after}:")

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

    def _pointers(self, space: str, address: Value, size: int, *, write: bool, own: bool = False) -> str:
        """The host addresses of the lanes' bytes, checked; what fails a check leaves.

        own: whether generic addresses may lead to the lanes' stacks.
        """
        if self.in_frame:
            return self._simple("local", address.data, size)
        if space == "generic":
            return self._generic(address.data, size, write=write, own=own)
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
        none = self.spread("i1", self.emit(f"icmp slt i64 {room}, 0"))
        beyond = self.emit(f"icmp ugt {I64} {offset}, {self.spread('i64', room)}")
        beyond = self.emit(f"or {I1} {beyond}, {none}")
        bad = self.any_lane(self._bad_lanes(beyond, address, size))
        if space != "shared":
            self.go_on_unless(bad)
        if space == "local":
            stride = self.spread("i64", self.field("stack_bytes"))
            rows = self.emit(f"mul {I64} {stride}, {LANES}")
            offset = self.emit(f"add {I64} {offset}, {rows}")
        own = self.emit(f"getelementptr i8, ptr {self.field(base, 'ptr')}, {I64} {offset}")
        return self._in_cluster(address, size, own, bad) if space == "shared" else own

    def _in_cluster(self, address: str, size: int, own: str, bad: str) -> str:
        """Pointers to the own shared memory, or where a lane leaves it each lane's to that of a CTA of the cluster."""
        start, far, done = (self.label() for _ in range(3))
        self.lines += [f"  br label %{start}", f"{start}:", f"  br i1 {bad}, label %{far}, label %{done}", f"{far}:"]
        given, found = self._spilled(address), self._spilled("zeroinitializer")
        lanes = self.emit(f"bitcast {I1} {self.lanes.data} to i32")
        self.declarations.add("declare i1 @each_in_cluster_of(ptr, ptr, i32, i64, ptr)")
        arguments = f"ptr %ctx, ptr {given}, i32 {lanes}, i64 {size}, ptr {found}"
        inside = self.emit(f"call i1 @each_in_cluster_of({arguments})")
        self.go_on_unless(self.emit(f"xor i1 {inside}, true"))
        others = self.emit(f"inttoptr {I64} {self.emit(f'load {I64}, ptr {found}, align 64')} to {PTR}")
        end = self.block_end(done)
        self.lines.append(f"{done}:")
        return self.emit(f"phi {PTR} [ {own}, %{start} ], [ {others}, %{end} ]")

    def _spilled(self, addresses: str) -> str:
        """A place for 32 words that other functions read or write."""
        place = self.emit_later()
        self.rooms.append(f"  {place} = alloca {I64}, align 64")
        self.lines.append(f"  store {I64} {addresses}, ptr {place}, align 64")
        return place

    def _global(self, address: str, size: int, *, write: bool) -> str:
        """With the allocation that the record remembers, else with that of the first bad lane, else lane by lane."""
        self.leaves = True
        first, miss, again, each, good = (self.label() for _ in range(5))
        self.lines.append(f"  br label %{first}")
        self.lines.append(f"{first}:")
        bad = self._outside(address, size, write)
        mask = self.emit(f"bitcast {I1} {bad} to i32")
        is_bad = self.emit(f"icmp ne i32 {mask}, 0")
        self.lines.append(f"  br i1 {is_bad}, label %{miss}, label %{good}")
        self.lines.append(f"{miss}:")
        lane = self.intrinsic("llvm.cttz.i32", "i32", [("i32", mask), ("i1", "true")])
        wanted = self.emit(f"extractelement {I64} {address}, i32 {lane}")
        found = self.emit(f"call i1 @lookup(ptr %ip, ptr %ctx, i64 {wanted})")
        self.lines.append(f"  br i1 {found}, label %{again}, label %leave")
        self.lines.append(f"{again}:")
        still = self.any_lane(self._outside(address, size, write))
        self.lines.append(f"  br i1 {still}, label %{each}, label %{good}")
        self.lines.append(f"{each}:")
        inside = self._each_inside(address, size, write)
        self.lines.append(f"  br i1 {inside}, label %{good}, label %leave")
        self.lines.append(f"{good}:")
        moved = self.spread("i64", self.global_field("memory"))
        host = self.emit(f"add {I64} {address}, {moved}")
        return self.emit(f"inttoptr {I64} {host} to {PTR}")

    def _each_inside(self, address: str, size: int, write: bool) -> str:
        """Whether each executing lane is inside an allocation of its own, an i1."""
        place = self._spilled(address)
        lanes = self.emit(f"bitcast {I1} {self.lanes.data} to i32")
        self.declarations.add("declare i1 @each_inside_of(ptr, ptr, i32, i64, i64)")
        return self.emit(f"call i1 @each_inside_of(ptr %ctx, ptr {place}, i32 {lanes}, i64 {size}, i64 {int(write)})")

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

    def _generic(self, address: str, size: int, *, write: bool, own: bool) -> str:
        """Shared memory if all lanes are in its window, device memory if none is in any window; else lane by lane."""
        executing, window = self.lanes, self.emit(f"lshr {I64} {address}, {splat('i64', 32)}")
        in_shared = self._in_window(window, m.SHARED_WINDOW)
        in_local = self._in_window(window, m.LOCAL_WINDOW)
        outside = self.any_lane((executing & ~in_shared).data)
        inside = self.any_lane((executing & (in_shared | in_local)).data)
        other, device, mixed, shared, done = (self.label() for _ in range(5))
        self.lines.append(f"  br i1 {outside}, label %{other}, label %{shared}")
        self.lines.append(f"{shared}:")
        low = self.emit(f"and {I64} {address}, {splat('i64', 0xFFFFFFFF)}")
        found = [(self._simple("shared", low, size), self.block_end(done))]
        self.lines += [f"{other}:", f"  br i1 {inside}, label %{mixed}, label %{device}", f"{device}:"]
        found.append((self._global(address, size, write=write), self.block_end(done)))
        self.lines.append(f"{mixed}:")
        found.append((self._mixed(address, size, in_shared, in_local, write, own), self.block_end(done)))
        self.lanes = executing
        self.lines.append(f"{done}:")
        return self.emit(f"phi {PTR} {', '.join(f'[ {pointers}, %{end} ]' for pointers, end in found)}")

    def _in_window(self, window: str, start: int) -> Value:
        return self.value(PRED, f"icmp eq {I64} {window}, {splat('i64', start >> 32)}")

    def _mixed(self, address: str, size: int, in_shared: Value, in_local: Value, write: bool, own: bool) -> str:
        """Some lanes in shared memory, some in their own stacks, the others in device memory."""
        executing = self.lanes
        low = self.emit(f"and {I64} {address}, {splat('i64', 0xFFFFFFFF)}")
        self.lanes = executing & in_shared
        pointers = self._simple("shared", low, size)
        self.lanes = executing & in_local
        if own:
            stacks = self._simple("local", self.emit(f"and {I64} {address}, {splat('i64', m.FRAME_FLAG - 1)}"), size)
            pointers = self.emit(f"select {I1} {in_local.data}, {PTR} {stacks}, {PTR} {pointers}")
        else:
            self.go_on_unless(self.any_lane(self.lanes.data))
        elsewhere = ~(in_shared | in_local)
        self.lanes = executing & elsewhere
        device = self._global(address, size, write=write)
        self.lanes = executing
        return self.emit(f"select {I1} {elsewhere.data}, {PTR} {device}, {PTR} {pointers}")

    def block_end(self, target: str) -> str:
        """End the current block with a jump; its label, made so that a phi can name it."""
        name = self.label()
        self.lines.append(f"  br label %{name}")
        self.lines.append(f"{name}:")
        self.lines.append(f"  br label %{target}")
        return name
