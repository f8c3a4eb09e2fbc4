"""Compiled handlers by key, shared by all programs of the process."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections import Counter
from collections.abc import Callable

from emulator.engines.native import cache
from emulator.engines.native.compiler import LoadedCode, binding, compile_object, target_name
from emulator.engines.native.fused import RunKey, Variants
from emulator.engines.native.handlers import HandlerKey, HandlerText
from emulator.engines.native.modules import is_short, module_text, run_module_text
from emulator.engines.native.runtime import FUNCTIONS, runtime_text
from emulator.engines.native.text import NoNativeForm
from emulator.isa.registry import Variant

Wanted = dict[tuple[HandlerKey, str], Variant]
WantedRuns = dict[RunKey, Variants]
Maker = Callable[[], tuple[list[str], str]]
_compiling = threading.RLock()  # held by the thread that adds code to the process: LLVM's names are the process's


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
        with _compiling:
            runtime = self._load(key, len(FUNCTIONS), lambda: (list(FUNCTIONS), runtime_text()))
        self.runtime = dict(zip(FUNCTIONS, runtime, strict=True))
        word, address = ctypes.c_int64, ctypes.c_void_p
        self.run_turn = ctypes.CFUNCTYPE(word, address, address, word, word)(self.runtime["run_turn_of"])
        self.run_ready = ctypes.CFUNCTYPE(word, address)(self.runtime["run_ready_of"])
        self.place_all = ctypes.CFUNCTYPE(None, address, address)(self.runtime["place_all_of"])
        self._handlers: dict[tuple[HandlerKey, str], int] = {}
        self._runs: dict[RunKey, int] = {}
        self.executed: Counter[str] = Counter()  # warp instructions by what `name_of_runs` calls a program's runs
        self._short: dict[tuple[HandlerKey, str], bool] = {}

    def compile(self, wanted: Wanted) -> None:
        """Have all these handlers; an instruction without a native form gets the way out to the reference."""
        with _compiling:
            missing = {pair: variant for pair, variant in wanted.items() if pair not in self._handlers}
            if not missing:
                return
            key = cache.key_of([self._target, *(repr(pair) for pair in missing)])
            addresses = self._load(key, len(missing), lambda: _texts(missing, self.features))
            for pair, address in zip(missing, addresses, strict=True):
                self._handlers[pair] = address or self.runtime["leave"]

    def can_be_part(self, key: HandlerKey, mode: str, variant: Variant) -> bool:
        """Whether a run can have the code of an instruction."""
        if not self.is_native(key, mode):
            return False
        if (key, mode) not in self._short:
            self._short[key, mode] = is_short(variant, key, mode)
        return self._short[key, mode]

    def has_runs(self, wanted: WantedRuns) -> bool:
        """Whether these runs need not be compiled."""
        missing = self._missing_runs(wanted)
        return not missing or cache.load(self.name_of_runs(missing)) is not None

    def compile_runs(self, wanted: WantedRuns) -> None:
        """Have all these runs."""
        with _compiling:
            missing = self._missing_runs(wanted)
            if missing:
                key = self.name_of_runs(missing)
                addresses = self._load(key, len(missing), lambda: run_module_text(list(missing.items()), self.features))
                self._runs.update(zip(missing, addresses, strict=True))

    def _missing_runs(self, wanted: WantedRuns) -> WantedRuns:
        return {run: variants for run, variants in wanted.items() if run not in self._runs}

    def name_of_runs(self, runs: WantedRuns) -> str:
        """What the cache calls these runs."""
        return cache.key_of(["runs", self._target, *map(repr, runs)])

    def run_address(self, key: RunKey) -> int:
        """Where a compiled run begins; 0 for one that cannot be compiled."""
        return self._runs[key]

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


def library(features: str | None = None) -> Library:
    """The library of the process for a target."""
    with _compiling:
        return _library(features)


@functools.cache
def _library(features: str | None) -> Library:
    return Library(features)
