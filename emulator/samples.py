"""Samples: .ptx files that say in `//!` lines how to run them and what must come out. Every one is a test.

//! title:     Sum of a warp by butterfly shuffles
//! launch:    warp_sum<<<1, 32>>>(in, out)      kernel<<<grid, block[, shmem]>>>(names or numbers)
//! in:        u32[32] = arange                  an argument and its value (SPEC of emulator/arguments.py)
//! out:       u32[32] == 496                    zero before; this after. Both: u32[32] = ones == 496
//! reference: reference.py:expected             a function: inputs by name -> expected outputs by name
//! tolerance: out rtol=1e-6 atol=0              without it an output is equal bit by bit
//! prints:    "Hello from lane 0"               the lines of vprintf, in order, one directive each
//! devices:   4                                 the kernel is launched on each of so many devices
//! fails:     out  31 of 32 differ              a bug was planted: how that output's line begins, or a fault's code

With `devices` the first axis of every array counts them: each device gets its own row.  Among the launch's arguments
`device` is then the device's number, and `multicast x` the multimem address of all rows of x.
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from emulator.arguments import Spec, parse_spec
from emulator.errors import Diagnostic, Label, Source, Span, UsageError

if TYPE_CHECKING:
    from emulator import Buffer, Multicast, System

Array = NDArray[Any]
_DIRECTIVE = re.compile(r"^//![ \t]*(?:(?P<key>[\w$]+)[ \t]*:[ \t]*)?(?P<text>.*?)[ \t]*$", re.MULTILINE)
_LAUNCH = re.compile(r"(?P<kernel>[\w$]+)\s*<<<(?P<config>[^<>]*)>>>\s*\((?P<arguments>[^()]*)\)")
_CONFIG = re.compile(r"\s*(?:\((?P<tuple>[^()]*)\)|(?P<number>[^,()]+))\s*(?:,|$)")
_TOLERANCE = re.compile(r"(?P<name>[\w$]+)\s+rtol=(?P<rtol>\S+)\s+atol=(?P<atol>\S+)")
_HELP = {
    "launch": "such as kernel<<<4, 128>>>(x, y, 7) or kernel<<<(2, 2), (16, 16), 1024>>>(x)",
    "tolerance": "such as out rtol=1e-6 atol=0",
    "prints": 'the line between double quotes, such as "Hello from lane 0"',
    "reference": "such as reference.py:expected",
    "devices": "a number, such as 4",
    "fails": "such as out  31 of 32 differ, or PTX-M0101",
}
_MULTICAST = "multicast "


@dataclass(frozen=True)
class Launch:
    """The launch of a sample; arguments are names of its arrays and scalars, numbers, or words of several devices."""

    kernel: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shmem_size: int
    arguments: tuple[str | int | float, ...]


@dataclass(frozen=True)
class Tolerance:
    """|got - expected| <= atol + rtol * |expected|."""

    rtol: float
    atol: float


@dataclass(frozen=True)
class Sample:
    """A .ptx file with its `//!` lines read. name is its path in ptx_samples, without the extension."""

    name: str
    title: str
    path: Traversable
    folder: Traversable
    launch: Launch
    arguments: dict[str, Spec] = field(default_factory=dict)
    expectations: dict[str, Spec] = field(default_factory=dict)
    reference: str = ""
    tolerances: dict[str, Tolerance] = field(default_factory=dict)
    prints: tuple[str, ...] = ()
    devices: int | None = None
    fails: str = ""

    @property
    def device_count(self) -> int:
        """How many devices a system needs to run it."""
        return self.devices or 1

    def inputs(self, seed: int = 0) -> dict[str, Any]:
        """The arguments by name, as they are before the launch; the seed is that of `random`."""
        return {name: spec.value(seed, name, self.folder) for name, spec in self.arguments.items()}

    def expected(self, inputs: dict[str, Any], seed: int = 0) -> dict[str, Array]:
        """What must stand in the outputs after the launch, by name."""
        expected = {name: spec.value(seed, name, self.folder) for name, spec in self.expectations.items()}
        if self.reference:
            copies = {name: np.copy(value) if np.ndim(value) else value for name, value in inputs.items()}
            expected |= self._reference()(copies)
        return expected

    def _reference(self) -> Callable[[dict[str, Any]], dict[str, Array]]:
        file, _, function = self.reference.partition(":")
        path = self.folder.joinpath(file)
        namespace: dict[str, Any] = {"__name__": file.removesuffix(".py")}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
        loaded: Callable[[dict[str, Any]], dict[str, Array]] = namespace[function]
        return loaded


@dataclass(frozen=True)
class Comparison:
    """An output beside what was expected; text says it in numbers."""

    name: str
    equal: bool
    text: str


@dataclass(frozen=True)
class SampleResult:
    """What a run of a sample gave."""

    sample: Sample
    outputs: dict[str, Array]
    printed: tuple[str, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def ok(self) -> bool:
        """Whether everything came out as expected."""
        return all(comparison.equal for comparison in self.comparisons)

    def lines(self) -> list[str]:
        """One line an output."""
        width = max(len(comparison.name) for comparison in self.comparisons)
        return [f"{comparison.name:{width}}  {comparison.text}" for comparison in self.comparisons]


def names() -> list[str]:
    """The names of all samples, sorted; ptx_samples/README.md has the order of the course."""
    return sorted(_names(resources.files("ptx_samples"), ""))


def _names(folder: Traversable, prefix: str) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _names(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".ptx"):
            yield prefix + entry.name.removesuffix(".ptx")


def find(name: str) -> Sample:
    """The sample of a name: `04_warp/warp_sum`, or `warp_sum` where only one sample ends so. Raises UsageError."""
    known = names()
    found = [one for one in known if one == name] or [one for one in known if one.split("/")[-1] == name]
    if len(found) != 1:
        near = found or difflib.get_close_matches(name, [*known, *(one.split("/")[-1] for one in known)])
        message = f"several samples are called {name!r}" if found else f"no sample is called {name!r}"
        help = f"did you mean {' or '.join(near)}?" if near else "`ptxemu samples` lists them"
        raise UsageError(Diagnostic("PTX-L0107", "usage", message, help=help))
    folder = resources.files("ptx_samples")
    *folders, stem = found[0].split("/")
    for part in folders:
        folder = folder.joinpath(part)
    return read(folder.joinpath(f"{stem}.ptx"), folder, found[0])


def read(path: Traversable, folder: Traversable, name: str) -> Sample:
    """The sample in a .ptx file; references and @files are looked for in its folder. Raises UsageError."""
    return _Reader(path, folder, name).sample()


def has_directives(text: str) -> bool:
    """Whether a PTX text says how to run it."""
    return re.search(r"^//![ \t]*launch[ \t]*:", text, re.MULTILINE) is not None


class _Reader:
    """Reads the directives of one text; every error points at its line."""

    def __init__(self, path: Traversable, folder: Traversable, name: str) -> None:
        self.path, self.folder, self.name = path, folder, name
        self.source = Source(path.read_text(encoding="utf-8"), path.name)
        self.once: dict[str, re.Match[str]] = {}
        self.arguments: dict[str, Spec] = {}
        self.expectations: dict[str, Spec] = {}
        self.tolerances: dict[str, Tolerance] = {}
        self.prints: list[str] = []

    def sample(self) -> Sample:
        """Everything, checked for what does not fit together."""
        for match in _DIRECTIVE.finditer(self.source.text):
            self._directive(match)
        for key in ("title", "launch"):
            if key not in self.once:
                self._refuse(f"no //! line gives the {key}", None, _HELP.get(key, "what the sample shows, in a line"))
        launch = self._launch(self.once["launch"])
        used = {str(item).removeprefix(_MULTICAST) for item in launch.arguments}
        unused = [name for name in self.arguments if name not in used]
        if unused:
            self._refuse(f"the launch does not use {', '.join(unused)}", self.once["launch"])
        if not (self.expectations or "reference" in self.once or self.prints):
            self._refuse("nothing is expected of this sample", None, "give an output ==, a reference or prints")
        reference = self.once["reference"]["text"] if "reference" in self.once else ""
        if "reference" in self.once and not re.fullmatch(r"[\w.]+\.py:\w+", reference):
            self._refuse("this is not FILE.py:FUNCTION", self.once["reference"])
        return Sample(
            self.name,
            self.once["title"]["text"],
            self.path,
            self.folder,
            launch,
            self.arguments,
            self.expectations,
            reference,
            self.tolerances,
            tuple(self.prints),
            self._devices(),
            self.once["fails"]["text"] if "fails" in self.once else "",
        )

    def _devices(self) -> int | None:
        """The number of devices, where one is given, of which every array has a row each."""
        match = self.once.get("devices")
        if match is None:
            return None
        if not re.fullmatch(r"[1-9]\d*", match["text"]):
            self._refuse(f"{match['text']!r} is no number of devices", match)
        count = int(match["text"])
        for name, spec in self.arguments.items():
            if spec.shape is not None and spec.shape[:1] != (count,):
                self._refuse(
                    f"{name} has no row for each of {count} devices", match, f"{name}: {spec.type}[{count}, ...]"
                )
        return count

    def _directive(self, match: re.Match[str]) -> None:
        key, text = match["key"], match["text"]
        if key is None:
            self._refuse("this is not //! KEY: TEXT", match)
        elif key == "prints":
            if len(text) < 2 or text[0] != '"' or text[-1] != '"':
                self._refuse("the printed line is not quoted", match)
            self.prints.append(text[1:-1])
        elif key == "tolerance":
            self._tolerance(match)
        elif key in self.once or key in self.arguments:
            self._refuse(f"{key} is given twice", match)
        elif key in ("title", "launch", "reference", "devices", "fails"):
            self.once[key] = match
        else:
            self._argument(key, text)

    def _argument(self, name: str, text: str) -> None:
        """NAME: TYPE[SHAPE] [= FILL] [== FILL]."""
        where = f"{self.path.name}: {name}"
        before, equals, after = text.partition("==")
        self.arguments[name] = spec = parse_spec(before, where)
        if equals:
            kind = before.partition("=")[0].strip()
            self.expectations[name] = parse_spec(f"{kind} = {after.strip()}", where)
        if equals and spec.shape is None:
            self._refuse(f"{name} is a scalar: a kernel cannot change it", self.once.get("launch"))

    def _tolerance(self, match: re.Match[str]) -> None:
        parts = _TOLERANCE.fullmatch(match["text"])
        try:
            if parts is None:
                raise ValueError
            self.tolerances[parts["name"]] = Tolerance(float(parts["rtol"]), float(parts["atol"]))
        except ValueError:
            self._refuse("this is not NAME rtol=NUMBER atol=NUMBER", match)

    def _launch(self, match: re.Match[str]) -> Launch:
        parts = _LAUNCH.fullmatch(match["text"])
        if parts is None:
            self._refuse("this is not KERNEL<<<GRID, BLOCK>>>(ARGUMENTS)", match)
        try:
            config = [
                tuple(int(size) for size in (item["tuple"] or item["number"]).split(","))
                for item in _CONFIG.finditer(parts["config"])
            ]
        except ValueError:
            config = []
        if len(config) not in (2, 3) or (len(config) == 3 and len(config[2]) != 1):
            self._refuse("between <<< and >>> stand grid, block and perhaps the bytes of shared memory", match)
        texts = [text.strip() for text in parts["arguments"].split(",")] if parts["arguments"].strip() else []
        shmem_size = config[2][0] if len(config) == 3 else 0
        arguments = tuple(self._launch_argument(text, match) for text in texts)
        return Launch(parts["kernel"], config[0], config[1], shmem_size, arguments)

    def _launch_argument(self, text: str, match: re.Match[str]) -> str | int | float:
        array = self.arguments.get(text.removeprefix(_MULTICAST))
        if text in self.arguments or ("devices" in self.once and (text == "device" or (array and array.shape))):
            return text
        for number in (lambda: int(text, 0), lambda: float(text)):
            try:
                return number()
            except ValueError:
                continue
        return self._refuse(
            f"{text!r} is neither a number nor an argument with a //! line", match, f"//! {text}: f32[32]"
        )

    def _refuse(self, message: str, match: re.Match[str] | None, help: str = "") -> NoReturn:
        labels = (Label(Span(match.start("text"), match.end("text"))),) if match else ()
        key = match["key"] if match else ""
        help = help or _HELP.get(key, "")
        raise UsageError(Diagnostic("PTX-L0107", "usage", message, self.source, labels, help=help))


@dataclass(frozen=True)
class StartedSample:
    """A sample that has been launched: its inputs, and where they lie."""

    sample: Sample
    seed: int
    inputs: dict[str, Any]
    placed: PlacedArguments

    def result(self, printed: str) -> SampleResult:
        """What has come out; waits for the end of the run."""
        sample, outputs = self.sample, self.placed.outputs()
        comparisons = [
            compare(name, outputs[name], expected, sample.tolerances.get(name))
            for name, expected in sample.expected(self.inputs, self.seed).items()
        ]
        lines = tuple(printed.splitlines())
        if sample.prints or lines:
            comparisons.append(compare_lines(lines, sample.prints))
        return SampleResult(sample, outputs, lines, tuple(comparisons))


def start_sample(sample: Sample, system: System, seed: int = 0) -> StartedSample:
    """Launch a sample on device 0, or on as many as its `devices` say; it runs when something waits."""
    from emulator import LaunchConfig, ObjectCode, launch  # listing the samples needs no engine

    inputs = sample.inputs(seed)
    with resources.as_file(sample.path) as path:
        kernel = ObjectCode.from_ptx(path, name=path.name).get_kernel(sample.launch.kernel)
    config = LaunchConfig(grid=sample.launch.grid, block=sample.launch.block, shmem_size=sample.launch.shmem_size)
    placed = PlacedArguments(sample, inputs, system)
    for number in range(sample.device_count):
        arguments = [placed.argument(item, number) for item in sample.launch.arguments]
        launch(system.device(number).default_stream, config, kernel, *arguments)
    return StartedSample(sample, seed, inputs, placed)


def run_sample(sample: Sample, system: System, seed: int = 0, wait: Callable[[], None] | None = None) -> SampleResult:
    """Run a sample on a system and compare its outputs and what it printed. Raises kernel faults.

    wait: called to run what was launched, instead of `system.sync`.
    """
    started = start_sample(sample, system, seed)
    with _output_of(system) as printed:
        (wait or system.sync)()
    return started.result(printed.getvalue())


class PlacedArguments:
    """A sample's arguments on the devices of a system: arrays by name, one buffer a device; multicasts; scalars."""

    def __init__(self, sample: Sample, inputs: dict[str, Any], system: System) -> None:
        self.is_spread = sample.devices is not None
        self.buffers: dict[str, Sequence[Buffer]] = {}
        self.multicasts: dict[str, Multicast] = {}
        self.scalars = {name: value for name, value in inputs.items() if not np.ndim(value)}
        devices = [system.device(number) for number in range(sample.device_count)]
        for name in (name for name in inputs if name not in self.scalars):
            rows = inputs[name] if self.is_spread else inputs[name][None]
            if _MULTICAST + name in sample.launch.arguments:
                self.multicasts[name] = made = system.multicast(
                    rows.shape[1:], rows.dtype, range(len(devices)), name=name
                )
                self.buffers[name] = made.buffers
                for buffer, row in zip(made.buffers, rows, strict=True):
                    buffer.write(row)
            else:
                self.buffers[name] = [d.array(row, name=name) for d, row in zip(devices, rows, strict=True)]

    def argument(self, item: str | int | float, device: int) -> Any:
        """What a device's launch is given for an argument."""
        if not isinstance(item, str):
            return item
        if item.startswith(_MULTICAST):
            return self.multicasts[item.removeprefix(_MULTICAST)]
        if item in self.buffers:
            return self.buffers[item][device]
        return self.scalars.get(item, device)

    def outputs(self) -> dict[str, Array]:
        """All arrays, with the axis of the devices where they have one."""
        rows = {name: np.stack([buffer.numpy() for buffer in row]) for name, row in self.buffers.items()}
        return rows if self.is_spread else {name: row[0] for name, row in rows.items()}


