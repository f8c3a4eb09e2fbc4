"""What a machine answered, kept in files: recorded once on hardware, verified everywhere.

A file holds one group of cases, xz-compressed: a line that names the format, the SHA-256 of what follows it, a JSON
header, and the bytes of texts and outputs.  Each case has its PTX text whole, the sources of its inputs with their
SHA-256, and the bits of its outputs; large arrays of words as second differences, which is what smooth tables compress
to.  A case that failed on the machine is kept with the name of its error.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from emulator.crosscheck.backend import HARDWARE, Backend, EmulatorBackend, Identity
from emulator.crosscheck.case import Case, spread
from emulator.crosscheck.compare import Compared, compare
from emulator.crosscheck.job import Array, Tolerance, run
from emulator.errors import Diagnostic, DriverError, KernelFault, PtxError, Source, UsageError

MAGIC = b"ptxemu recording 1\n"
SUFFIX = ".ptxr"
MOST_BYTES = 15 << 20  # of one file
SMOOTH = 1 << 16  # words from which on an array is kept as differences
REFERENCE_ROWS = 4096  # of a case, at most
EQUAL, DIFFERENT, NOT_YET, REFUSED = "equal", "different", "not executed yet", "refused there too"


@dataclass(frozen=True)
class Answer:
    """A case with what the machine answered: outputs in the order of the case's, or the error's name."""

    case: Case
    inputs: str
    outputs: tuple[Array, ...]
    error: str = ""


@dataclass(frozen=True)
class Recording:
    """A file's contents.  date: of the recording, as YYYY-MM-DD.  counters: the profiler's, by case and metric."""

    group: str
    identity: Identity
    date: str
    answers: tuple[Answer, ...]
    counters: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verified:
    """One case on one engine.  results: elements compared."""

    case: Case
    engine: str
    state: str
    results: int = 0
    differ: int = 0
    compared: tuple[Compared, ...] = ()
    why: str = ""


# --- recording -----------------------------------------------------------------------------------------


def ask(backend: Backend, case: Case) -> Answer:
    """Run a case on a machine and keep its answer."""
    job = case.job()
    inputs = job.inputs_hash()
    try:
        found, _ = run(backend, job)
    except (DriverError, KernelFault, PtxError) as error:
        facts = dict(error.diagnostics[0].facts)
        return Answer(case, inputs, (), facts.get("error") or error.diagnostics[0].message.splitlines()[0])
    by_name = {memory.name: array for memory, array in zip(job.buffers, found, strict=True)}
    return Answer(case, inputs, tuple(by_name[name] for name in case.outputs))


def record(backend: Backend, group: str, cases: Iterable[Case], date: str) -> Recording:
    """Ask a machine about all cases of a group."""
    return Recording(group, backend.identity, date, tuple(ask(backend, case) for case in cases))


# --- files ---------------------------------------------------------------------------------------------


def encode(recording: Recording) -> bytes:
    """A recording as the bytes of a file."""
    blob = bytearray()
    items = []
    for answer in recording.answers:
        case = asdict(answer.case)
        text = case.pop("ptx").encode()
        outputs: list[dict[str, Any]] = []
        item = {
            "case": case,
            "inputs": answer.inputs,
            "error": answer.error,
            "text": _put(blob, text),
            "outputs": outputs,
        }
        for array in answer.outputs:
            packed, how = _pack(array)
            where = _put(blob, packed)
            outputs.append({"at": where, "how": how, "dtype": array.dtype.name, "shape": list(array.shape)})
        items.append(item)
    header = {"group": recording.group, "machine": asdict(recording.identity), "date": recording.date, "items": items}
    header["counters"] = recording.counters
    head = json.dumps(header, sort_keys=True).encode()
    body = len(head).to_bytes(8, "little") + head + bytes(blob)
    return MAGIC + hashlib.sha256(body).digest() + lzma.compress(body, preset=6)


def _put(blob: bytearray, data: bytes) -> list[int]:
    """Append bytes: [start, size]."""
    blob += data
    return [len(blob) - len(data), len(data)]


def _pack(array: Array) -> tuple[bytes, str]:
    """An array's bits, and how they are kept."""
    if array.dtype.kind in "iu" and array.itemsize == 4 and array.size >= SMOOTH and array.ndim == 1:
        words = array.view(np.uint32)
        steps = np.diff(np.diff(words, prepend=np.uint32(0)), prepend=np.uint32(0)).view(np.int32)
        small = np.abs(steps.astype(np.int64)) < 128
        if small.mean() > 0.9:
            bytes_ = np.where(small, steps, -128).astype(np.int8).tobytes()
            return bytes_ + steps[~small].tobytes(), "smooth"
    return np.ascontiguousarray(array).tobytes(), "plain"


def _unpack(data: bytes, how: str, dtype: str, shape: list[int]) -> Array:
    kind = _dtype(dtype)
    if how == "plain":
        return np.frombuffer(data, kind).reshape(shape)
    count = shape[0]
    steps = np.frombuffer(data, np.int8, count).astype(np.int32)
    steps[steps == -128] = np.frombuffer(data, np.int32, offset=count)
    words: Array = np.cumsum(np.cumsum(steps.view(np.uint32), dtype=np.uint32), dtype=np.uint32)
    return words.view(kind)


def _dtype(name: str) -> np.dtype[Any]:
    if name.startswith(("bfloat", "float8", "float4", "float6")):
        import ml_dtypes

        scalar: type[Any] = getattr(ml_dtypes, name)
        return np.dtype(scalar)
    return np.dtype(name)


