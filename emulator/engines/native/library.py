"""Compiled handlers by key, shared by all programs of the process."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

from emulator.engines.native import cache
from emulator.engines.native.compiler import LoadedCode, binding, compile_object, target_name
from emulator.engines.native.handlers import HandlerKey, HandlerText
from emulator.engines.native.modules import module_text
from emulator.engines.native.runtime import FUNCTIONS, runtime_text
from emulator.engines.native.text import NoNativeForm
from emulator.isa.registry import Variant

Wanted = dict[tuple[HandlerKey, str], Variant]
Maker = Callable[[], tuple[list[str], str]]


class Library:
    """Handlers that have been compiled; `compile` adds those that are missing, from the disk if they are there.

    features: LLVM's CPU features, None for those of the host.
    """

    def __init__(self, features: str | None = None) -> None:
        self.features = features
        self._target = target_name(features)
        self._code: list[LoadedCode] = []
        self.runtime: dict[str, int] = {}
        key = cache.key_of(["runtime", self._target])
        runtime = self._load(key, len(FUNCTIONS), lambda: (list(FUNCTIONS), runtime_text()))
        self.runtime = dict(zip(FUNCTIONS, runtime, strict=True))
        word, address = ctypes.c_int64, ctypes.c_void_p
        self.run_turn = ctypes.CFUNCTYPE(word, address, address, word, word)(self.runtime["run_turn_of"])
        self.run_ready = ctypes.CFUNCTYPE(word, address)(self.runtime["run_ready_of"])
        self.place_all = ctypes.CFUNCTYPE(None, address, address)(self.runtime["place_all_of"])
        self._handlers: dict[tuple[HandlerKey, str], int] = {}

    def compile(self, wanted: Wanted) -> None:
        """Have all these handlers; an instruction without a native form gets the way out to the reference."""
        missing = {pair: variant for pair, variant in wanted.items() if pair not in self._handlers}
        if not missing:
            return
        key = cache.key_of([self._target, *(repr(pair) for pair in missing)])
        addresses = self._load(key, len(missing), lambda: _texts(missing, self.features))
        for pair, address in zip(missing, addresses, strict=True):
            self._handlers[pair] = address or self.runtime["leave"]

    def _load(self, key: str, count: int, make: Maker) -> list[int]:
        """The addresses of a batch of so many functions, 0 for a handler that has no native form."""
        entry = cache.load(key)
        if entry is None:
            with cache.told(count):
                names, text = make()
                entry = cache.Entry(names, compile_object(text, self.features))
                cache.store(key, entry)
        for name, address in self.runtime.items():  # the names are the process's: another library may have had them
            binding().add_symbol(name, address)
        code = LoadedCode(entry.code, self.features)
        self._code.append(code)
        return [code.address(name) if name else 0 for name in entry.names]

    def address(self, key: HandlerKey, mode: str) -> int:
        """Where a compiled handler begins."""
        return self._handlers[key, mode]

    def is_native(self, key: HandlerKey, mode: str) -> bool:
        """Whether a compiled handler does its work itself."""
        return self._handlers[key, mode] != self.runtime["leave"]


def _texts(missing: Wanted, features: str | None) -> tuple[list[str], str]:
    """(function names, "" where there is no native form; the module's text)."""
    names, functions = [], []
    for number, ((key, mode), variant) in enumerate(missing.items()):
        try:
            HandlerText(variant, key, mode).build("probe")
        except NoNativeForm:
            names.append("")
            continue
        names.append(f"h{number}")
        functions.append((names[-1], variant, key, mode))
    return names, module_text(functions, features)


@functools.cache
def library(features: str | None = None) -> Library:
    """The library of the process for a target."""
    return Library(features)
