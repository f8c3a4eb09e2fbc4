"""Whose fault: the text, the kernel, or us.

Three families, and no error is ever in two of them:

    PtxError                     the text: has spans; prints the line and a caret
    ├── PtxSyntaxError           it is not PTX
    ├── PtxSemanticError         it is PTX, but wrong (lists what is allowed)
    └── UnsupportedInstruction   it is right; we do not execute it yet
    KernelFault                  the kernel did wrong: IllegalAddress, MisalignedAddress, Hang, Trap ...
    UsageError                   the caller did wrong: arguments, launch configuration, files
    DriverError                  a real GPU's driver refused it (cross-check only)
    (anything else)              our bug: never caught, never dressed up

Every diagnostic has a code (`CODES`), a headline, the line with a caret under the culprit, the values
that made it fail and a likely fix.  The same object renders to a terminal and to JSON.
"""

from __future__ import annotations

import bisect
import textwrap
from dataclasses import dataclass, field
from typing import Any, NamedTuple

CODES: dict[str, str] = {
    "PTX-P0001": "the text is not PTX at this place",
    "PTX-P0002": "the file is empty or is not text",
    "PTX-P0101": "unknown instruction",
    "PTX-P0102": "a modifier that this instruction does not have, or that is missing",
    "PTX-P0112": "wrong number of operands",
    "PTX-P0113": "an operand of the wrong kind",
    "PTX-P0114": "an operand whose register type does not fit the instruction",
    "PTX-P0115": "a constant operand out of range",
    "PTX-P0121": "undefined name",
    "PTX-P0122": "undefined label",
    "PTX-P0123": "a name that is declared twice",
    "PTX-P0131": "the module's .target cannot run on this device",
    "PTX-P0132": "the module's .target does not have this instruction",
    "PTX-P0133": "the module's .version does not have this instruction or target",
    "PTX-P0134": "unknown .version",
    "PTX-P0135": "32-bit addresses",
    "PTX-P0136": "a declaration or directive that is wrong",
    "PTX-P0201": "valid PTX that the emulator does not execute yet",
    "PTX-P0301": "a product and a sum that ptxas rounds once (a warning)",
    "PTX-P0302": "a name that is used before it is declared (a warning)",
    "PTX-L0101": "no such kernel, or no such variable",
    "PTX-L0102": "wrong number of kernel arguments",
    "PTX-L0103": "a kernel argument that does not fit its parameter",
    "PTX-L0104": "a launch configuration beyond the device's limits",
    "PTX-L0105": "out of emulated memory",
    "PTX-L0106": "a file that cannot be read",
    "PTX-L0107": "an unknown sample, or //! lines that are wrong",
    "PTX-L0108": "an engine that there is not on this machine",
    "PTX-M0101": "an access outside every allocation",
    "PTX-M0102": "a misaligned access",
    "PTX-M0103": "a write to read-only memory",
    "PTX-B0301": "a barrier that can never complete",
    "PTX-B0302": "a barrier operand out of range",
    "PTX-B0303": "an operation that an mbarrier object does not allow",
    "PTX-H0401": "no progress: a hang",
    "PTX-H0402": "the instruction limit was reached",
    "PTX-T0501": "the kernel executed trap",
    "PTX-T0502": "a failed device assertion",
    "PTX-T0503": "the call stack is full",
    "PTX-T0504": "an indirect call or branch to a place that is not one",
    "PTX-G0601": "no GPU to compare with",
    "PTX-G0602": "the driver's compiler refused the text",
    "PTX-G0603": "the driver reported an error",
    "PTX-G0604": "emulator and GPU gave different results",
    "PTX-G0605": "a recording that is damaged, foreign or out of date",
    "PTX-G0606": "a tensor map, which only a GPU's driver makes",
    "PTX-G0607": "pytest, which runs Python tests, is not installed",
}


