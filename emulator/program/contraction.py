"""Which multiplications and additions ptxas makes one fma, and a program in which they are (manual, 9.7.3.3).

"mul/add sequences with no rounding modifiers may be optimized to use fused-multiply-add".  What ptxas 13.0 makes of
them for sm_90a was read off its machine code (docs/decisions.md):

- A product is fused if the same straight run of code only adds or subtracts it, with the same type and .ftz, and
  nothing else reads it.  Explicit rounding on either side keeps both roundings; .sat is possible on the sum alone.
- Of two products that are added the one that is read less often is fused, the first if there is no such; products
  that are read once come first, except among packed ones.  The other product is an operand of the fma.

What ptxas first folds, copies or moves across branches is not followed: such pairs stay as they are.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from emulator.errors import Diagnostic, Label
from emulator.isa.fused import fused
from emulator.isa.registry import Variant, lookup
from emulator.parse import opcode_span
from emulator.program.dataflow import read_across_runs, reads, straight_runs, writes
from emulator.program.instruction import Instruction, Program
from emulator.program.operands import Immediate, Operand, Register
from emulator.ptx_types import bits_type

FLOATS = ("f16", "f16x2", "bf16", "bf16x2", "f32", "f64")
# Behind these, and behind guarded instructions that are not simply predicated, ptxas 13.0 starts a new block.
_SPLITTING = """
    bra brx call ret exit trap brkpt
    div rem rcp sqrt rsqrt bfind createpolicy fence membar griddepcontrol pmevent setmaxnreg mma wmma tex
