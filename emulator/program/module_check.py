"""Checks of a whole module: version, target and address size, and every kernel and function."""

from __future__ import annotations

from emulator.errors import Diagnostic, Label, PtxError, PtxSemanticError
from emulator.parse import nodes
from emulator.program.contraction import warnings_of
from emulator.program.declarations import check_declarations
from emulator.program.link import Linker
from emulator.program.requirements import LATEST_VERSION, device_runs, target_rank
from emulator.program.scopes import nearest

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
            program = linker.link(function.name)
        except PtxError as error:
            errors += [item for item in error.diagnostics if item not in errors]
        else:
            warnings += [item for item in warnings_of(program) if item not in warnings]
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
    latest = "{}.{}".format(*LATEST_VERSION)
    if module.version > LATEST_VERSION:
        text = f".version {version} is newer than {latest}, the newest known here"
        warnings.append(
            Diagnostic("PTX-P0134", "semantic", text, source, _directive(module, "version"), severity="warning")
        )
    elif module.version < (1, 0):
        text = f"there is no .version {version}"
        fix = f"the newest is {latest}; nvcc writes the version that its instructions need"
        errors.append(Diagnostic("PTX-P0134", "semantic", text, source, _directive(module, "version"), help=fix))
    target = module.target[0] if module.target else ""
    if target not in KNOWN_TARGETS:
        text = f"unknown target {target or '(none)'}"
        fix = nearest(target, KNOWN_TARGETS)
        errors.append(Diagnostic("PTX-P0131", "semantic", text, source, _directive(module, "target"), help=fix))
    elif not device_runs(arch, target):
        text = f"a module for {target} does not run on an {arch} device"
        fix = f"compile for {arch}, or emulate the other device: --arch {target}"
        if target_rank(target)[0] > 90:
            fix = f"compile it for {arch}"
        errors.append(Diagnostic("PTX-P0131", "semantic", text, source, _directive(module, "target"), help=fix))
    if module.address_size == 32 and (at := _directive(module, "address_size")):  # without one, ptxas takes 64 bits
        text = "32-bit addresses: the emulated devices have 64-bit addresses only"
        errors.append(Diagnostic("PTX-P0135", "semantic", text, source, at, help="write .address_size 64"))
    if not errors:
        errors += check_declarations(module)
    return errors, warnings


def _directive(module: nodes.Module, name: str) -> tuple[Label, ...]:
    """The place of a head directive and its values; empty where it is missing."""
    found = (item for item in module.items if isinstance(item, nodes.ModuleDirective) and item.name == name)
    return tuple(Label(item.span) for item in found)[:1]
