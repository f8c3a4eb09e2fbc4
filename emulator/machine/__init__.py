"""The state of a run, no meaning.

memory.py   one flat address space, device windows, allocations, dirty pages
warp.py     the byte layout of a warp: registers, pcs, masks, call stack
cta.py      shared memory and named barriers
grid.py     launch configuration, parameters, clusters
device.py   devices, SMs and residency, streams
"""
