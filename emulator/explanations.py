"""The long texts of the diagnostic codes: what happened, an example, what to do.

An example is a kernel body (the registers %r, %rd, %f, %p and a parameter `out` of 32 words are there), a whole text if
it has a .version, or a command line.  After >>> stands Python.  A test runs every example and sees that it gives its
code.
"""

from __future__ import annotations

from dataclasses import dataclass

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
REGISTERS = "    .reg .b32 %r<9>;\n    .reg .b64 %rd<9>;\n    .reg .f32 %f<9>;\n    .reg .pred %p<9>;\n"


@dataclass(frozen=True)
class Explanation:
    """text: what it means and why it is an error.  fix: what to do."""

    text: str
    example: str
    fix: str

    @property
    def source(self) -> str:
        """The example as a whole PTX text; empty for a command line."""
        if self.example.startswith(("ptxemu ", ">>> ")):
            return ""
        if ".version" in self.example or not self.example:
            return self.example
        return f"{HEAD}.visible .entry example(.param .u64 out) {{\n{REGISTERS}{self.example}    ret;\n}}\n"


EXPLANATIONS: dict[str, Explanation] = {
    "PTX-P0001": Explanation(
        "The grammar of PTX (manual, chapter 4) does not allow what stands at the caret. All errors of a file are "
        "reported at once; after an error reading goes on at the next statement, so a later message may be a "
        "consequence of an earlier one.",
        "    add.u32 %r1 %r2, %r3;\n",
        "Look left of the caret first: a comma, a semicolon or a bracket is missing there most often.",
    ),
    "PTX-P0002": Explanation(
        "A PTX file is UTF-8 text. This one is empty, holds bytes that are no text, or is something else, such as a "
        "cubin (ELF machine code) or a text saved as UTF-16.",
        "",
        "Take the PTX, not the binary: nvcc -ptx, or cuobjdump -ptx on a program. Save the text as UTF-8.",
    ),
    "PTX-P0101": Explanation(
        "The first word of the statement is not a mnemonic of PTX. `ptxemu isa` lists all of them.",
        "    fadd.f32 %f1, %f2, %f3;\n",
        "Check the spelling. Machine instructions (SASS: FADD, IMAD) are not PTX.",
    ),
    "PTX-P0102": Explanation(
        "The instruction exists, but not with these dotted words: one is unknown to it, one that it needs is missing, "
        "two exclude each other, or they stand in an order that it does not allow. The forms under the message are "
        "the manual's syntax lines; parts in braces are optional.",
        "    add.rz.u32 %r1, %r2, %r3;\n",
        "Compare with the forms, or see `ptxemu isa` with the mnemonic. The type stands last.",
    ),
    "PTX-P0112": Explanation(
        "The instruction takes another number of operands. A {vector} or an [address] counts as one operand.",
        "    mad.lo.u32 %r1, %r2, %r3;\n",
        "Compare with the form under the message: d is the result, a, b and c are sources.",
    ),
    "PTX-P0113": Explanation(
        "An operand is of a kind that cannot stand in this place: a constant as result, an address without brackets, "
        "a variable where only registers are allowed, a vector of the wrong length, or a variable of one state space "
        "in an access to another one.",
        "    ld.global.u32 %r1, %rd1;\n",
        "Memory is accessed with ld, st, atom and red, through an address in brackets. mov takes the address of a "
        "variable and copies special registers.",
    ),
    "PTX-P0114": Explanation(
        "The register's type does not fit the instruction's (manual, 9.4): the widths must be equal, and the classes "
        "must agree: signed and unsigned are one class, a .f register holds only its own float type, a .b register "
        "fits every type of its width. Only ld, st and cvt accept wider registers.",
        "    add.u64 %rd1, %rd2, %r1;\n",
        "Use cvt to convert a value, or mov.b32 and mov.b64 to copy bits between classes.",
    ),
    "PTX-P0115": Explanation(
        "A constant is outside of the range that the instruction defines for it. In a register such a value would be a "
        "fault when the kernel runs, or undefined; as a constant it is refused at once.",
        "    bar.sync 16;\n",
        "The message names the range.",
    ),
    "PTX-P0121": Explanation(
        "Every register, variable and function is declared before it is used. Names live in the block { } of their "
        "declaration; `.reg .b32 %r<5>` declares %r0 to %r4.",
        "    add.u32 %r1, %r2, %r9;\n",
        "Declare it, or raise the number in < >. Special registers are written %tid.x, %ctaid.x.",
    ),
    "PTX-P0122": Explanation(
        "The branch goes to a label that is not in this function, or that is hidden in an inner block.",
        "    bra LOOP;\n",
        "A label is a name and a colon: LOOP:. It can be used in its own block and in blocks inside of it.",
    ),
    "PTX-P0123": Explanation(
        "Two declarations in one block have the same name. An inner block may hide an outer name.",
        "    .reg .b32 %x;\n    .reg .f32 %x;\n",
        "Rename one of them, or put one into a block of its own.",
    ),
    "PTX-P0131": Explanation(
        "Code for sm_80 runs on every device from 8.0 on, but features with a letter are tied to their devices: code "
        "for sm_90a runs on sm_90a alone (manual, 11.1.2).",
        ".version 9.0\n.target sm_100a\n.address_size 64\n.visible .entry example() { ret; }\n",
        "Compile for the device, or choose the device: --arch.",
    ),
    "PTX-P0132": Explanation(
        "The architecture that .target names does not have the instruction, even if the device does: the module "
        "promises to run on the older one.",
        ".version 9.0\n.target sm_60\n.address_size 64\n.visible .entry example() {\n    .reg .b32 %r<3>;\n"
        "    redux.sync.add.u32 %r1, %r2, 0xffffffff;\n    ret;\n}\n",
        "Raise .target to what the message names.",
    ),
    "PTX-P0133": Explanation(
        "The PTX version that .version names does not have the instruction, or the target, yet.",
        ".version 7.3\n.target sm_80\n.address_size 64\n.visible .entry example() {\n    .reg .b64 %rd<2>;\n"
        "    discard.global.L2 [%rd1], 128;\n    ret;\n}\n",
        "Raise .version to what the message names.",
    ),
    "PTX-P0134": Explanation(
        "The .version is newer than every version that the emulator knows, which is a warning, because most of a newer "
        "version's text is old; or there never was such a version, which is an error.",
        ".version 99.0\n.target sm_90a\n.address_size 64\n.visible .entry example() { ret; }\n",
        "Nothing needs to be done about the warning, unless an instruction is refused.",
    ),
    "PTX-P0135": Explanation(
        "The devices that are emulated have 64-bit addresses only. A module without .address_size has 32-bit ones "
        "(manual, 11.1.3).",
        ".version 9.0\n.target sm_90a\n.address_size 32\n.visible .entry example() { ret; }\n",
        "Write .address_size 64 behind .target.",
    ),
    "PTX-P0136": Explanation(
        "A declaration or directive is written correctly but says something impossible, such as an array without a "
        "size or an initial value that does not fit.",
        "    .reg .v4 .b64 %wide;\n",
        "See the directive's section in chapter 11 of the manual, or 5.4 for variables.",
    ),
    "PTX-P0201": Explanation(
        "The instruction is right: it is the emulator that cannot execute it yet. Nothing of the kernel runs, so that "
        "no result is silently wrong. `ptxemu isa --coverage` says how much of each chapter is executed.",
        "    tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;\n",
        "Another instruction may do the same, or the kernel can be compiled for an older architecture.",
    ),
    "PTX-P0301": Explanation(
        "A warning, no error. A mul and an add or sub that name no rounding may be made one fma (manual, 9.7.3.3), and "
        "ptxas does it: the product is not rounded, and the last bits of the sum differ. It does so where the product "
        "is only added and subtracted, in the same stretch of code and with the same type and .ftz; an approximate "
        "division counts as a product. The emulator rounds both, as the text says, unless the run asks for "
        "`--contract ptxas`, or System(contract='ptxas').",
        "    mul.f32 %f1, %f2, %f3;\n    add.f32 %f4, %f1, %f5;\n",
        "Pin it: add.rn (or mul.rn) keeps both roundings on every device, fma.rn has one. Or compare with a tolerance.",
    ),
    "PTX-P0302": Explanation(
        "A warning, no error. The emulator finds a register, variable, function or list of targets wherever it is "
        "declared; ptxas refuses to use one in front of its declaration. Labels alone may come later.",
        "    mov.u32 %late, 1;\n    .reg .u32 %late;\n",
        "Move the declaration up. For functions that call each other: declare one of them first, `.func f ();`.",
    ),
    "PTX-L0101": Explanation(
        "The file has no kernel of this name, or several, of which one must be chosen. C++ compilers mangle names: "
        "`vadd` may be `_Z4vaddPfS_i`.",
        "ptxemu run EXAMPLE -k exemple",
        "Give one of the listed names, or a part that only one has.",
    ),
    "PTX-L0102": Explanation(
        "A kernel takes exactly one value for each .param of its .entry.",
        "ptxemu run EXAMPLE --arg out=u32[32] --arg 7",
        "Compare with the list under the message; compilers add hidden parameters at the end.",
    ),
    "PTX-L0103": Explanation(
        "A value does not fit its parameter in size or class. A pointer is a .u64 that takes an array; a struct passed "
        "by value is an array of .b8 that takes exactly as many bytes. Nothing is converted silently.",
        "ptxemu run EXAMPLE --arg out=f32=1.5",
        "Give the value the parameter's type: s32=7, f32=0.5, f32[1024].",
    ),
    "PTX-L0104": Explanation(
        "The launch asks for more than the device or the kernel allows: 1,024 threads and 227 KiB of shared memory a "
        "CTA, a grid of 2^31-1 x 65,535 x 65,535 CTAs, 16 CTAs a cluster; .reqntid and .maxntid in the kernel "
        "restrict the block further.",
        "ptxemu run EXAMPLE --arg u32[32] -b 2048",
        "Use more CTAs with fewer threads, or less shared memory.",
    ),
    "PTX-L0105": Explanation(
        "All buffers together are larger than the limit of the emulated memory, 16 GiB by default.",
        ">>> System(memory=1 << 20).device(0).zeros(1 << 20)\n",
        "Close buffers that are not needed, use smaller ones, or raise System(memory=...).",
    ),
    "PTX-L0106": Explanation(
        "The file does not exist, is a folder, or may not be read.",
        "ptxemu run nosuchfile.ptx",
        "Check the path. A sample is named without .ptx; `ptxemu samples` lists them.",
    ),
    "PTX-L0107": Explanation(
        "There is no sample of this name, or the //! lines of a file, which say how to run it, are wrong.",
        "ptxemu run nosuchsample",
        "`ptxemu samples` lists the samples; its README describes the //! lines.",
    ),
    "PTX-L0108": Explanation(
        "There are two engines: reference, which runs everywhere, and native, which needs llvmlite. "
        "System(engine=...), --engine or the variable PTXEMU_ENGINE names one; without them it is native where that "
        "is verified and llvmlite is installed.",
        "",
        "Install llvmlite (numba brings it), or take the reference engine, which gives the same answers.",
    ),
    "PTX-M0101": Explanation(
        "A lane reads or writes outside of every allocation, or across the end of one. There is a gap between any "
        "two allocations, so that running over an end is found. Nothing of the instruction has been done when it is "
        "reported: all registers and all memory are as before it. The same is said of a multimem address that another "
        "instruction than multimem accesses, and of a multimem instruction without a multimem address.",
        "    ld.param.u64 %rd1, [out];\n    st.global.u32 [%rd1+128], 1;\n",
        "`first` names the lane and the offset, `address` the register. Guard the index with setp and a predicate, "
        "check the size of the buffer, and that pointer arguments are in the right order.",
    ),
    "PTX-M0102": Explanation(
        "An access of N bytes needs an address that is a multiple of N; a vector access counts with all its elements "
        "(manual, 6.4.1). Hardware stops the kernel as well.",
        "    ld.param.u64 %rd1, [out];\n    ld.global.v2.u32 {%r1, %r2}, [%rd1+4];\n",
        "Use narrower accesses, or align the data: .align 16 at variables, padding in structs and rows.",
    ),
    "PTX-M0103": Explanation(
        "Constant memory and the parameters of a kernel cannot be written by the kernel.",
        "    mov.u64 %rd1, out;\n    cvta.param.u64 %rd1, %rd1;\n    st.u32 [%rd1], 1;\n",
        "Copy the data to global, shared or local memory and change it there.",
    ),
    "PTX-B0301": Explanation(
        "Some warps wait at a barrier, and those that are still missing can never come: they have exited, or wait for "
        "something else. On hardware the kernel would hang.",
        "    bar.sync 1, 64;                 // in a block of 32 threads\n",
        "Every thread that a barrier counts must come to it: move it out of the branch, or count fewer threads.",
    ),
    "PTX-B0302": Explanation(
        "A barrier number is beyond 15, its count is not a multiple of 32 or differs from the count with which the "
        "barrier was opened, or a lane executes a .sync instruction whose member mask does not name it.",
        "    mov.u32 %r1, 40;\n    bar.sync 3, %r1;\n",
        "Use the barriers 0 to 15 with whole warps; take member masks from those who really come.",
    ),
    "PTX-B0303": Explanation(
        "An operation on an mbarrier that its object does not allow: there is no object (mbarrier.init has not run, or "
        "mbarrier.inval has), more arrivals than are pending, a byte count beyond 2^20 - 1, or a .noComplete arrival "
        "that would complete the phase. On hardware all of these are undefined. The report shows the object as it was "
        "found; nothing of the instruction has been done.",
        "    .shared .align 8 .b64 bar;\n    mbarrier.init.shared.b64 [bar], 1;\n"
        "    mbarrier.arrive.shared.b64 %rd1, [bar], 2;   // 1 is expected\n",
        "Let one thread init it and the others wait for that (bar.sync) before they use it; count in init all arrivals "
        "of a phase, of which mbarrier.arrive.expect_tx is one too.",
    ),
    "PTX-H0401": Explanation(
        "No warp makes progress: they wait for each other, or spin in loops while no byte of memory changes. Who waits "
        "where and for what is listed. On hardware the kernel would run into the launch timeout.",
        "    mov.u32 %r1, %laneid;\n    setp.lt.u32 %p1, %r1, 16;\n    @%p1 bra LOW;\n"
        "    bar.warp.sync 0xffffffff;       // waits for the lower lanes\n    bra END;\n"
        "LOW:\n    vote.sync.any.pred %p2, %p1, 0xffffffff;  // and they for the upper ones\nEND:\n",
        "What should end the wait, and does it run? A CTA must not wait for one that can only start after it.",
    ),
    "PTX-H0402": Explanation(
        "The run was stopped at the limit that was given, which says nothing about the kernel.",
        "ptxemu run EXAMPLE --arg u32[32] --max-instructions 2",
        "Raise the limit, or look at the line where it stopped: is it an endless loop?",
    ),
    "PTX-T0501": Explanation(
        "The kernel executed trap (or brkpt), which programs use to say that something impossible happened.",
        "    trap;\n",
        "See what leads to the line: the condition of the branch before it.",
    ),
    "PTX-T0502": Explanation(
        "assert() in device code found its condition false; the message has file, line and expression.",
        "",
        "The assertion is in the program's source.",
    ),
    "PTX-T0503": Explanation(
        "Calls are nested deeper than the stack of a lane allows.",
        ".version 9.0\n.target sm_90a\n.address_size 64\n.func f() {\n"
        "    .local .b8 large[32768];\n    call f;\n    ret;\n}\n"
        ".visible .entry example() {\n    call f;\n    ret;\n}\n",
        "Does the recursion end? Use a loop, or fewer and smaller local variables in the function.",
    ),
    "PTX-T0504": Explanation(
        "An indirect call or branch went to a value that is not the address of a function, or to an index beyond its "
        "list of targets.",
        "    mov.u32 %r1, 7;\n    TS: .branchtargets A;\n    brx.idx %r1, TS;\nA:\n",
        "Check where the register's value comes from; a function's address is taken with mov.u64.",
    ),
    "PTX-G0601": Explanation(
        "A cross-check runs the same text on the emulator and on a real GPU. This machine has no NVIDIA GPU or no "
        "driver, or the package cuda-bindings is not installed; which of them is told.",
        "",
        "Run it where a GPU is: pip install 'ptxemu[gpu]'. Without one, `ptxemu crosscheck verify` compares with "
        "what a GPU answered before.",
    ),
    "PTX-G0602": Explanation(
        "The driver compiles PTX for the GPU that it drives, and it refused this text; its log is printed as it came. "
        "The emulator had no objection, or was not asked.",
        "",
        "A GPU older than the .target, or a driver older than the .version, is the usual cause.",
    ),
    "PTX-G0603": Explanation(
        "A call of the CUDA driver failed: a launch beyond the GPU's limits, memory that is used up, or a kernel that "
        "faulted there. CUDA's own name of the error is told. After a fault the GPU's context is made anew.",
        "",
        "Run the kernel on the emulator first: it names the line and the lanes of a fault.",
    ),
    "PTX-G0604": Explanation(
        "The same text with the same inputs gave other bits on the GPU. The report names the first differing "
        "instruction, or why there is none to name.",
        "",
        "Read the verdict: docs/crosscheck.md explains each.",
    ),
    "PTX-G0605": Explanation(
        "A file of recorded results cannot be used: it is damaged, was not recorded on hardware, or belongs to cases "
        "that have changed since.",
        "",
        "Record it again on a machine with a GPU: make gpu-record.",
    ),
    "PTX-G0606": Explanation(
        "A recorded case gives its kernel a tensor map, 128 opaque bytes that the driver of a GPU makes. The emulator "
        "executes no instruction that reads one.",
        "",
        "Nothing is wrong: the case counts as not executed yet.",
    ),
    "PTX-G0607": Explanation(
        "`ptxemu crosscheck test` runs Python tests by pytest, which is a package of its own.",
        "",
        "pip install pytest.",
    ),
}
