"""Checks of a whole module: version, target and address size, and every kernel and function."""

from __future__ import annotations

from emulator.errors import Diagnostic, Label, PtxError, PtxSemanticError, Source, Span
from emulator.parse import nodes
from emulator.program.link import Linker
from emulator.program.requirements import LATEST_VERSION, device_runs, target_rank

_TARGETS = """
    sm_10 sm_11 sm_12 sm_13 sm_20 sm_21 sm_30 sm_32 sm_35 sm_37 sm_50 sm_52 sm_53 sm_60 sm_61 sm_62 sm_70 sm_72
    sm_75 sm_80 sm_86 sm_87 sm_88 sm_89 sm_90 sm_90a sm_100 sm_100a sm_100f sm_101 sm_101a sm_101f sm_103 sm_103a
    sm_103f sm_110 sm_110a sm_110f sm_120 sm_120a sm_120f sm_121 sm_121a sm_121f
"""
KNOWN_TARGETS = tuple(_TARGETS.split())


def check_module(module: nodes.Module, arch: str = "sm_90a") -> tuple[list[Diagnostic], list[Diagnostic]]:
    """(errors, warnings) of a module for a device: its head, then every kernel and function, decoded."""
    errors, warnings = check_head(module, arch)
    if errors:
        return errors, warnings
    reached: set[str] = set()
    roots = [f for f in module.functions.values() if f.body is not None]
    for function in sorted(roots, key=lambda f: f.kind != "entry"):
        if function.name in reached:
            continue
        linker = Linker(module)
        try:
            linker.link(function.name)
        except PtxError as error:
            errors += [item for item in error.diagnostics if item not in errors]
        reached |= set(linker.functions)
    return sorted(errors, key=lambda item: item.line), warnings


def require_head(module: nodes.Module, arch: str) -> None:
    """Raise PtxSemanticError if a module cannot be loaded on a device of this architecture."""
    errors, _ = check_head(module, arch)
    if errors:
        raise PtxSemanticError(*errors)


def check_head(module: nodes.Module, arch: str) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """(errors, warnings) of .version, .target and .address_size."""
    source = module.source
    errors: list[Diagnostic] = []
    warnings: list[Diagnostic] = list(module.warnings)
    version = "{}.{}".format(*module.version)
    if module.version > LATEST_VERSION:
        latest = "{}.{}".format(*LATEST_VERSION)
        text = f".version {version} is newer than {latest}, the newest that the emulator knows"
        warnings.append(
            Diagnostic("PTX-P0134", "semantic", text, source, _directive(source, ".version"), severity="warning")
        )
    elif module.version < (1, 0):
        text = f"there is no .version {version}"
        errors.append(Diagnostic("PTX-P0134", "semantic", text, source, _directive(source, ".version")))
    target = module.target[0] if module.target else ""
    if target not in KNOWN_TARGETS:
        text = f"unknown target {target or '(none)'}"
        errors.append(Diagnostic("PTX-P0131", "semantic", text, source, _directive(source, ".target")))
    elif not device_runs(arch, target):
        text = f"a module for {target} does not run on this device, which is {arch}"
        fix = f"compile for {arch}, or emulate the other device: --arch {target}"
        if target_rank(target)[0] > 90:
            fix = f"compile it for {arch}"
        errors.append(Diagnostic("PTX-P0131", "semantic", text, source, _directive(source, ".target"), help=fix))
    if module.address_size == 32:
        text = "32-bit addresses: sm_90 and newer devices have 64-bit addresses only"
        fix = ".address_size 64"
        at = _directive(source, ".address_size") or _directive(source, ".target")
        errors.append(Diagnostic("PTX-P0135", "semantic", text, source, at, help=fix))
    return errors, warnings


def _directive(source: Source, word: str) -> tuple[Label, ...]:
    """The place of a head directive and its values."""
    start = source.text.find(word)
    if start < 0:
        return (Label(Span(0, 1)),)
    end = source.text.find("\n", start)
    line = source.text[start : end if end >= 0 else len(source.text)].partition("//")[0].rstrip()
    return (Label(Span(start, start + len(line))),)
