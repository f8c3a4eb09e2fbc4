"""`ptxemu explain`: a diagnostic's code, or an instruction, in words."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator

import click

from emulator.commands.instruction_pages import WIDTH, groups, meaning_of, operand_lines, page
from emulator.errors import CODES
from emulator.explanations import EXPLANATIONS
from emulator.isa.manual_index import SECTIONS, section_of
from emulator.isa.modifiers import describe_modifier
from emulator.isa.registry import Variant, candidates, entries, lookup


@click.command("explain")
@click.argument("words", nargs=-1, required=True, metavar="CODE|OPCODE")
def command(words: tuple[str, ...]) -> None:
    """Explain a diagnostic's code or an instruction.

    CODE is such as PTX-M0101 (or M0101); OPCODE is such as ld.global.v4.f32; a whole instruction in quotes will do.
    """
    text = " ".join(words).strip()
    code = text.upper() if text.upper().startswith("PTX-") else f"PTX-{text.upper()}"
    lines = code_page(code) if code in CODES else instruction_page(opcode_of(text))
    click.echo("\n".join(lines))


def opcode_of(text: str) -> str:
    """The opcode of an instruction: without guard, operands and semicolon."""
    words = text.rstrip(";").split()
    if words and words[0].startswith("@"):
        words = words[1:]
    return words[0] if words else text


def code_page(code: str) -> Iterator[str]:
    """A code's title, meaning, example and fix."""
    found = EXPLANATIONS[code]
    yield f"{code}: {CODES[code]}"
    yield ""
    yield from textwrap.wrap(found.text, WIDTH)
    if found.example:
        yield ""
        yield "example"
        yield from (f"    {line.removeprefix('    ')}" for line in found.example.splitlines())
    yield ""
    yield from textwrap.wrap(f"What to do: {found.fix}", WIDTH)


def instruction_page(opcode: str) -> Iterator[str]:
    """What an opcode does: its syntax line, every dotted word, every operand, the meaning."""
    variants = lookup(opcode)
    if variants:
        for number, variant in enumerate(variants):
            yield from [""] * (number > 0)
            yield from variant_page(variant)
        return
    known = candidates(opcode)
    section = section_of(opcode)
    if known and section is not None and opcode == known[0].mnemonic:
        for number, group in enumerate(groups(known)):
            yield from [""] * (number > 0)
            yield from page(group)
    elif section is not None and not known_form(opcode):
        yield f"{opcode} is not executed yet; the manual describes it in section {section}"
    else:
        raise _unknown(opcode)


def known_form(opcode: str) -> bool:
    """Whether some syntax line has the mnemonic, so that only the dotted words can be wrong."""
    return bool(candidates(opcode.partition(".")[0]))


def variant_page(variant: Variant) -> Iterator[str]:
    """One syntax line with the words of an opcode filled in."""
    entry = variant.entry
    yield variant.opcode
    yield f"  {entry.signature.line}"
    yield ""
    parts = variant.opcode.split(".")[1:]
    width = max((len(part) for part in parts), default=0) + 1
    for part in parts:
        text = describe_modifier(entry.mnemonic, part) or f"see the manual, {entry.section}"
        yield from textwrap.wrap(
            text, WIDTH, initial_indent=f"  {'.' + part:{width}}  ", subsequent_indent=" " * (width + 4)
        )
    if parts:
        yield ""
    yield from operand_lines(entry, variant.modifiers)
    meaning, examples = meaning_of(entry.meaning)
    for paragraph in meaning:
        yield ""
        yield from textwrap.wrap(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ")
    fitting = [example for example in examples if example.split()[0] == variant.opcode] or examples
    if fitting:
        yield ""
        yield from (f"  {example}" for example in fitting)
    yield ""
    yield f"  manual  {entry.section}"


def _unknown(opcode: str) -> click.ClickException:
    word = opcode.partition(".")[0]
    if not known_form(opcode):
        known = sorted({entry.mnemonic for entry in entries()} | set(SECTIONS) | set(CODES))
        near = [match for text in (word, word.upper()) for match in difflib.get_close_matches(text, known, n=2)][:2]
        tail = f": did you mean {' or '.join(near)}?" if near else ""
        return click.UsageError(f"{word} is neither an instruction nor a code{tail}")
    return click.UsageError(f"{word} has no form {opcode}; ptxemu isa {word} lists its forms")
