"""Every sample of one device, with its own inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from emulator import samples
from emulator.arguments import Spec
from emulator.crosscheck.case import Case
from emulator.parse import parse
from emulator.program.layout import kernel_parameters
from emulator.samples import Sample

LEFT_OUT = ("07_devices/", "faults/")  # of several devices; with a fault that is meant


def cases() -> Iterator[Case]:
    """A case a sample; those that only print are left out."""
    for name in samples.names():
        if name.startswith(LEFT_OUT):
            continue
        sample = samples.find(name)
        arrays = [item for item in sample.launch.arguments if isinstance(item, str) and _is_array(sample, item)]
        if arrays:
            yield _case(sample, arrays)


def _is_array(sample: Sample, name: str) -> bool:
    spec = sample.arguments[name]
    return isinstance(spec, Spec) and (spec.shape is not None or spec.fill.startswith("@"))


def _case(sample: Sample, arrays: list[str]) -> Case:
    text = sample.path.read_text(encoding="utf-8")
    module = parse(text, name=sample.path.name)
    parameters, _ = kernel_parameters(module.functions[sample.launch.kernel])
    inputs = sample.inputs(0)
    arguments = []
    for parameter, item in zip(parameters, sample.launch.arguments, strict=True):
        name = item if isinstance(item, str) else parameter.name
        value: Any = inputs[item] if isinstance(item, str) else item
        if np.ndim(value):
            arguments.append((name, _source(sample, name)))
        else:
            kind = parameter.node.type
            bits = np.dtype(f"{'f' if kind[0] == 'f' else 'u'}{parameter.size}").type(value).tobytes()
            arguments.append((name, "= " + bits.hex()))
    tolerance = max((t.rtol for t in sample.tolerances.values()), default=0.0)
    absolute = max((t.atol for t in sample.tolerances.values()), default=0.0)
    return Case(
        sample.name,
        "samples",
        text,
        tuple(arguments),
        tuple(arrays),
        kernel=sample.launch.kernel,
        grid=sample.launch.grid,
        block=sample.launch.block,
        shared=sample.launch.shmem_size,
        seed=0,
        rtol=tolerance,
        atol=absolute,
    )


def _source(sample: Sample, name: str) -> str:
    """The SPEC of an array, its file's numbers written out."""
    spec = sample.arguments[name]
    return spec.text.strip()
