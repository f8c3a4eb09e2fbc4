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


def target_name(features: str | None) -> str:
    """What decides the code beside its text: llvmlite's version, the triple and the CPU features."""
    import llvmlite

    chosen = host_features() if features is None else features
    return f"llvmlite {llvmlite.__version__} {binding().get_process_triple()} {chosen}"


def _machine(features: str | None) -> Any:
    target = binding().Target.from_default_triple()
    chosen = host_features() if features is None else features
    return target.create_target_machine(cpu="", features=chosen, opt=1, jit=True)


def compile_object(text: str, features: str | None = None) -> bytes:
    """The object code of a module; features: LLVM's CPU features, None for the host's, "" for the plain target."""
    module = binding().parse_assembly(text)
    module.verify()
    machine = _machine(features)
    if "alwaysinline" in text:  # written by hand, with functions that only exist to be inlined
        _optimize(module, machine)
    return bytes(machine.emit_object(module))


def _optimize(module: Any, machine: Any) -> None:
    """LLVM's passes of level 2.  Handlers go without: their text has nothing that these would find."""
    llvm = binding()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)


class LoadedCode:
    """Object code in memory; it must be kept as long as its code may run."""

    def __init__(self, code: bytes, features: str | None = None) -> None:
        llvm = binding()
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(features))
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function begins."""
        found = int(self._engine.get_function_address(name))
        if not found:
            raise KeyError(name)
        return found
