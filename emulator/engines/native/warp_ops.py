"""What lanes of a warp tell each other, as LLVM text."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.engines.native.machine_ops import MachineOps
from emulator.engines.native.text import lane_type, splat, vector
from emulator.isa.ops import U32, Value
from emulator.ptx_types import TYPES, WARP_SIZE


class WarpOps(MachineOps):
    """Lane numbers, permutations, ballots."""

    def lane(self) -> Value:
        """The lane's number."""
        return Value(self, U32, "<" + ", ".join(f"i32 {n}" for n in range(WARP_SIZE)) + ">")

    def permute(self, a: Value, source: Value) -> Value:
        """In each lane the value of another: over memory, lane by lane, where the CPU has nothing better."""
        if a.type.kind == "p":
            moved = self.permute(self.cast(a, TYPES["u32"]), source)
            return moved != 0
        if self.avx512 and a.type.width == 32:
            bits = self.view(a, TYPES["b32"]).data
            low, high = self.halves("i32", bits)
            found = self.from_table(low, high, self.halves("i32", source.data))  # looks at the index's low five bits
            return self.view(Value(self, TYPES["b32"], found), a.type)
        source = source & WARP_SIZE - 1  # a wrong lane must not read other memory
        element = lane_type(a.type)
        array = f"[{WARP_SIZE} x {element}]"
        place = self.emit_later()
        self.rooms.append(f"  {place} = alloca {array}, align 64")
        self.lines.append(f"  store {vector(lane_type(a.type))} {a.data}, ptr {place}, align 64")
        where = self.emit(f"getelementptr {array}, ptr {place}, {vector('i32')} zeroinitializer, "
                          f"{vector('i32')} {source.data}")  # fmt: skip
        size = max(1, a.type.width // 8)
        llvm_name = {"float": "f32", "double": "f64"}.get(element, element)
        arguments = [
            (vector("ptr"), where),
            ("i32", str(size)),
            (vector("i1"), splat("i1", "true")),
            (vector(lane_type(a.type)), "poison"),
        ]
        name = f"llvm.masked.gather.v32{llvm_name}.v32p0"
        return Value(self, a.type, self.intrinsic(name, vector(lane_type(a.type)), arguments))

    def halves(self, element: str, data: str) -> tuple[str, str]:
        """The lower and the upper 16 lanes."""
        kind, half = vector(element), WARP_SIZE // 2
        picks = [", ".join(f"i32 {n + start}" for n in range(half)) for start in (0, half)]
        low, high = (
            self.emit(f"shufflevector {kind} {data}, {kind} poison, <{half} x i32> <{pick}>") for pick in picks
        )
        return low, high

    def from_table(self, low: str, high: str, indices: Sequence[str]) -> str:
        """For each half of the lanes entries of a table of 32 words in two registers, as one vector."""
        kind, every = "<16 x i32>", ", ".join(f"i32 {n}" for n in range(WARP_SIZE))
        name = "llvm.x86.avx512.vpermi2var.d.512"
        first, second = (self.intrinsic(name, kind, [(kind, low), (kind, index), (kind, high)]) for index in indices)
        return self.emit(f"shufflevector {kind} {first}, {kind} {second}, <32 x i32> <{every}>")

    def ballot(self, p: Value) -> Value:
        """In every lane the mask of the lanes in which the predicate holds."""
        mask = self.emit(f"bitcast {vector('i1')} {p.data} to i32")
        first = self.emit(f"insertelement {vector('i32')} poison, i32 {mask}, i32 0")
        zeros = "zeroinitializer"
        return self.value(
            U32, f"shufflevector {vector('i32')} {first}, {vector('i32')} poison, {vector('i32')} {zeros}"
        )
