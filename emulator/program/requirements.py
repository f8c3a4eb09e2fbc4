"""Whether the module's .version and .target have an instruction (the manual's ISA notes)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emulator.errors import Diagnostic, Label, PtxSemanticError, Span
from emulator.isa.registry import Requirement, Variant
from emulator.parse import nodes, opcode_span

if TYPE_CHECKING:
    from emulator.program.link import Linker

LATEST_VERSION = (9, 4)
FIRST_VERSION = (1, 0)


def target_rank(target: str) -> tuple[int, str]:
    """`sm_90a` -> (90, "a"): the number orders; a letter is a feature set of its own architecture."""
    matched = re.fullmatch(r"(?:sm|compute)_(\d+)([af]?)", target)
    if matched is None:
        raise ValueError(f"no architecture: {target!r}")
    return int(matched[1]), matched[2]


def target_has(target: str, least: str) -> bool:
    """Whether code for `target` may use what needs `least`."""
    number, letter = target_rank(target)
    least_number, least_letter = target_rank(least)
    if least_letter:
        return number == least_number and letter == least_letter
    return number >= least_number


def device_runs(device: str, target: str) -> bool:
    """Whether a device of one architecture can run a module of another target."""
    number, letter = target_rank(target)
    device_number, device_letter = target_rank(device)
    if letter == "a":
        return (number, letter) == (device_number, device_letter)
    if letter == "f":
        return device_number // 10 == number // 10 and device_number >= number
    return number <= device_number


def check_requirements(variant: Variant, node: nodes.Instruction, linker: Linker) -> None:
    """Raise for an instruction or modifier that the module's target or version does not have."""
    entry = variant.entry
    span = opcode_span(linker.source, node)
    check(entry.requires, node.opcode, span, linker)
    if entry.removed is not None:
        _check_still_there(entry.removed, node.opcode, span, linker)
    if entry.since:
        for part in node.opcode.split(".")[1:]:
            if part in entry.since:
                check(entry.since[part], f".{part} of {node.opcode.partition('.')[0]}", span, linker)


def _check_still_there(removed: Requirement, what: str, span: Span, linker: Linker) -> None:
    """Raise if the module's version and target do not have something any more (shfl and vote without .sync)."""
    module = linker.module
    if module.version >= removed.version and target_has(module.target[0], removed.target):
        since = "{}.{}".format(*removed.version)
        text = f"{what} is gone from .target {removed.target} and newer since .version {since}"
        raise PtxSemanticError(
            Diagnostic("PTX-P0132", "semantic", text, module.source, (Label(span),), help="use its .sync form")
        )


def check(requirement: Requirement, what: str, span: Span, linker: Linker) -> None:
    """Raise if the module lacks what something needs."""
    module = linker.module
    if not target_has(module.target[0], requirement.target):
        text = f"{what} needs .target {requirement.target}, this module is for {module.target[0]}"
        raise PtxSemanticError(
            Diagnostic(
                "PTX-P0132", "semantic", text, module.source, (Label(span),), help=f"write .target {requirement.target}"
            )
        )
    if module.version < requirement.version != FIRST_VERSION:
        least = "{}.{}".format(*requirement.version)
        text = f"{what} needs .version {least}, this module says {'{}.{}'.format(*module.version)}"
        raise PtxSemanticError(
            Diagnostic("PTX-P0133", "semantic", text, module.source, (Label(span),), help=f"write .version {least}")
        )
