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
cp.async.bulk.tensor 9.7.9.25.5, cp.async.mbarrier 9.7.13.15, multimem.cp 9.7.9.26, tensormap 9.7.9.28
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

SECTIONS: dict[str, str] = dict(row.split() for row in _ROWS.replace("\n", ",").split(",") if row.strip())


def section_of(opcode: str) -> str | None:
    """The manual's section of an opcode, by its longest known head; None for no PTX instruction."""
    parts = opcode.split(".")
    for length in range(len(parts), 0, -1):
        found = SECTIONS.get(".".join(parts[:length]))
        if found is not None:
            return found
    return None
