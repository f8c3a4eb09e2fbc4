"""The system of emulated devices: what `Device(i)` is a part of."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import index
from typing import TYPE_CHECKING, Any

from emulator.engines.interrupts import interruptions_later
from emulator.engines.reference.engine import Step
from emulator.engines.run import Limits, Runner
from emulator.engines.schedule import schedule_of
from emulator.engines.snapshots import Snapshot
from emulator.errors import Diagnostic, KernelFault, UsageError
from emulator.machine.device import DeviceState
from emulator.machine.memory import DEFAULT_LIMIT, AddressSpace
from emulator.observer import Observer
from emulator.program.module_check import KNOWN_TARGETS

if TYPE_CHECKING:
    import numpy.typing as npt

    from emulator.api.device import Device
    from emulator.api.multicast import Multicast

DEFAULT_ARCH = "sm_90a"
DEFAULT_SMS = 132
ENGINES = ("native", "reference")
CONTRACTS = ("ptx", "ptxas")
REGISTERS = ("virtual", "compact")
MOST_JOBS = 256
MOST_DEVICES = 1024
MOST_SMS = 1024
MOST_COUNT = 1 << 62  # of instructions and bytes
AFTER_A_FAULT = "This is the fault of before: the system refuses work until reset(), the default one until configure()."
ENGINE_VARIABLE = "PTXEMU_ENGINE"  # the engine of systems that name none


def default_engine() -> str:
    """The engine of systems that name none: $PTXEMU_ENGINE, or native where it has been verified and llvmlite is."""
    return os.environ.get(ENGINE_VARIABLE) or ("reference" if why_not_native() else "native")


def why_not_native() -> str:
    """Why systems of this machine that name no engine do not run machine code, and what to do; "" if they do."""
    if not importlib.util.find_spec("llvmlite"):
        return "llvmlite is not installed; pip install llvmlite makes it a thousand times faster"
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"--engine native has not been verified on {platform.system()} on {platform.machine()}; try it"
    return ""


def require_engine(name: str) -> None:
    """Raise UsageError unless there is an engine of a name and it works here."""
    if name not in ENGINES:
        text, fix = f"no engine is called {name!r}", f"there is {' and '.join(ENGINES)}"
    elif name == "native" and not importlib.util.find_spec("llvmlite"):
        text, fix = "the native engine needs llvmlite, which is not installed", "pip install llvmlite"
    else:
        return
    where = (("from", f"${ENGINE_VARIABLE}"),) if os.environ.get(ENGINE_VARIABLE) == name else ()
    raise UsageError(Diagnostic("PTX-L0108", "usage", text, facts=where, help=fix))


class System:
    """Emulated devices with one memory and one scheduler; a context manager.

    devices, sms, arch: how many GPUs, SMs of each, their architecture.  engine: "native", "reference", or None
    for the first of them that this machine has.  schedule: "round_robin", "round_robin:QUANTUM", "random",
    "random:SEED".  contract: "ptx" rounds every mul and add, "ptxas" fuses those that ptxas fuses where neither
    names a rounding.  registers: "virtual" gives every register of the text a row of its own, so that
    `Warp.read` finds it at any time; "compact" one to those that are alive, for speed; None chooses compact on the
    native engine unless there are observers.  jobs: threads that run CTAs of a launch at once; with more than one
    their order differs from run to run, and one thread runs what needs an order (docs/engine.md).  memory: limit of
    all allocations in bytes.  max_instructions: a limit for the whole run.  hang_after: instructions of every runnable
    warp without progress that are a hang; None for a hang that is proved (engines/hang_watch.py).  output: where
    vprintf writes (sys.stdout).  observers: see observer.py.

    After a kernel fault the system refuses further work, as a CUDA context does, until `reset()`.

    Threads may share a system: one of them runs kernels at a time, the others wait (`lock`).  What observers and
    `output` call may launch, but not wait for kernels, since these run.
    """

    def __init__(
        self,
        devices: int = 1,
        sms: int = DEFAULT_SMS,
        arch: str = DEFAULT_ARCH,
        engine: str | None = None,
        schedule: str = "round_robin",
        seed: int = 0,
        contract: str = "ptx",
        *,
        registers: str | None = None,
        jobs: int = 1,
        memory: int = DEFAULT_LIMIT,
        max_instructions: int | None = None,
        hang_after: int | None = None,
        output: Callable[[str], object] | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        for name, value, least, most in (
            ("devices", devices, 1, MOST_DEVICES),
            ("sms", sms, 1, MOST_SMS),
            ("jobs", jobs, 1, MOST_JOBS),
            ("memory", memory, 0, MOST_COUNT),
            ("max_instructions", 1 if max_instructions is None else max_instructions, 1, MOST_COUNT),
            ("hang_after", 1 if hang_after is None else hang_after, 1, MOST_COUNT),
        ):
            if not least <= index(value) <= most:
                raise ValueError(f"{name} {value}: it is {least:,} to {most:,}")
        if not (output is None or callable(output)):
            raise TypeError(f"output {output!r} is no function of a text")
        engine = engine or default_engine()
        require_engine(engine)
        if arch not in KNOWN_TARGETS:
            raise ValueError(f"unknown architecture {arch!r}")
        if contract not in CONTRACTS:
            raise ValueError(f"contract {contract!r}: there is {', '.join(CONTRACTS)}")
        if registers not in (*REGISTERS, None):
            raise ValueError(f"registers {registers!r}: there is {', '.join(REGISTERS)}")
        self.contract = contract
        self._options: dict[str, Any] = {
            "devices": devices,
            "sms": sms,
            "arch": arch,
            "engine": engine,
            "schedule": schedule,
            "seed": seed,
            "memory": memory,
            "limits": Limits(max_instructions, hang_after),
            "output": output,
            "jobs": jobs,
        }
        self._observers = list(observers)
        self.registers = registers or ("compact" if engine == "native" and not self._observers else "virtual")
        self.fault: KernelFault | None = None
        self.lock = threading.RLock()  # of everything that changes the system
        self._is_running = False
        self.reset()

    @contextmanager
    def _alone(self, *, running: bool = True) -> Iterator[None]:
        """No other thread does anything with the system; RuntimeError if this one runs it already."""
        with self.lock:
            if self._is_running:
                raise RuntimeError("kernels are running: an observer or `output` cannot wait for them, or reset them")
            self._is_running = running
            try:
                yield
            finally:
                self._is_running = False

    def reset(self) -> None:
        """Forget everything: memory, launches, faults; buffers of before are gone."""
        with self._alone(running=False):
            self._begin()

    def _begin(self) -> None:
        options = self._options
        states = [DeviceState(n, options["sms"], options["arch"]) for n in range(options["devices"])]
        memory = AddressSpace(options["devices"], options["memory"])
        schedule = schedule_of(options["schedule"], options["seed"])
        self.runner = Runner(
            states, memory, schedule, options["limits"], options["output"], options["engine"], options["jobs"]
        )
        for observer in self._observers:
            self.runner.add_observer(observer)
        self.fault = None
        self.loaded: dict[tuple[int, int], dict[str, int]] = {}
        self._buffers = 0

    @property
    def arch(self) -> str:
        return str(self._options["arch"])

    @property
    def threads(self) -> str:
        """What became of `jobs` in a sentence: how many threads, or why it was only one."""
        runner = self.runner
        if not runner.threaded:
            return f"one thread: {runner.one_thread or 'there is too little to do'}"
        exception = f"; one at times: {runner.one_thread}" if runner.one_thread else ""
        return f"{runner.jobs} threads: the order of CTAs differs from run to run{exception}"

    def device(self, index: int = 0) -> Device:
        """One of the devices."""
        from emulator.api.device import Device

        return Device(index, backend="emulator", system=self)

    def multicast(
        self,
        shape: int | tuple[int, ...],
        dtype: npt.DTypeLike = "float32",
        devices: Sequence[int] | None = None,
        *,
        name: str | None = None,
    ) -> Multicast:
        """An array of zeros on each of some devices (all, if not said), with one multimem address for them.

        It is a kernel argument for multimem instructions; see Multicast.
        """
        from emulator.api.multicast import make

        return make(self, shape, dtype, devices, name)

    def next_buffer_name(self, kind: str = "buffer") -> str:
        """Names buffers and multicasts that were given none."""
        self._buffers += 1
        return f"{kind} {self._buffers}"

    def require_healthy(self) -> None:
        """Raise the fault that ended this system's work, if there was one."""
        if self.fault is not None:
            if not hasattr(self.fault, "__notes__"):
                self.fault.add_note(AFTER_A_FAULT)
            raise self.fault

    def run_until(self, condition: Callable[[], bool] | None = None, *, every_turn: bool = True) -> None:
        """Run all launches together until a condition holds or nothing is left.

        The condition is looked at after every turn of a warp, or only when a launch ends and a few times a second.
        """
        with self._alone():
            self.require_healthy()
            try:
                self.runner.run(condition, every_turn=every_turn)
                self.runner.events.flush()
            except KernelFault as fault:
                self.fault = fault
                raise

    def sync(self) -> None:
        """Run everything that was launched on any device to its end; kernel faults are raised here."""
        self.run_until()

    def step(self) -> Step | None:
        """Execute one warp instruction of whichever warp is next; None when nothing is left."""
        with self._alone():
            self.require_healthy()
            try:
                with interruptions_later(lambda: None):
                    return self.runner.step()
            except KernelFault as fault:
                self.fault = fault
                raise

    def snapshot(self) -> Snapshot:
        """This moment of the run."""
        with self._alone():
            return replace(self.runner.snapshot(), symbols=_copied(self.loaded))

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a moment of this run; a fault of later is forgotten."""
        with self._alone():
            self.runner.restore(snapshot)
            self.loaded = _copied(snapshot.symbols)
            self.fault = None

    def __enter__(self) -> System:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None and self.fault is None:
            self.sync()


def _copied(loaded: dict[tuple[int, int], dict[str, int]]) -> dict[tuple[int, int], dict[str, int]]:
    return {key: dict(symbols) for key, symbols in loaded.items()}


_default: System | None = None
_default_lock = threading.Lock()


def default_system() -> System:
    """The system of `Device(i)`, made when it is first asked for."""
    global _default
    with _default_lock:
        if _default is None:
            _default = System()
        return _default


def configure(**options: Any) -> System:
    """Replace the default system; options as of System; RuntimeError while launches are pending."""
    global _default
    if _default is not None and _default.runner.busy and _default.fault is None:
        raise RuntimeError("the default system has launches that have not ended: call sync() first")
    _default = System(**options)
    return _default
