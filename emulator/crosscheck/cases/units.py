"""The approximate units: every f32 input as 65,536 hashes of 65,536 results, every f16 and bf16 input as it is.

A hash is FNV-1a over the 32-bit results of the inputs [block << 16, (block + 1) << 16): one thread a block.  `rows`
lets a test run a few of the blocks, `short` a dry run the first inputs of each.  Beside the hashes one result of each
block stands as it is: all exponents, zeros, subnormal numbers, infinities, NaN payloads.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crosscheck.case import Case, address, kernel_text, scalar

BLOCKS = 65536
SHORT_BLOCK = 64  # inputs of a block in a dry run
OFFSET_BASIS, PRIME = 1469598103934665603, 1099511628211
FUNCTIONS = (
    "rcp.approx.ftz.f32", "rsqrt.approx.ftz.f32", "sqrt.approx.ftz.f32", "ex2.approx.ftz.f32", "lg2.approx.ftz.f32",
    "sin.approx.ftz.f32", "cos.approx.ftz.f32", "tanh.approx.f32",
    "rcp.approx.f32", "rsqrt.approx.f32", "sqrt.approx.f32", "ex2.approx.f32", "lg2.approx.f32",
)  # fmt: skip
HALVES = ("ex2.approx.f16", "ex2.approx.ftz.bf16", "tanh.approx.f16", "tanh.approx.bf16")
HIGH_WORDS = ("rcp.approx.ftz.f64", "rsqrt.approx.ftz.f64")
QUESTION = "Are the tables of the G80 still those of the unit, and how does it round?"
GUESS = "the G80's tables (docs/deviations.md)"

_HASH = f"""
    .reg .pred %more;
    .reg .b32 %block, %x, %r, %left;
    .reg .b64 %hash, %wide;
    ld.global.u32 %block, [%at];
    shl.b32 %x, %block, 16;
    ld.param.u32 %left, [length];
    mov.u64 %hash, {OFFSET_BASIS};
AGAIN:
APPLY
    cvt.u64.u32 %wide, %r;
    xor.b64 %hash, %hash, %wide;
    mul.lo.u64 %hash, %hash, {PRIME};
    add.u32 %x, %x, 1;
    sub.u32 %left, %left, 1;
    setp.ne.u32 %more, %left, 0;
@%more bra AGAIN;
    st.global.u64 [%to], %hash;
"""
_HIGH = """
    .reg .b32 %low, %high;
    .reg .b64 %operand, %result;
    mov.b64 %operand, {0x12345678, %x};
    OPCODE %result, %operand;
    mov.b64 {%low, %high}, %result;
    xor.b32 %r, %low, %high;
"""


def cases() -> Iterator[Case]:
    """All functions."""
    for opcode in FUNCTIONS:
        yield _hashed(opcode, f"    {opcode} %r, %x;")
        yield _sampled(opcode)
    for opcode in HIGH_WORDS:
        yield _hashed(opcode, high_word(opcode))
    for opcode in HALVES:
        yield _halves(opcode)


def high_word(opcode: str) -> str:
    """An f64 instruction on the high word %x: both words of the result together in %r."""
    return _HIGH.replace("OPCODE", opcode)


def _hashed(opcode: str, apply: str) -> Case:
    declared: list[str] = []
    used: list[str] = []
    for line in apply.splitlines():
        (declared if line.strip().startswith(".reg") else used).append(line)
    body = "\n".join(declared) + _HASH.replace("APPLY", "\n".join(used))
    text = kernel_text(("blocks", "hashes"), address("%at", "blocks", 4) + address("%to", "hashes", 8) + body)
    text = text.replace(".param .u64 hashes)", ".param .u64 hashes, .param .u32 length)")
    return Case(
        opcode,
        "units",
        text,
        (("blocks", f"range {BLOCKS}"), ("hashes", f"u64[{BLOCKS}]"), ("length", scalar(1 << 16))),
        ("hashes",),
        grid=(BLOCKS // 128,),
        block=(128,),
        question=QUESTION,
        guess=GUESS,
        rows=("blocks",),
        short=(("length", scalar(SHORT_BLOCK)),),
    )


def _sampled(opcode: str) -> Case:
    """The result of the input BLOCK << 16 | BLOCK of every block."""
    body = address("%at", "x", 4) + address("%to", "y", 4)
    body += "    .reg .b32 %n, %r;\n    ld.global.u32 %n, [%at];\n    mad.lo.u32 %n, %n, 65536, %n;\n"
    text = kernel_text(("x", "y"), f"{body}    {opcode} %r, %n;\n    st.global.u32 [%to], %r;")
    arguments = (("x", f"range {BLOCKS}"), ("y", f"u32[{BLOCKS}]"))
    question = "What do zeros, subnormal numbers, infinities, NaN payloads and huge angles give?"
    name = f"{opcode} of all exponents"
    return Case(name, "units", text, arguments, ("y",), "k", (512,), (128,), question=question, rows=("x",))


def _halves(opcode: str) -> Case:
    body = address("%at", "x", 4) + address("%to", "y", 2) + "    .reg .b16 %h, %r;\n    ld.global.u16 %h, [%at];\n"
    text = kernel_text(("x", "y"), f"{body}    {opcode} %r, %h;\n    st.global.u16 [%to], %r;")
    arguments = (("x", "range 65536"), ("y", "u16[65536]"))
    return Case(opcode, "units", text, arguments, ("y",), grid=(512,), block=(128,), question=QUESTION, rows=("x",))
