"""Where the manual describes each mnemonic, executed here or not.

A mnemonic of this index that the registry does not know is valid PTX that the emulator does not execute
yet; any other word is no PTX instruction.
"""

from __future__ import annotations

_ROWS = """
add 9.7.1.1, sub 9.7.1.2, mul 9.7.1.3, mad 9.7.1.4, mul24 9.7.1.5, mad24 9.7.1.6, sad 9.7.1.7, div 9.7.1.8
rem 9.7.1.9, abs 9.7.1.10, neg 9.7.1.11, min 9.7.1.12, max 9.7.1.13, popc 9.7.1.14, clz 9.7.1.15
bfind 9.7.1.16, fns 9.7.1.17, brev 9.7.1.18, bfe 9.7.1.19, bfi 9.7.1.20, szext 9.7.1.21, bmsk 9.7.1.22
dp4a 9.7.1.23, dp2a 9.7.1.24, addc 9.7.2.2, subc 9.7.2.4, madc 9.7.2.6, testp 9.7.3.1, copysign 9.7.3.2
fma 9.7.3.6, rcp 9.7.3.13, sqrt 9.7.3.15, rsqrt 9.7.3.16, sin 9.7.3.18, cos 9.7.3.19, lg2 9.7.3.20
ex2 9.7.3.21, tanh 9.7.3.22, set 9.7.6.1, setp 9.7.6.2, selp 9.7.6.3, slct 9.7.6.4, and 9.7.8.1, or 9.7.8.2
xor 9.7.8.3, not 9.7.8.4, cnot 9.7.8.5, lop3 9.7.8.6, shf 9.7.8.7, shl 9.7.8.8, shr 9.7.8.9, mov 9.7.9.3
shfl 9.7.9.6, prmt 9.7.9.7, ld 9.7.9.8, ldu 9.7.9.10, st 9.7.9.11, st.async 9.7.9.12, st.bulk 9.7.9.13
multimem 9.7.9.14, prefetch 9.7.9.15, prefetchu 9.7.9.15, applypriority 9.7.9.16, discard 9.7.9.17
createpolicy 9.7.9.18, isspacep 9.7.9.19, cvta 9.7.9.20, cvt 9.7.9.21, cvt.pack 9.7.9.22, mapa 9.7.9.23
getctarank 9.7.9.24, cp.async 9.7.9.25.3, cp.async.bulk 9.7.9.25.4, cp.reduce.async.bulk 9.7.9.25.4
cp.async.bulk.tensor 9.7.9.27.1.2, cp.async.mbarrier 9.7.13.15, multimem.cp 9.7.9.26, tensormap 9.7.9.28
tex 9.7.10.3, tld4 9.7.10.4, txq 9.7.10.5, istypep 9.7.10.6, suld 9.7.11.1, sust 9.7.11.2, sured 9.7.11.3
suq 9.7.11.4, bra 9.7.12.3, brx 9.7.12.4, call 9.7.12.5, ret 9.7.12.6, exit 9.7.12.7, bar 9.7.13.1
barrier 9.7.13.1, barrier.cluster 9.7.13.3, membar 9.7.13.4, fence 9.7.13.4, atom 9.7.13.5, red 9.7.13.6
red.async 9.7.13.7, vote 9.7.13.9, match 9.7.13.10, activemask 9.7.13.11, redux 9.7.13.12
griddepcontrol 9.7.13.13, elect 9.7.13.14, mbarrier 9.7.13.15, clusterlaunchcontrol 9.7.13.17, wmma 9.7.14.4
mma 9.7.14.5, mma.sp 9.7.14.6, ldmatrix 9.7.14.5, stmatrix 9.7.14.5, movmatrix 9.7.14.5, wgmma 9.7.15.5
tcgen05 9.7.16, stacksave 9.7.17.1, stackrestore 9.7.17.2, alloca 9.7.17.3, vadd 9.7.18.1, vsub 9.7.18.1
vabsdiff 9.7.18.1, vmin 9.7.18.1, vmax 9.7.18.1, vshl 9.7.18.1, vshr 9.7.18.1, vmad 9.7.18.1, vset 9.7.18.1
vadd2 9.7.18.2, vsub2 9.7.18.2, vavrg2 9.7.18.2, vabsdiff2 9.7.18.2, vmin2 9.7.18.2, vmax2 9.7.18.2
vset2 9.7.18.2, vadd4 9.7.18.2, vsub4 9.7.18.2, vavrg4 9.7.18.2, vabsdiff4 9.7.18.2, vmin4 9.7.18.2
vmax4 9.7.18.2, vset4 9.7.18.2, brkpt 9.7.19.1, nanosleep 9.7.19.2, pmevent 9.7.19.3, trap 9.7.19.4
setmaxnreg 9.7.19.5
"""


def _rows(text: str) -> list[tuple[str, str]]:
    rows = (row.split() for row in text.replace("\n", ",").split(",") if row.strip())
    return [(head, section) for head, section in rows]


SECTIONS: dict[str, str] = dict(_rows(_ROWS))

