"""The same program on the emulator and on a real GPU: run, compare, find the first differing instruction, record.

backend.py      the protocol of a machine that runs PTX, and the emulator behind it
gpu.py          a real GPU, by NVIDIA's own driver bindings
stand_in.py     an emulator that can be told to lie, where no GPU is
job.py          one launch: text, sizes, inputs
compare.py      outputs by bits, ULPs, NaN classes
canonical.py    the text with every float product and sum rounded by itself
taint.py        what may differ by nature: clocks, addresses, old values of atomics; spin loops
instrument.py   the text with stores of its intermediate results
trace.py        one traced launch, and the search for the first difference of a warp
writers.py      who wrote a byte last
path.py         how a wrong result reached the output
verdict.py      what a difference means
check.py        all of it, from two launches to a verdict
report.py       the verdict as text
devices.py      Device(0, backend="gpu") and backend="both"
tensor_map.py   tensor maps, whose bytes the driver makes
recordings.py   what a GPU answered, kept in files
cases/          what is recorded
"""
