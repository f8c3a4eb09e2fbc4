"""LLVM text to machine code, through llvmlite."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def binding() -> Any:
    """llvmlite's LLVM, set up for this machine."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@functools.cache
def host_features() -> str:
    """The features of this CPU in LLVM's notation."""
    return str(binding().get_host_cpu_features().flatten())


class CompiledModule:
    """Machine code of one module; it must be kept as long as its code may run.

    features: LLVM's CPU features, "" for the plain target.
    """

    def __init__(self, text: str, features: str | None = None) -> None:
        llvm = binding()
        chosen = host_features() if features is None else features
        target = llvm.Target.from_default_triple()
        cpu = "" if features is not None else llvm.get_host_cpu_name()
        machine = target.create_target_machine(cpu=cpu, features=chosen, opt=1, jit=True)
        module = llvm.parse_assembly(text)
        module.verify()
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function begins."""
        found = int(self._engine.get_function_address(name))
        if not found:
            raise KeyError(name)
        return found
