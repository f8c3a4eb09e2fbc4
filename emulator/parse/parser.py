"""PTX text to a Module: the items of a module, and what stands around bodies.

`parse` collects every syntax error of a text: after a bad item it goes on at the next one that begins a
line, and bodies recover statement by statement (emulator.parse.bodies).
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager

from emulator.errors import Diagnostic, Label, PtxSyntaxError, Source, Span
from emulator.parse import directives
from emulator.parse.bodies import BodyParser
from emulator.parse.cursor import SyntaxFailure, suggestion
from emulator.parse.nodes import Dwarf, Function, Item, Module, ModuleDirective
from emulator.parse.variables import LINKAGES, SPACES, variables

_HEADER = frozenset({".version", ".target", ".address_size"})
_ITEM_START = re.compile(
    r"(?:\.(?:version|target|address_size|visible|extern|weak|common|entry|func|global|const|shared|file|section"
    r"|alias)\b|@@DWARF)",
    re.ASCII,
)
_DIRECTIVES = LINKAGES | SPACES | _HEADER | {".entry", ".func", ".file", ".section", ".alias", ".pragma"}
_PTX_SIGN = re.compile(r"\.(?:version|target|entry|func)\b", re.ASCII)
_HEADER_HELP = "begin with `.version 9.0`, `.target sm_90a` and `.address_size 64`"


def parse(text: str | bytes | Source, name: str = "<text>") -> Module:
    """The module of a PTX text; PtxSyntaxError carries every syntax error, in order.

    Bytes are UTF-8 text, not a path.  Nothing is looked up: names, opcodes and types of operands are the
    decoder's business.
    """
    source = read_source(text, name)
    with collector_paused():
        return _ModuleParser(source).module()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Nodes and instructions make no cycles, so a collection while they are made is wasted time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_source(text: str | bytes | Source, name: str) -> Source:
    """The text as a Source: decoded, without byte order mark and closing zero bytes (NVRTC adds one)."""
    if isinstance(text, Source):
        return text
    if isinstance(text, bytes):
        if text.startswith(b"\x7fELF"):
            raise _not_text(name, "the file is machine code (ELF), not PTX", "extract PTX with `cuobjdump -ptx`")
        if text.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise _not_text(name, "the file is UTF-16, not UTF-8", "save it as UTF-8")
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _not_text(name, f"the file is not UTF-8 text: byte {error.start} cannot be read", "") from None
    text = text.removeprefix("\ufeff").rstrip("\0")
    if "\0" in text:
        raise _not_text(name, "the file is binary: it has zero bytes", "")
    return Source(text, name)


def _not_text(name: str, message: str, help: str) -> PtxSyntaxError:
    return PtxSyntaxError(Diagnostic("PTX-P0002", "syntax", message, Source("", name), help=help))


class _ModuleParser(BodyParser):
    """Reads the items of one source."""

    def module(self) -> Module:
        self._check_beginning()
        items: list[Item] = []
        while self.cursor.kind != "end" and not self.full:
            start = self.cursor.start
            try:
                self._item(items)
            except SyntaxFailure as failure:
                self.errors.append(failure.diagnostic)
                self._recover_item(start)
        return self._finish(items)

    def _check_beginning(self) -> None:
        cursor = self.cursor
        if cursor.kind == "end":
            found = Diagnostic("PTX-P0002", "syntax", "the text holds no PTX", cursor.source, help=_HEADER_HELP)
            raise PtxSyntaxError(found)
        if cursor.word == ".version":
            return
        message = f"a module begins with `.version`, found {cursor.found()}"
        labels = (Label(cursor.span),)
        self.errors.append(Diagnostic("PTX-P0001", "syntax", message, cursor.source, labels, help=_HEADER_HELP))
        if not _PTX_SIGN.search(cursor.text):
            raise PtxSyntaxError(*self.errors)

    def _finish(self, items: list[Item]) -> Module:
        header = {item.name: item for item in reversed(items) if isinstance(item, ModuleDirective)}
        if "version" in header and "target" not in header and not self.errors:
            end = header["version"].span.end
            labels = (Label(Span(end, end)),)
            message = "expected `.target` after `.version`"
            self.errors.append(
                Diagnostic("PTX-P0001", "syntax", message, self.source, labels, help="add `.target sm_90a`")
            )
        if self.errors:
            raise PtxSyntaxError(*sorted(self.errors, key=lambda item: item.labels[0].span.start))
        major, minor = header["version"].values[0].split(".")
        size = int(header["address_size"].values[0]) if "address_size" in header else 32
        return Module(self.source, (int(major), int(minor)), header["target"].values, size, items)

    def _item(self, items: list[Item]) -> None:
        """Pass one item of the module."""
        cursor = self.cursor
        word = cursor.word
        if word in _HEADER:
            items.append(self._header(items))
        elif word in LINKAGES or word in (".entry", ".func"):
            self._linked(items)
        elif word in SPACES or word == ".attribute":
            items += variables(cursor)
        elif word == ".file":
            items.append(directives.file(cursor))
        elif word == ".section":
            items.append(directives.section(cursor))
        elif word == ".alias":
            items.append(directives.alias(cursor))
        elif word == ".pragma":
            items.append(directives.pragma(cursor))
        elif cursor.kind == "dwarf":
            items.append(Dwarf(word[len("@@DWARF") :].strip(), cursor.span))
            cursor.advance()
        else:
            self._stray()

    def _header(self, items: list[Item]) -> ModuleDirective:
        span = self.cursor.span
        found = directives.module_directive(self.cursor)
        for item in items:
            if isinstance(item, ModuleDirective) and item.name == found.name and found.name != "target":
                related = Label(item.span, "the first one")
                self.cursor.fail(f"a second `.{found.name}` in the module", span, related=related)
        return found

    def _linked(self, items: list[Item]) -> None:
        """Pass a function, or a variable with a linkage directive (manual, 11.6)."""
        cursor = self.cursor
        linkage = ""
        if cursor.word in LINKAGES:
            linkage = cursor.word[1:]
            cursor.advance()
        if cursor.word not in (".entry", ".func"):
            if cursor.word not in SPACES and cursor.word != ".attribute":
                cursor.unexpected(f"`.entry`, `.func` or a state space after `.{linkage}`")
            items += variables(cursor, linkage)
            return
        found = directives.function(cursor, linkage)
        items.append(found)
        self._function_body(found)

    def _function_body(self, found: Function) -> None:
        cursor = self.cursor
        if cursor.word == "{":
            found.body = self.body()
        elif cursor.word != ";":
            if cursor.kind != "end" and not _ITEM_START.match(cursor.text, cursor.start):
                cursor.unexpected("the body of the function, or `;`")
        else:
            cursor.advance()

    def _stray(self) -> None:
        cursor = self.cursor
        if cursor.word == "}":
            cursor.fail("`}` without `{`", cursor.span, help="an earlier `}` closed the function already, or remove it")
        if cursor.kind == "name" or cursor.word in ("@", "{"):
            cursor.fail(f"expected a directive, found {cursor.found()}", cursor.span, label="outside every function")
        if cursor.word == ";":
            cursor.fail("a `;` that ends nothing", cursor.span, help="remove it")
        cursor.unexpected(
            "a directive such as `.visible`, `.entry` or `.global`", help=suggestion(cursor.word, _DIRECTIVES)
        )

    def _recover_item(self, start: int) -> None:
        """Go to the next item: behind a `;`, or where a directive of modules begins a line."""
        cursor = self.cursor
        text = cursor.text
        to_line = text.startswith(("}", "{", "@"), start) or text[start].isalpha()
        in_function = re.match(r"(?:\.\w+\s+)?\.(?:entry|func)\b", text[start : start + 40]) is not None
        depth = self.open_braces(start)
        while cursor.kind != "end":
            if cursor.start > start and self.begins_line() and _ITEM_START.match(text, cursor.start):
                return
            if in_function and cursor.word == "{":
                self.body()
                return
            depth += (cursor.word == "{") - (cursor.word == "}")
            ended = cursor.word == ";" or (cursor.word == "}" and cursor.peek()[1] != ";")
            self.skip()
            if ended and depth <= 0 and not to_line:
                return