# The manual's further pages: the same word in another chapter, and single forms with a page of their own.
_FURTHER_ROWS = """
add.cc 9.7.2.1, sub.cc 9.7.2.3, mad.cc 9.7.2.5, add 9.7.3.3, sub 9.7.3.4, mul 9.7.3.5, mad 9.7.3.7, div 9.7.3.8
abs 9.7.3.9, neg 9.7.3.10, min 9.7.3.11, max 9.7.3.12, rcp.approx.ftz.f64 9.7.3.14, rsqrt.approx.ftz.f64 9.7.3.17
add 9.7.4.1, sub 9.7.4.2, mul 9.7.4.3, fma 9.7.4.4, neg 9.7.4.5, abs 9.7.4.6, min 9.7.4.7, max 9.7.4.8
tanh 9.7.4.9, ex2 9.7.4.10, add 9.7.5.1, sub 9.7.5.2, fma 9.7.5.3, set 9.7.7.1, setp 9.7.7.2, mov 9.7.9.4, shfl 9.7.9.5
ld.nc 9.7.9.9, vote 9.7.13.8
multimem.ld_reduce 9.7.9.14, multimem.st 9.7.9.14, multimem.red 9.7.9.14, cp.async.commit_group 9.7.9.25.3.2
cp.async.wait_group 9.7.9.25.3.3, cp.async.wait_all 9.7.9.25.3.3, cp.async.bulk.prefetch 9.7.9.25.4.3
cp.async.bulk.commit_group 9.7.9.27.2.1, cp.async.bulk.wait_group 9.7.9.27.2.2
cp.reduce.async.bulk.tensor 9.7.9.27.1.3, cp.async.bulk.prefetch.tensor 9.7.9.27.1.4
bar.warp.sync 9.7.13.2, fence.proxy 9.7.13.4, fence.mbarrier_init 9.7.13.4, clusterlaunchcontrol.try_cancel 9.7.13.17
mbarrier.init 9.7.13.15.9, mbarrier.inval 9.7.13.15.10, mbarrier.expect_tx 9.7.13.15.11
mbarrier.complete_tx 9.7.13.15.12, mbarrier.arrive 9.7.13.15.13, mbarrier.arrive_drop 9.7.13.15.14
mbarrier.test_wait 9.7.13.15.16, mbarrier.try_wait 9.7.13.15.16, mbarrier.pending_count 9.7.13.15.17
tensormap.cp_fenceproxy 9.7.13.16, tensormap.replace 9.7.9.28, clusterlaunchcontrol.query_cancel 9.7.13.18
wmma.load 9.7.14.4.3, wmma.store 9.7.14.4.4, wmma.mma 9.7.14.4.5, wgmma.mma_async 9.7.15.5.2
wgmma.mma_async.sp 9.7.15.6.3, wgmma.fence 9.7.15.7.1, wgmma.commit_group 9.7.15.7.2, wgmma.wait_group 9.7.15.7.3
tcgen05.alloc 9.7.16.7.1, tcgen05.dealloc 9.7.16.7.1, tcgen05.relinquish_alloc_permit 9.7.16.7.1
tcgen05.ld 9.7.16.8.3, tcgen05.st 9.7.16.8.4, tcgen05.wait 9.7.16.8.5, tcgen05.cp 9.7.16.9.2
tcgen05.shift 9.7.16.9.3, tcgen05.mma 9.7.16.10.9.1, tcgen05.mma.sp 9.7.16.10.9.2, tcgen05.mma.ws 9.7.16.10.9.3
tcgen05.mma.ws.sp 9.7.16.10.9.4, tcgen05.fence 9.7.16.11.1, tcgen05.commit 9.7.16.12.1
"""

_PLACES = {head: section for head, section in _rows(_FURTHER_ROWS) if "." in head} | SECTIONS

CHAPTERS: dict[str, str] = {
    "9.7.1": "Integer Arithmetic",
    "9.7.2": "Extended-Precision Integer Arithmetic",
    "9.7.3": "Floating-Point",
    "9.7.4": "Half Precision Floating-Point",
    "9.7.5": "Mixed Precision Floating-Point",
    "9.7.6": "Comparison and Selection",
    "9.7.7": "Half Precision Comparison",
    "9.7.8": "Logic and Shift",
    "9.7.9": "Data Movement and Conversion",
    "9.7.10": "Texture",
    "9.7.11": "Surface",
    "9.7.12": "Control Flow",
    "9.7.13": "Parallel Synchronization and Communication",
    "9.7.14": "Warp Level Matrix Multiply-Accumulate",
    "9.7.15": "Asynchronous Warpgroup Level Matrix Multiply-Accumulate",
    "9.7.16": "TensorCore 5th Generation",
    "9.7.17": "Stack Manipulation",
    "9.7.18": "Video",
    "9.7.19": "Miscellaneous",
}


def pages() -> list[tuple[str, str]]:
    """(section, head of the opcode) of every page of the manual's 9.7, in its order."""
    found = [(section, head) for head, section in _rows(_ROWS + _FURTHER_ROWS) if head not in _FAMILIES]
    return sorted(found, key=lambda page: _order(page[0]))


_FAMILIES = frozenset(
    ["mbarrier", "wmma", "wgmma", "tcgen05", "multimem", "tensormap", "clusterlaunchcontrol"]
)  # without a page


def _order(section: str) -> list[int]:
    return [int(number) for number in section.split(".")]


def chapter_of(section: str) -> str:
    """9.7.8.6 -> 9.7.8."""
    return ".".join(section.split(".")[:3])


def section_of(opcode: str) -> str | None:
    """The manual's section of an opcode, by its longest known head; None for no PTX instruction."""
    parts = opcode.split(".")
    for length in range(len(parts), 0, -1):
        found = _PLACES.get(".".join(parts[:length]))
        if found is not None:
            return found
    return None
