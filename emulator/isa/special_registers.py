"""Special registers: one row each (manual, chapter 10)."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.isa.registry import Requirement
from emulator.ptx_types import TYPES, ScalarType


@dataclass(frozen=True, slots=True)
class SpecialRegister:
    """A special register: its type, whether it has .x .y .z .w, whether it changes during a run.

    narrow: the widths of its type in earlier versions of PTX, which mov still takes (manual, 10).
    """

    name: str
    type: ScalarType
    vector: bool
    volatile: bool
    meaning: str
    requires: Requirement
    narrow: tuple[int, ...] = ()


NARROW = {"tid": (16,), "ntid": (16,), "ctaid": (16,), "nctaid": (16,), "gridid": (16, 32)}
_ROWS = """
tid                 u32 v -  thread index in its CTA                              | 1.0
ntid                u32 v -  threads of a CTA in each dimension                   | 1.0
laneid              u32 - -  lane in its warp                                     | 1.3
warpid              u32 - -  warp in its CTA                                      | 1.3
nwarpid             u32 - -  the most warps that a CTA can have                   | 2.0 sm_20
ctaid               u32 v -  CTA index in its grid                                | 1.0
nctaid              u32 v -  CTAs of the grid in each dimension                   | 1.0
smid                u32 - -  the SM on which the CTA runs                         | 1.3
nsmid               u32 - -  SM numbers are below this                            | 2.0 sm_20
gridid              u64 - -  number of the launch                                 | 3.0
is_explicit_cluster pred - - 1 if the launch named a cluster size                 | 7.8 sm_90
clusterid           u32 v -  cluster index in its grid                            | 7.8 sm_90
nclusterid          u32 v -  clusters of the grid in each dimension               | 7.8 sm_90
cluster_ctaid       u32 v -  CTA index in its cluster                             | 7.8 sm_90
cluster_nctaid      u32 v -  CTAs of a cluster in each dimension                  | 7.8 sm_90
cluster_ctarank     u32 - -  number of the CTA in its cluster                     | 7.8 sm_90
cluster_nctarank    u32 - -  CTAs of a cluster                                    | 7.8 sm_90
lanemask_eq         u32 - -  bit of this lane                                     | 2.0 sm_20
lanemask_le         u32 - -  bits up to and with this lane                        | 2.0 sm_20
lanemask_lt         u32 - -  bits below this lane                                 | 2.0 sm_20
lanemask_ge         u32 - -  bits from this lane on                               | 2.0 sm_20
lanemask_gt         u32 - -  bits above this lane                                 | 2.0 sm_20
clock               u32 - c  executed warp instructions, low half                 | 1.0
clock_hi            u32 - c  executed warp instructions, high half                | 5.0 sm_20
clock64             u64 - c  executed warp instructions                           | 2.0 sm_20
globaltimer         u64 - c  nanoseconds, a function of executed instructions     | 3.1 sm_30
globaltimer_lo      u32 - c  its low half                                         | 3.1 sm_30
globaltimer_hi      u32 - c  its high half                                        | 3.1 sm_30
reserved_smem_offset_begin u32 - - first byte reserved by the system              | 7.6 sm_80
reserved_smem_offset_end   u32 - - end of the reserved bytes                      | 7.6 sm_80
reserved_smem_offset_cap   u32 - - size of the reserved bytes                     | 7.6 sm_80
reserved_smem_offset_0     u32 - - reserved bytes, first part                     | 7.6 sm_80
reserved_smem_offset_1     u32 - - reserved bytes, second part                    | 7.6 sm_80
total_smem_size     u32 - -  shared memory of the CTA without the reserved bytes  | 4.1 sm_20
aggr_smem_size      u32 - -  shared memory of the CTA with the reserved bytes     | 8.1 sm_90
dynamic_smem_size   u32 - -  shared memory given by the launch                    | 4.1 sm_20
current_graph_exec  u64 - -  the executing graph; 0 outside of one                | 8.0 sm_50
"""


def _table() -> dict[str, SpecialRegister]:
    table: dict[str, SpecialRegister] = {}
    for line in _ROWS.strip().splitlines():
        head, _, needs = line.partition("|")
        name, kind, vector, volatile, meaning = head.split(None, 4)
        table[name] = SpecialRegister(
            name,
            TYPES[kind],
            vector == "v",
            volatile == "c",
            meaning.strip(),
            Requirement.parse(needs),
            NARROW.get(name, ()),
        )
    for number in range(32):
        name = f"envreg{number}"
        table[name] = SpecialRegister(name, TYPES["b32"], False, False, "set by the driver", Requirement((2, 1)))
    for number in range(8):
        for name, kind, version in ((f"pm{number}", "u32", (1, 3)), (f"pm{number}_64", "u64", (4, 0))):
            text = "performance counter, 0 here"
            table[name] = SpecialRegister(name, TYPES[kind], False, False, text, Requirement(version))
    return table


SPECIAL_REGISTERS: dict[str, SpecialRegister] = _table()
COMPONENTS = {"x": 0, "y": 1, "z": 2, "w": 3, "r": 0, "g": 1, "b": 2, "a": 3}
