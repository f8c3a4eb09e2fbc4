"""A kernel of many instructions without a loop, as large generated kernels are."""

from __future__ import annotations

import random

LIVE = 48  # how far back an instruction looks for its operands
FORMS = (
    ("r", "add.s32 %r{d}, %r{a}, %r{b};"),
    ("r", "mad.lo.s32 %r{d}, %r{a}, %r{b}, %r{c};"),
    ("r", "xor.b32 %r{d}, %r{a}, %r{b};"),
    ("r", "shl.b32 %r{d}, %r{a}, {n};"),
    ("r", "sub.s32 %r{d}, %r{a}, %r{b};"),
    ("r", "and.b32 %r{d}, %r{a}, %r{b};"),
    ("f", "add.f32 %f{d}, %f{a}, %f{b};"),
    ("f", "mul.f32 %f{d}, %f{a}, %f{b};"),
    ("f", "fma.rn.f32 %f{d}, %f{a}, %f{b}, %f{c};"),
    ("f", "cvt.rn.f32.s32 %f{d}, %r{a};"),
    ("f", "max.f32 %f{d}, %f{a}, %f{b};"),
)


def long_kernel(instructions: int, seed: int = 1) -> str:
    """PTX text: every instruction writes a register of its own and reads some of those before."""
    pick = random.Random(seed)
    count = {"r": 1, "f": 1}
    lines = ["mov.u32 %r0, %tid.x;", "cvt.rn.f32.s32 %f0, %r0;"]
    for _ in range(instructions - 10):
        letter, form = pick.choice(FORMS)
        names = {}
        for name in "abc":
            source = "r" if f"%r{{{name}}}" in form else "f"
            names[name] = pick.randrange(max(0, count[source] - LIVE), count[source])
        lines.append(form.format(d=count[letter], n=pick.randrange(31), **names))
        count[letter] += 1
    last = count["r"] - 1
    lines += ["ld.param.u64 %rd0, [out];", "mov.u32 %q0, %ctaid.x;", "mov.u32 %q1, %ntid.x;",
              "mad.lo.s32 %q2, %q0, %q1, %r0;", "mul.wide.s32 %rd1, %q2, 4;", "add.s64 %rd2, %rd0, %rd1;",
              f"st.global.u32 [%rd2], %r{last};", "ret;"]  # fmt: skip
    body = "\n\t".join(lines)
    registers = f".reg .b32 %r<{count['r']}>;\n\t.reg .f32 %f<{count['f']}>;\n\t.reg .b32 %q<3>;\n\t.reg .b64 %rd<3>;"
    head = ".version 9.0\n.target sm_90\n.address_size 64\n\n.visible .entry long(.param .u64 out)"
    return f"{head}\n{{\n\t{registers}\n\t{body}\n}}\n"
