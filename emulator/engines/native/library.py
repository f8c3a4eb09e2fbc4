"""Compiled handlers by key, shared by all programs of the process."""

from __future__ import annotations

import ctypes
import functools

from emulator.engines.native.compiler import CompiledModule, binding
from emulator.engines.native.handlers import HandlerKey, HandlerText, module_text
from emulator.engines.native.runtime import FUNCTIONS, runtime_text
from emulator.engines.native.text import NoNativeForm
from emulator.isa.registry import Variant

BATCH = 24
Wanted = dict[tuple[HandlerKey, str], Variant]


class Library:
    """Handlers that have been compiled; `find` compiles those that are missing.

    features: LLVM's CPU features, None for those of the host.
    """

    def __init__(self, features: str | None = None) -> None:
        self.features = features
        self._modules = [CompiledModule(runtime_text(), features)]
        self.runtime = {name: self._modules[0].address(name) for name in FUNCTIONS}
        for name, address in self.runtime.items():
            binding().add_symbol(name, address)
        form = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
        self.dispatch = form(self.runtime["dispatch"])
        self._handlers: dict[tuple[HandlerKey, str], int] = {}

    def compile(self, wanted: Wanted) -> None:
        """Compile what is missing; an instruction without a native form gets the way out to the reference."""
        functions: list[tuple[str, Variant, HandlerKey, str]] = []
        for (key, mode), variant in wanted.items():
            if (key, mode) in self._handlers:
                continue
            try:
                HandlerText(variant, key, mode).build("probe")
            except NoNativeForm:
                self._handlers[key, mode] = self.runtime["leave"]
                continue
            functions.append((f"h{len(functions)}", variant, key, mode))
        for start in range(0, len(functions), BATCH):
            part = functions[start : start + BATCH]
            module = CompiledModule(module_text(part), self.features)
            self._modules.append(module)
            for name, _, key, mode in part:
                self._handlers[key, mode] = module.address(name)

    def address(self, key: HandlerKey, mode: str) -> int:
        """Where a compiled handler begins."""
        return self._handlers[key, mode]

    def is_native(self, key: HandlerKey, mode: str) -> bool:
        """Whether a compiled handler does its work itself."""
        return self._handlers[key, mode] != self.runtime["leave"]


@functools.cache
def library(features: str | None = None) -> Library:
    """The library of the process for a target."""
    return Library(features)
