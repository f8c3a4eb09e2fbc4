"""Checks of a whole module: version, target and address size, and every kernel and function."""

from __future__ import annotations

from emulator.errors import Diagnostic, Label, PtxError, PtxSemanticError
from emulator.parse import nodes
from emulator.program.contraction import warnings_of
from emulator.program.declaration_order import used_early
from emulator.program.declarations import check_declarations
from emulator.program.link import Linker
from emulator.program.requirements import LATEST_VERSION, device_runs, target_rank
from emulator.program.scopes import nearest
from emulator.program.size_limits import too_much_shared

TARGETS_SINCE = {  # the .version that a target needs (manual, 11.1.2); sm_88 as ptxas has it
    (1, 0): "sm_10 sm_11",
    (1, 2): "sm_12 sm_13",
    (2, 0): "sm_20 sm_21",
    (3, 0): "sm_30",
    (3, 1): "sm_35",
    (4, 0): "sm_32 sm_50",
    (4, 1): "sm_37 sm_52",
    (4, 2): "sm_53",
    (5, 0): "sm_60 sm_61 sm_62",
    (6, 0): "sm_70",
    (6, 1): "sm_72",
    (6, 3): "sm_75",
    (7, 0): "sm_80",
    (7, 1): "sm_86",
    (7, 3): "sm_88",
    (7, 4): "sm_87",
    (7, 8): "sm_89 sm_90",
    (8, 0): "sm_90a",
    (8, 6): "sm_100 sm_100a sm_101 sm_101a",
    (8, 7): "sm_120 sm_120a",
    (8, 8): "sm_100f sm_101f sm_103 sm_103a sm_103f sm_120f sm_121 sm_121a sm_121f",
    (9, 0): "sm_110 sm_110a sm_110f",
}
_SINCE = {target: version for version, targets in TARGETS_SINCE.items() for target in targets.split()}
KNOWN_TARGETS = tuple(sorted(_SINCE, key=target_rank))


def check_module(module: nodes.Module, arch: str = "sm_90a") -> tuple[list[Diagnostic], list[Diagnostic]]:
    """(errors, warnings) of a module for a device: its head, then every kernel and function, decoded."""
    errors, warnings = check_head(module, arch)
    if errors:
        return errors, warnings
    warnings += used_early(module)
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
            if function.kind == "entry":
                errors += too_much_shared(program)
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
    errors += _check_target(module, arch)
    if module.address_size == 32 and (at := _directive(module, "address_size")):  # without one, ptxas takes 64 bits
        text = "32-bit addresses: the emulated devices have 64-bit addresses only"
        errors.append(Diagnostic("PTX-P0135", "semantic", text, source, at, help="write .address_size 64"))
    if not errors:
        errors += check_declarations(module)
    return errors, warnings


def _check_target(module: nodes.Module, arch: str) -> list[Diagnostic]:
    """What speaks against the .target: `compute_90` is another name of `sm_90` (manual, 11.1.2)."""
    target = module.target[0].replace("compute_", "sm_") if module.target else ""
    code, fix = "PTX-P0131", ""
    if target not in KNOWN_TARGETS:
        text = f"unknown target {target or '(none)'}"
        fix = nearest(target, KNOWN_TARGETS)
    elif (1, 0) <= module.version < _SINCE[target]:
        least = "{}.{}".format(*_SINCE[target])
        code, fix = "PTX-P0133", f"write .version {least}"
        text = f".target {target} needs .version {least}, this module says {'{}.{}'.format(*module.version)}"
    elif not device_runs(arch, target):
        text = f"a module for {target} does not run on an {arch} device"
        fix = f"compile for {arch}, or emulate the other device: --arch {target}"
        if target_rank(target)[0] > 90:
            fix = f"compile it for {arch}"
    else:
        return []
    return [Diagnostic(code, "semantic", text, module.source, _directive(module, "target"), help=fix)]


def _directive(module: nodes.Module, name: str) -> tuple[Label, ...]:
    """The place of a head directive and its values; empty where it is missing."""
    found = (item for item in module.items if isinstance(item, nodes.ModuleDirective) and item.name == name)
    return tuple(Label(item.span) for item in found)[:1]