"""
SPLITTING = frozenset(_SPLITTING.split())


@dataclass(frozen=True, slots=True)
class Pair:
    """An addition and the product that it takes as its first (0) or second source (1).

    is_kept: whether another addition, fused with another product, reads the product too.
    """

    product: Instruction
    addition: Instruction
    position: int
    is_kept: bool


@dataclass(eq=False, slots=True)
class _Product:
    """A multiplication of a run, and where the run adds it: {place of the addition: position}.

    value: equal for two that compute the same.
    """

    instruction: Instruction
    value: Hashable
    is_fusible: bool = True
    uses: dict[int, int] = field(default_factory=dict)


def find_pairs(program: Program) -> list[Pair]:
    """What ptxas fuses, in the order of the text."""
    runs = list(straight_runs(program, _ends_run))
    live, constants = read_across_runs(program, runs), _constants(program)
    return [pair for run in runs for pair in _choose(run, _Scan(run, live, constants).products)]


def _ends_run(instruction: Instruction) -> bool:
    entry, parts = instruction.variant.entry, instruction.opcode.split(".")
    if entry.mnemonic in SPLITTING:
        return "f64" in parts or not {"approx", "full"} & set(parts)
    is_simple = entry.kind == "lane" and len(instruction.results) == 1 and "cc" not in parts
    return instruction.guard is not None and not is_simple


def _constants(program: Program) -> set[int]:
    """The registers that hold one constant all the time: written once, by a mov of it."""
    written: dict[int, list[Instruction]] = {}
    for instruction in program.instructions:
        for register in writes(instruction):
            written.setdefault(register.offset, []).append(instruction)
    return {offset for offset, (first, *more) in written.items() if not more and _is_constant_move(first)}


def _is_constant_move(instruction: Instruction) -> bool:
    is_move = instruction.variant.entry.mnemonic == "mov" and instruction.guard is None
    return is_move and isinstance(instruction.sources[0].place, Immediate)


def _is_product(variant: Variant) -> bool:
    """Whether it multiplies floats and names no rounding; an approximate division multiplies by a reciprocal."""
    if variant.entry.mnemonic == "div":
        return variant.get("mode") is not None
    kind = variant.get("type")
    is_free = variant.get("rnd") is None and not variant.get("sat")
    return variant.entry.mnemonic == "mul" and kind is not None and kind.name in FLOATS and is_free


class _Scan:
    """One pass over a run: its products and who reads them."""

    def __init__(self, run: list[Instruction], live: set[int], constants: set[int]) -> None:
        self.products: list[_Product] = []
        self._constants = constants
        self._held: dict[int, _Product] = {}  # by the offset of the register that holds the product
        self._versions: dict[int, int] = {}
        for place, instruction in enumerate(run):
            self._read(place, instruction)
            self._write(instruction)
        for offset, product in self._held.items():
            product.is_fusible &= offset not in live

    def _read(self, place: int, instruction: Instruction) -> None:
        for register in {register.offset: register for register in reads(instruction)}.values():
            product = self._held.get(register.offset)
            if product is None:
                continue
            position = self._position(instruction, register, product)
            if position is None:
                product.is_fusible = False
            else:
                product.uses[place] = position

    def _position(self, instruction: Instruction, register: Register, product: _Product) -> int | None:
        """As which source an addition takes a product that it could be fused with."""
        mine, other = instruction.variant, product.instruction.variant
        if mine.entry.mnemonic not in ("add", "sub") or mine.get("rnd") is not None:
            return None
        if mine.get("type") is not other.type or bool(mine.get("ftz")) != bool(other.get("ftz")):
            return None
        places = [operand.place for operand in instruction.sources]
        if places.count(register) != 1:
            return None
        position = places.index(register)
        partner = places[1 - position]
        twin = self._held.get(partner.offset) if isinstance(partner, Register) else None
        return None if twin is not None and twin.value == product.value else position

    def _write(self, instruction: Instruction) -> None:
        product = self._product(instruction)
        for register in writes(instruction):
            self._versions[register.offset] = self._versions.get(register.offset, 0) + 1
            held = self._held.get(register.offset)
            if held is not None and instruction.guard is not None:
                held.is_fusible = False
            elif held is not None:
                del self._held[register.offset]
        if product is not None:
            self.products.append(product)
            self._held[writes(instruction)[0].offset] = product

    def _product(self, instruction: Instruction) -> _Product | None:
        """A multiplication that may be fused; ptxas computes a product of two constants itself."""
        if instruction.guard is not None or not _is_product(instruction.variant):
            return None
        places = [operand.place for operand in instruction.sources]
        if all(isinstance(p, Immediate) or (isinstance(p, Register) and p.offset in self._constants) for p in places):
            return None
        factors = [(p, self._versions.get(p.offset, 0) if isinstance(p, Register) else 0) for p in places]
        commutes = instruction.variant.entry.mnemonic == "mul"
        return _Product(instruction, (instruction.opcode, frozenset(factors) if commutes else tuple(factors)))


def _choose(run: list[Instruction], products: list[_Product]) -> list[Pair]:
    """The product for each addition that takes one or two."""
    takers: dict[int, list[_Product]] = {}
    uses = [(len(p.uses), position, place, p) for p in products if p.is_fusible for place, position in p.uses.items()]
    for _, _, place, product in sorted(uses, key=lambda use: use[:2]):
        takers.setdefault(place, []).append(product)
    chosen: dict[int, _Product] = {}
    for once in (True, False):
        for place in sorted(takers.keys() - chosen.keys()):
            free = [p for p in takers[place] if all(chosen.get(use, p) is p for use in p.uses)]
            if once:
                free = [p for p in free if len(p.uses) == 1 and p.instruction.variant.type.kind != "v"]
            if free:
                chosen[place] = free[0]
    return [
        Pair(p.instruction, run[place], p.uses[place], any(chosen.get(use) is not p for use in p.uses))
        for place, p in sorted(chosen.items())
    ]


# --- rewriting ---------------------------------------------------------------------------------------


def contract(program: Program) -> Program:
    """The program with an fma in the place of every fused addition.

    The multiplication (or division) stays, so that pcs and time are those of the text, and computes what nothing
    reads.  Where a factor's register is written before the fma reads it (often by the product itself), it becomes a
    copy of that factor into the product's register.  Pairs that lose both factors stay as they are.
    """
    instructions = list(program.instructions)
    pairs = find_pairs(program)
    last = {pair.product.pc: pair.addition.pc for pair in pairs}
    for pair in pairs:
        product = pair.product
        lost = _lost_factors(program.instructions[product.pc : last[product.pc]])
        if lost and (pair.is_kept or len({product.sources[n].place for n in lost}) > 1):
            continue
        if lost:
            instructions[product.pc] = _copy(product, lost[0])
        instructions[pair.addition.pc] = _fused(pair, lost)
    return replace(program, instructions=instructions)


def _lost_factors(between: list[Instruction]) -> list[int]:
    """Which factors of the first instruction are overwritten by it or one of the others."""
    written = {register.offset for instruction in between for register in writes(instruction)}
    places = [operand.place for operand in between[0].sources]
    return [n for n, place in enumerate(places) if isinstance(place, Register) and place.offset in written]


def _copy(product: Instruction, factor: int) -> Instruction:
    (result,) = product.results
    assert result is not None
    bits = bits_type(product.variant.type.width)
    (variant,) = lookup(f"mov.b{bits.width}")
    source = Operand("a", bits, product.sources[factor].place)
    node = replace(product.node, opcode=variant.opcode)
    return replace(product, variant=variant, results=(Operand("d", bits, result.place),), sources=(source,), node=node)


def _fused(pair: Pair, lost: list[int]) -> Instruction:
    (result,) = pair.product.results
    assert result is not None
    factors = [replace(f, place=result.place) if n in lost else f for n, f in enumerate(pair.product.sources)]
    operands = [*factors, pair.addition.sources[1 - pair.position]]
    sources = tuple(replace(operand, name=name) for operand, name in zip(operands, "abc", strict=True))
    variant = fused(pair.product.variant, pair.addition.variant, pair.position)
    return replace(
        pair.addition, variant=variant, sources=sources, node=replace(pair.addition.node, opcode=variant.opcode)
    )


# --- warnings ------------------------------------------------------------------------------------------


def warnings_of(program: Program) -> list[Diagnostic]:
    """A warning for each pair that ptxas fuses: the emulator rounds the product, unless told to do as ptxas does."""
    return [_warning(pair) for pair in find_pairs(program)]


def _warning(pair: Pair) -> Diagnostic:
    addition, product = pair.addition, pair.product
    source = addition.source
    other = f"the {product.opcode} of line {product.line}"
    text = f"ptxas makes this {addition.opcode} and {other} one fma, which rounds once"
    labels = (
        Label(opcode_span(source, addition.node)),
        Label(opcode_span(source, product.node), "the product, not rounded then"),
    )
    word, _, rest = addition.opcode.partition(".")
    fix = f"{word}.rn.{rest} keeps both roundings everywhere, fma.rn the one"
    return Diagnostic("PTX-P0301", "semantic", text, source, labels, help=fix, severity="warning")