class Span(NamedTuple):
    """A half-open range of character offsets in a source text."""

    start: int
    end: int


class Source:
    """A PTX text with a name, and its lines by offset."""

    def __init__(self, text: str, name: str = "<text>") -> None:
        self.text = text
        self.name = name
        self._starts: list[int] | None = None

    def _line_starts(self) -> list[int]:
        if self._starts is None:
            starts, at = [0], self.text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = self.text.find("\n", at + 1)
            self._starts = starts
        return self._starts

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based (line, column) of a character offset."""
        starts = self._line_starts()
        line = bisect.bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its end."""
        starts = self._line_starts()
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")

    @property
    def line_count(self) -> int:
        return len(self._line_starts())


@dataclass(frozen=True)
class Label:
    """A span with a short text beside its underline; the first label of a diagnostic is its caret."""

    span: Span
    text: str = ""


@dataclass
class Diagnostic:
    """One finding: code, headline, place, values, likely fix.

    kind: "syntax", "semantic", "unsupported" for the text; "fault", "hang", "usage" otherwise.
    facts: (key, text) pairs printed as `= key  text`.
    """

    code: str
    kind: str
    message: str
    source: Source | None = None
    labels: tuple[Label, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    help: str = ""
    notes: tuple[str, ...] = ()
    severity: str = "error"

    @property
    def line(self) -> int:
        """1-based line of the caret, 0 where there is no text."""
        return self._place()[0]

    def _place(self) -> tuple[int, int, int]:
        if self.source is None or not self.labels:
            return 0, 0, 0
        span = self.labels[0].span
        line, column = self.source.position(span.start)
        end_line, end_column = self.source.position(max(span.end, span.start + 1))
        if end_line != line:
            end_column = len(self.source.line(line)) + 1
        return line, column, max(end_column, column + 1)

    def to_json(self) -> dict[str, Any]:
        """The item of `ptxemu check --json`: code, kind, line, column, end_column, message, help."""
        line, column, end_column = self._place()
        return {
            "code": self.code,
            "kind": self.kind,
            "line": line,
            "column": column,
            "end_column": end_column,
            "message": self.message,
            "help": self.help,
        }

    def render(self) -> str:
        """The diagnostic as plain text: headline, place, marked lines, facts, help."""
        out = [f"{self.severity}[{self.code}]: {self.message}"]
        if self.source is not None and self.labels:
            out += self._excerpt(self.source)
        elif self.source is not None:
            out.append(f"  --> {self.source.name}")
        key_width = max((len(key) for key, _ in self.facts), default=0)
        for key, text in self.facts:
            out += _folded(f"   = {key:<{key_width}} ", text)
        for note in self.notes:
            out += _folded("   note: ", note)
        if self.help:
            out += _folded("   help: ", self.help)
        return "\n".join(out)

    def _excerpt(self, source: Source) -> list[str]:
        line, column, _ = self._place()
        width = max(len(str(source.position(label.span.start)[0])) for label in self.labels)
        out = [f"{'':>{width}}--> {source.name}:{line}:{column}", f"{'':>{width}} |"]
        shown = 0
        for index, label in sorted(enumerate(self.labels), key=lambda item: item[1].span.start):
            number, start = source.position(label.span.start)
            text = source.line(number)
            tabbed = text.expandtabs(4)
            lead = len(text[: start - 1].expandtabs(4))
            length = max(1, min(label.span.end - label.span.start, len(text) - start + 1))
            tabbed, lead = _clip(tabbed, lead, length)
            mark = ("^" if index == 0 else "-") * min(length, max(1, _CLIP - lead))
            if number != shown:
                out.append(f"{number:>{width}} | {tabbed}")
            shown = number
            out.append(f"{'':>{width}} | {'':<{lead}}{mark} {label.text}".rstrip())
        return out


_WIDTH = 80
_CLIP = 110


def _folded(head: str, text: str) -> list[str]:
    """Lines of a text behind a head, folded between words at 80 columns."""
    lines = []
    for line in text.splitlines() or [""]:
        lines += textwrap.wrap(line, _WIDTH - len(head), break_long_words=False, break_on_hyphens=False) or [""]
    return [(head if number == 0 else " " * len(head)) + line for number, line in enumerate(lines)]


def _clip(text: str, lead: int, length: int) -> tuple[str, int]:
    """A long line cut around its mark: (text, columns before the mark)."""
    if len(text) <= _CLIP:
        return text, lead
    start = max(0, min(lead - 20, len(text) - _CLIP))
    if start == 0:
        return text[: _CLIP - 3] + "...", lead
    return "..." + text[start + 3 : start + _CLIP], lead - start


_MOST_SHOWN = 10


class DiagnosedError(Exception):
    """An error that carries one or more diagnostics; str() is the rendering of the first ones."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        if not diagnostics:
            raise ValueError("a diagnosed error needs a diagnostic")
        super().__init__(*diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = diagnostics

    def __str__(self) -> str:
        shown = [diagnostic.render() for diagnostic in self.diagnostics[:_MOST_SHOWN]]
        if len(self.diagnostics) > _MOST_SHOWN:
            shown.append(f"... and {len(self.diagnostics) - _MOST_SHOWN:,} more errors")
        return "\n\n".join(shown)


class PtxError(DiagnosedError):
    """The text is at fault."""


class PtxSyntaxError(PtxError):
    """The text is not PTX (manual, chapter 4)."""


class PtxSemanticError(PtxError):
    """It is PTX, but wrong: unknown instruction, wrong operands, undefined names."""


class UnsupportedInstruction(PtxError):
    """Valid PTX that the emulator does not execute yet; names the manual's section."""


class UsageError(DiagnosedError):
    """The caller is at fault: kernel name, arguments, launch configuration, files."""


class NoGpu(UsageError):
    """A GPU was asked for and this machine has none, or lacks what is needed to reach it."""


class DriverError(DiagnosedError):
    """The driver of a real GPU refused a text or a call, or a kernel failed there; carries the driver's log."""


class KernelFault(DiagnosedError):
    """The kernel is at fault; the machine's state is kept as it was at the faulting instruction."""

    warp: tuple[int, int, int] | None = None
    """The key of the warp whose turn it was (launch, CTA, warp); None where it was nobody's, as in a hang."""

    @property
    def diagnostic(self) -> Diagnostic:
        return self.diagnostics[0]


class IllegalAddress(KernelFault):
    """An access outside every allocation (CUDA error 700)."""


class MisalignedAddress(KernelFault):
    """An access that is not aligned to its size (CUDA error 716)."""


class IllegalBarrier(KernelFault):
    """A barrier that can never complete, or whose operands are out of range."""


class Hang(KernelFault):
    """No warp makes progress (CUDA's launch timeout, with a report of who waits for what)."""


class InstructionLimit(KernelFault):
    """The caller's instruction limit was reached."""


class Trap(KernelFault):
    """The kernel executed `trap`, or a device assertion failed."""


class StackOverflow(KernelFault):
    """Recursion deeper than the device's stack."""


class IllegalTarget(KernelFault):
    """An indirect call or branch to an address that is no function or label."""


@dataclass
class DiagnosticSink:
    """Collects diagnostics so that one pass over a text reports every error."""

    source: Source
    errors: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, kind: str, message: str, span: Span, *, help: str = "", label: str = "") -> None:
        """Record an error at a span."""
        self.errors.append(Diagnostic(code, kind, message, self.source, (Label(span, label),), help=help))

    def warning(self, code: str, kind: str, message: str, span: Span, *, help: str = "") -> None:
        """Record a warning at a span; warnings never reject a text."""
        item = Diagnostic(code, kind, message, self.source, (Label(span),), help=help, severity="warning")
        self.warnings.append(item)
