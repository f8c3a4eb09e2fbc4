"""What the operands of random instructions are made of: registers by type, special registers, regions of memory."""

from __future__ import annotations

from functools import cache

from emulator.ptx_types import TYPES, ScalarType

REGISTERS = {
    "pred": 8, "b8": 2, "b16": 5, "u16": 1, "f16": 2, "b32": 8, "s32": 2, "f32": 3, "f16x2": 1, "b64": 6, "u64": 1,
    "f64": 2, "b128": 2,
}  # fmt: skip
VECTORS = {"b32": "%v", "f32": "%w"}  # of four elements each
SCRATCH = ".reg .v4 .b32 %v; .reg .v4 .f32 %w; .reg .b32 %x<5>; .reg .b64 %y<5>; .reg .pred %g<2>; .reg .b32 %m, %fuel;"
SPECIALS = (
    "tid", "ntid", "laneid", "warpid", "nwarpid", "ctaid", "nctaid", "smid", "nsmid", "gridid", "clusterid",
    "nclusterid", "cluster_ctaid", "cluster_nctaid", "cluster_ctarank", "cluster_nctarank", "lanemask_eq",
    "lanemask_le", "lanemask_lt", "lanemask_ge", "lanemask_gt", "clock", "clock_hi", "clock64", "globaltimer",
    "globaltimer_lo", "globaltimer_hi", "total_smem_size", "dynamic_smem_size", "aggr_smem_size", "envreg1",
)  # fmt: skip
SELECTORS = ("b0", "b1", "b2", "b3", "h0", "h1", "h10", "h32", "b10", "b3210", "b7654", "b4321")
REGIONS = {"global": ("gl", 1024), "shared": ("sh", 1024), "const": ("co", 128), "local": ("lo", 128),
           "param": ("par", 32)}  # fmt: skip
OBJECTS = ("mbo", 32)  # mbarrier objects in shared memory
MULTICAST = 1024  # bytes behind the first multimem address
MARGIN = 128  # of every region, on both sides


def declarations() -> str:
    """The registers of a function."""
    names = [f".reg .{kind} %{kind}_<{count}>;" for kind, count in REGISTERS.items()]
    return " ".join([*names, SCRATCH])


def registers(kind: str) -> list[str]:
    """The registers of a declared type."""
    elements = [f"{VECTORS[kind]}.{letter}" for letter in "xyzw"] if kind in VECTORS else []
    return [f"%{kind}_{n}" for n in range(REGISTERS[kind])] + elements


def fits(have: ScalarType, want: ScalarType, relaxed: bool) -> bool:
    """Whether a register may be an operand of a type (manual, 9.4.1)."""
    if "pred" in (have.name, want.name):
        return have is want
    if have.width != want.width and not (relaxed and have.width > want.width):
        return False
    if have.kind == "v":
        return want.kind == "b" or want is have
    return have is want or "b" in (have.kind, want.kind) or (have.is_integer and want.is_integer)


@cache
def suited(want: ScalarType, relaxed: bool) -> list[str]:
    """The registers that may be an operand of a type."""
    if want.width < 8 and want.kind != "p":
        want = TYPES["b8"]
    return [one for name in REGISTERS if fits(TYPES[name], want, relaxed) for one in registers(name)]
