"""From a module and the registry to linked programs.

link.py          a kernel and what it reaches -> Program
decode.py        one instruction -> variant and places, or a pointed error
binding.py       one operand; calls.py the operands of call
scopes.py        names by block; registers.py rows; layout.py variables
flow.py          join points, call graph
module_check.py  whole modules; declarations.py, declaration_order.py, size_limits.py what one declares
"""

from emulator.program.instruction import FunctionInfo, Instruction, KernelParameter, Program
from emulator.program.link import link
from emulator.program.module_check import check_module, require_head

__all__ = ["FunctionInfo", "Instruction", "KernelParameter", "Program", "check_module", "link", "require_head"]
