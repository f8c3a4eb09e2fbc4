"""What stands where a GPU would be, on machines without one: the emulator, told to lie about some results.

A lie is inserted into every text that is loaded, before any other inserted instruction can see the result: so it is
told in the untouched text, in the canonical one and in the traced ones alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from emulator.api.kernel import ObjectCode
from emulator.crosscheck.backend import STAND_IN, EmulatorBackend, Identity
from emulator.crosscheck.canonical import rewrite, statements
from emulator.crosscheck.instrument import CONFIG, is_inserted
from emulator.crosscheck.recordings import Recording
from emulator.errors import Diagnostic, DriverError
from emulator.machine.grid import LaunchShape
from emulator.parse import nodes, parse
from emulator.parse.printer import print_module
from emulator.program import Instruction, link
from emulator.program.dataflow import writes

DECLARATIONS = """
.reg .pred %lie_on{n}, %lie_guard{n}, %lie_now{n};
.reg .b16 %lie_half{n};
.reg .b32 %lie_count{n}, %lie_word{n}, %lie_size{n};
.reg .b64 %lie_value{n};
mov.u32 %lie_count{n}, 0;
mov.u32 %lie_word{n}, %ctaid.x;
setp.eq.u32 %lie_on{n}, %lie_word{n}, {cta};
mov.u32 %lie_word{n}, %tid.x;
setp.eq.and.u32 %lie_on{n}, %lie_word{n}, {thread}, %lie_on{n};
"""


@dataclass(frozen=True)
class Lie:
    """One bit of a result is wrong.

    pc: of the instruction in the untouched program of the kernel.  execution: which one of the thread, from 0; None for
    all.  cta and thread: their x indices; None for all.  traced_only: told only in texts that record results.
    """

    kernel: str
    pc: int
    bit: int
    cta: int | None = 0
    thread: int | None = 0
    execution: int | None = 0
    part: int = 0
    traced_only: bool = False


class StandIn(EmulatorBackend):
    """An emulator that lies.  unstable: a lie is told only in every second launch.  options: as of System."""

    def __init__(self, lies: Sequence[Lie] = (), *, unstable: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.lies = tuple(lies)
        self.unstable = unstable
        self.launches = 0
        self.traced_launches = 0
        self.identity = Identity(STAND_IN, "stand-in", "the emulator, told to lie", self.system.arch)

    def load(self, ptx: str, name: str) -> ObjectCode:
        """The text with all lies in it."""
        honest = self.unstable and self.launches % 2 == 0
        for number, lie in enumerate(() if honest else self.lies):
            if CONFIG in ptx or not lie.traced_only:
                ptx = told(ptx, lie, number)
        return super().load(ptx, name)

    def launch(
        self,
        code: ObjectCode,
        kernel: str,
        shape: LaunchShape,
        parameters: Sequence[bytes],
        *,
        cooperative: bool = False,
    ) -> None:
        """Launch, and count."""
        self.launches += 1
        self.traced_launches += any(
            isinstance(item, nodes.Variable) and item.name == CONFIG for item in code.module.items
        )
        super().launch(code, kernel, shape, parameters, cooperative=cooperative)


@lru_cache(maxsize=8)
def told(ptx: str, lie: Lie, number: int = 0) -> str:
    """A text with a lie in it; the text itself if it has no such kernel."""
    module = parse(ptx)
    if lie.kernel not in module.functions:
        return ptx
    program = link(module, lie.kernel)
    originals = [i for i in program.instructions if not (is_inserted(i.node) or "lie_" in i.text)]
    instruction = originals[lie.pc]
    body = instruction.function.node.body
    assert body is not None

    def change(node: nodes.Instruction) -> list[nodes.Statement] | None:
        if node is not instruction.node:
            return None
        before = f"mov.pred %lie_guard{number}, {node.guard.name};\n" if node.guard is not None else ""
        return [*statements(before), node, *statements(_lie_text(instruction, lie, number))]

    rewrite(body, change)
    head = DECLARATIONS.format(n=number, cta=lie.cta or 0, thread=lie.thread or 0)
    if lie.cta is None or lie.thread is None:
        head += f"setp.eq.u32 %lie_on{number}, 0, 0;\n"
    body.statements[:0] = statements(head)
    return print_module(module)


def _lie_text(instruction: Instruction, lie: Lie, number: int) -> str:
    register = writes(instruction)[lie.part]
    name, width, n = register.name, register.type.width, number
    lines = [f"mov.pred %lie_now{n}, %lie_on{n};"]
    if instruction.node.guard is not None:
        negated = instruction.node.guard.negated
        lines += [f"not.pred %lie_guard{n}, %lie_guard{n};"] if negated else []
        lines += [f"and.pred %lie_now{n}, %lie_now{n}, %lie_guard{n};"]
    lines += [f"@%lie_now{n} add.u32 %lie_count{n}, %lie_count{n}, 1;"]
    if lie.execution is not None:
        lines += [f"setp.eq.and.u32 %lie_now{n}, %lie_count{n}, {lie.execution + 1}, %lie_now{n};"]
    if width == 1:
        lines += [f"@%lie_now{n} not.pred {name}, {name};"]
    else:
        holder = {8: f"%lie_half{n}", 16: f"%lie_half{n}", 32: f"%lie_word{n}", 64: f"%lie_value{n}"}[width]
        move = f"mov.b{max(width, 16)}" if width > 8 else "cvt.u16.u8"
        back = move if width > 8 else "cvt.u8.u16"
        lines += [
            f"{move} {holder}, {name};",
            f"@%lie_now{n} xor.b{max(width, 16)} {holder}, {holder}, {1 << lie.bit};",
        ]
        lines += [f"{back} {name}, {holder};"]
    return "\n".join(lines)


def everywhere(lie: Lie) -> Lie:
    """The same lie in every thread and execution: a unit that computes differently."""
    return replace(lie, cta=None, thread=None, execution=None)


class Replay(EmulatorBackend):
    """A machine that answers what a recording says, to the launches that the recording has."""

    def __init__(self, recording: Recording, **options: Any) -> None:
        super().__init__(**options)
        self.identity = replace(recording.identity, name=f"{recording.identity.name}, recorded {recording.date}")
        self._answers = {(answer.case.ptx, answer.case.kernel): answer for answer in recording.answers}

    def launch(
        self,
        code: ObjectCode,
        kernel: str,
        shape: LaunchShape,
        parameters: Sequence[bytes],
        *,
        cooperative: bool = False,
    ) -> None:
        """Write the recorded outputs to where the parameters point."""
        answer = self._answers.get((code.module.source.text, kernel))
        if answer is None or answer.error:
            why = "has no launch of this text" if answer is None else f"says {answer.error}"
            raise DriverError(Diagnostic("PTX-G0603", "fault", f"the recording {why}"))
        names = [name for name, _ in answer.case.arguments]
        for name, array in zip(answer.case.outputs, answer.outputs, strict=True):
            self.write(int.from_bytes(parameters[names.index(name)], "little"), array.tobytes())