def decode(data: bytes, name: str) -> Recording:
    """A recording from the bytes of a file; UsageError (PTX-G0605) if they are damaged."""
    if not data.startswith(MAGIC):
        raise _unusable(name, "this is no recording of this format")
    digest = data[len(MAGIC) : len(MAGIC) + 32]
    try:
        body = lzma.decompress(data[len(MAGIC) + 32 :])
    except lzma.LZMAError as error:
        raise _unusable(name, f"it cannot be unpacked ({error})") from error
    if hashlib.sha256(body).digest() != digest:
        raise _unusable(name, "its contents do not have the hash that it names")
    size = int.from_bytes(body[:8], "little")
    header, blob = json.loads(body[8 : 8 + size]), body[8 + size :]
    answers = tuple(_answer(item, blob) for item in header["items"])
    return Recording(header["group"], Identity(**header["machine"]), header["date"], answers, header["counters"])


def _answer(item: dict[str, Any], blob: bytes) -> Answer:
    def part(where: list[int]) -> bytes:
        return blob[where[0] : where[0] + where[1]]

    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in item["case"].items()
    }
    fields["arguments"] = tuple((name, source) for name, source in fields["arguments"])
    case = Case(ptx=part(item["text"]).decode(), **fields)
    outputs = tuple(_unpack(part(o["at"]), o["how"], o["dtype"], o["shape"]) for o in item["outputs"])
    return Answer(case, item["inputs"], outputs, item["error"])


def save(recording: Recording, folder: Path) -> Path:
    """Write a recording to FOLDER/GROUP.ptxr."""
    data = encode(recording)
    path = folder / (recording.group + SUFFIX)
    if len(data) > MOST_BYTES:
        raise _unusable(path.name, f"it would have {len(data):,} bytes, {MOST_BYTES:,} at most: divide the group")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def load(path: Path) -> Recording:
    """Read a recording; UsageError (PTX-G0605) if it is damaged."""
    return decode(path.read_bytes(), path.name)


def load_evidence(path: Path) -> Recording:
    """Read a recording of real hardware; UsageError (PTX-G0605) if another machine made it."""
    found = load(path)
    if found.identity.origin != HARDWARE:
        text = f"it was made by {found.identity} ({found.identity.origin}) and says nothing about hardware"
        raise _unusable(path.name, text)
    return found


def files(folder: Path, group: str = "*") -> list[Path]:
    """The recordings of a folder and of the folders in it, or those of one group."""
    return sorted(folder.rglob(group + SUFFIX))


def _unusable(name: str, why: str) -> UsageError:
    fix = "record it again on a machine with a GPU: make gpu-record"
    return UsageError(Diagnostic("PTX-G0605", "usage", f"{name}: {why}", Source("", name), help=fix))


# --- verifying -----------------------------------------------------------------------------------------


def verify(answer: Answer, engine: str, rows: int | None = None) -> Verified:
    """Compare the emulator's results with an answer.

    rows: of a case that can be divided, how many rows are run, spread evenly; None for all, of which the reference
    engine runs some.
    """
    if engine == "reference":
        rows = min(rows or REFERENCE_ROWS, REFERENCE_ROWS)
    case = answer.case
    if case.job().inputs_hash() != answer.inputs:
        text = f"{case.name}: the inputs that its seed gives are not those of the recording any more"
        raise UsageError(Diagnostic("PTX-G0605", "usage", text))
    only = _chosen(case, rows)
    job = case.job(only)
    try:
        found, _ = run(EmulatorBackend(engine=engine), job)
    except PtxError as error:
        return Verified(case, engine, NOT_YET, why=error.diagnostics[0].message)
    except KernelFault as error:
        state = REFUSED if answer.error else DIFFERENT
        return Verified(case, engine, state, why=error.diagnostics[0].message)
    if answer.error:
        return Verified(case, engine, DIFFERENT, why=f"the machine answered {answer.error}")
    by_name = {memory.name: array for memory, array in zip(job.buffers, found, strict=True)}
    tolerance = Tolerance(case.rtol, case.atol)
    compared = tuple(
        compare(name, by_name[name], recorded if only is None else recorded[only], tolerance)
        for name, recorded in zip(case.outputs, answer.outputs, strict=True)
    )
    results = sum(one.ours.size for one in compared)
    differ = sum(one.beyond for one in compared)
    return Verified(case, engine, DIFFERENT if differ else EQUAL, results, differ, compared)


def engines_for(case: Case, engines: Iterable[str]) -> list[str]:
    """Those that compare a case: all, or without the reference engine where each row takes it seconds."""
    return [engine for engine in engines if engine != "reference" or not case.is_long]


def _chosen(case: Case, rows: int | None) -> Any:
    """Numbers of `rows` rows, spread over all with the first and the last among them."""
    if rows is None or rows >= case.row_count:
        return None
    return np.array(spread(rows, case.row_count))


def verify_all(
    paths: Iterable[Path], engines: Iterable[str], rows: int | None = None, most: int | None = None
) -> Iterator[tuple[Recording, Verified]]:
    """Every answer of recordings of hardware, or `most` of each spread over it, on every engine."""
    for path in paths:
        recording = load_evidence(path)
        count = len(recording.answers)
        chosen = range(count) if most is None else sorted({n * count // most for n in range(most)} & set(range(count)))
        for number in chosen:
            answer = recording.answers[number]
            for engine in engines_for(answer.case, engines):
                yield recording, verify(answer, engine, rows)
