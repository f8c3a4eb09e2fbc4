"""The native engine: the meanings of the instructions as machine code.

llvm_ops.py    the vocabulary as LLVM text: values are vectors of 32 lanes
handlers.py    one function per instruction variant, over rows of the warp's registers
compiler.py    LLVM text -> code, through llvmlite

Only llvmlite is needed; it is imported when the first handler is compiled.
"""