@contextmanager
def _output_of(system: System) -> Iterator[io.StringIO]:
    """What kernels print, caught instead of written where the system would write it."""
    caught, output = io.StringIO(), system.runner.output
    system.runner.output = caught.write
    try:
        yield caught
    finally:
        system.runner.output = output


def compare(name: str, got: Array, expected: Array, tolerance: Tolerance | None = None) -> Comparison:
    """Bit by bit, or within a tolerance; a NaN within a tolerance matches any NaN."""
    if got.shape != expected.shape or got.dtype != expected.dtype:
        there, wanted = (f"{array.dtype}{list(array.shape)}" for array in (got, expected))
        return Comparison(name, False, f"is {there}, expected {wanted}")
    got, expected = np.ascontiguousarray(got), np.ascontiguousarray(expected)
    bits, expected_bits = (array.view(f"u{array.itemsize}") for array in (got, expected))
    differ = bits != expected_bits
    how = f"{got.size} values equal, bit by bit"
    if tolerance is not None:
        x, y = got.astype(np.float64), expected.astype(np.float64)
        differ = ~np.isclose(x, y, rtol=tolerance.rtol, atol=tolerance.atol, equal_nan=True)
        finite = np.isfinite(x) & np.isfinite(y)
        error = np.max(np.abs(x[finite] - y[finite]), initial=0.0)
        how = f"{got.size} values within rtol={tolerance.rtol:g} atol={tolerance.atol:g}, largest error {error:.2g}"
    if not differ.any():
        return Comparison(name, True, how)
    first = tuple(int(part) for part in np.argwhere(differ)[0])
    digits = 2 * got.itemsize
    values = [
        f"{array[first]!s} (0x{int(raw[first]):0{digits}x})" for array, raw in ((got, bits), (expected, expected_bits))
    ]
    text = f"{int(differ.sum())} of {got.size} differ; first {list(first)}: {values[0]}, expected {values[1]}"
    return Comparison(name, False, text)


def compare_lines(got: tuple[str, ...], expected: tuple[str, ...]) -> Comparison:
    """The printed lines, in order."""
    if got == expected:
        return Comparison("prints", True, f"printed lines: {len(got)}, as expected")
    for number, (line, wanted) in enumerate(zip(got, expected, strict=False), 1):
        if line != wanted:
            return Comparison("prints", False, f"line {number} is {line!r}, expected {wanted!r}")
    return Comparison("prints", False, f"printed lines: {len(got)}, expected {len(expected)}")
