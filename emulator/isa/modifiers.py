"""What the dotted words of an opcode say: one row each, for `ptxemu explain` and the generated pages.

A row `mnemonic.word` holds for that mnemonic alone and goes before the row of the word.
"""

from __future__ import annotations

from emulator.ptx_types import TYPES, ScalarType

_ROWS = """
rn              round to nearest, ties to even
rz              round towards zero
rm              round down, towards negative infinity
rp              round up, towards positive infinity
rna             round to nearest, ties away from zero
rs              round up or down at random, with the bits of the last operand
rni             round to the nearest whole number, ties to even
rzi             round to a whole number towards zero
rmi             round to a whole number downwards
rpi             round to a whole number upwards
ftz             subnormal inputs and results count as zero, their sign is kept
sat             limit the result to its range: floats to 0.0 .. 1.0 (NaN gives 0.0), integers to the type's
satfinite       a result beyond the largest finite number becomes that number
approx          a fast approximation; the manual gives its largest error
full            a division with 2 ulp error over the whole range, faster than .rn
relu            a negative result becomes 0, NaN becomes the canonical NaN
oob             a NaN of the pattern for out-of-bounds elements becomes 0
scaled          the result is multiplied by the scale factor of the packed format
NaN             a NaN operand makes the result NaN; without it the other operand is taken
abs             the operands count with their magnitudes
xorsign         the sign of the result is the exclusive or of the operands' signs
cc              write the carry (or borrow) to the condition code register CC.CF
lo              the low half of the product
hi              the high half of the product
wide            the whole product: the result is twice as wide as the operands
mul24.lo        the low 32 bits of the 48-bit product
mul24.hi        the high 32 bits of the 48-bit product
mad24.lo        the low 32 bits of the 48-bit product
mad24.hi        the high 32 bits of the 48-bit product
dp2a.lo         the low two bytes of b
dp2a.hi         the high two bytes of b
shiftamt        the result is how far to shift left so that the found bit is the highest
clamp           a shift amount or position beyond the width counts as the width
wrap            a shift amount or position counts modulo 32
shf.l           shift left: the result is the high word
shf.r           shift right: the result is the low word
b4e             four bytes backwards from a position
f4e             four bytes forwards from a position
rc8             one byte, four times
ecl             edge clamp to the left
ecr             edge clamp to the right
rc16            one 16-bit half, twice
eq              equal; false if an operand is NaN
ne              not equal; false if an operand is NaN
lt              less; false if an operand is NaN
le              less or equal; false if an operand is NaN
gt              greater; false if an operand is NaN
ge              greater or equal; false if an operand is NaN
ls              unsigned less or equal (lower or same)
hs              unsigned greater or equal (higher or same)
set.lo          unsigned less
set.hi          unsigned greater
setp.lo         unsigned less
setp.hi         unsigned greater
equ             equal, or an operand is NaN
neu             not equal, or an operand is NaN
ltu             less, or an operand is NaN
leu             less or equal, or an operand is NaN
gtu             greater, or an operand is NaN
geu             greater or equal, or an operand is NaN
num             neither operand is NaN
nan             an operand is NaN
set.and         the comparison and c
set.or          the comparison or c
set.xor         the comparison exclusive or c
setp.and        the comparison and c
setp.or         the comparison or c
setp.xor        the comparison exclusive or c
lop3.and        the predicate result is (d is not zero) and q
lop3.or         the predicate result is (d is not zero) or q
finite          neither infinite nor NaN
infinite        infinity of any sign
number          no NaN
notanumber      a NaN
normal          neither zero, subnormal, infinite nor NaN
subnormal       nearer to zero than the smallest normal number, and not zero
global          global memory, shared by the whole grid and the host
shared          shared memory of the CTA
shared::cta     shared memory of the executing CTA
shared::cluster shared memory of any CTA of the cluster
local           local memory: every thread has its own
const           constant memory, read only
param           parameter space: kernel arguments, or arguments of a call
param::entry    the parameters of the kernel
param::func     the parameters of a call
tensor          a tensor described by a tensor map
v2              a vector of 2 elements, in one access
v4              a vector of 4 elements, in one access
v8              a vector of 8 elements, in one access
weak            an ordinary access, which must not race with others (the default)
volatile        every access happens as written; like .relaxed.sys
relaxed         a strong access that orders nothing else
acquire         what follows in program order comes after this
release         what precedes in program order comes before this
acq_rel         acquire and release
sc              also part of one order of all .sc operations
mmio            an access to memory-mapped registers, exactly as written
cta             as seen by the threads of the CTA
cluster         as seen by the threads of the cluster
gpu             as seen by the threads of the device
sys             as seen by all threads of all devices and the host
gl              as seen by the threads of the device (membar's word for gpu)
pack            two values, converted and put beside each other
proxy           between accesses by different proxies, such as async and generic
alias           between two addresses of the same memory
u2              2-bit unsigned integer
s2              2-bit signed integer
async           the asynchronous proxy, in which bulk copies and wgmma access memory
async::generic  between the asynchronous and the generic proxy
generic         the generic proxy: ordinary loads and stores
nc              through the read-only cache; the memory must not change during the kernel
ca              cache at all levels
cg              cache in L2 only
cs              streaming: likely accessed once
lu              last use: the line is not needed again
cv              do not cache, fetch again
wb              write back, all levels
wt              write through the L2 cache
bar.cta         a barrier of the CTA
barrier.cta     a barrier of the CTA
barrier.cluster a barrier of all threads of the cluster
bar.warp        a barrier of lanes of one warp
sync            wait until all have arrived
arrive          arrive without waiting
red             wait, and combine a predicate over all threads
aligned         all threads of the warp execute this same instruction
popc            count the threads whose predicate is true
bar.and         true if every thread's predicate is
bar.or          true if any thread's predicate is
barrier.and     true if every thread's predicate is
barrier.or      true if any thread's predicate is
uni             all executing threads go the same way
idx             the lane named by b
brx.idx         the target is chosen from a list by an index
up              the lane b below
down            the lane b above
bfly            the lane whose number differs in the bits of b
all             true if all lanes agree
any             true if any lane's predicate is
vote.uni        true if all lanes' predicates are equal
ballot          the mask of the lanes whose predicate is true
match.any       the mask of the lanes that hold the same value
match.all       the mask, if all lanes hold the same value, else 0
add             addition
inc             count up: (old >= b) ? 0 : old + 1
dec             count down: (old == 0 or old > b) ? b : old - 1
min             the smaller value
max             the larger value
and             bitwise and
or              bitwise or
xor             bitwise exclusive or
exch            store b, return the old value
cas             compare and swap: if the old value is b, store c
noftz           subnormal numbers are kept
ld_reduce       load from all devices that the address points to, and combine the values
multimem.st     store on all devices that the address points to
multimem.red    combine with the values on all devices that the address points to
acc::f32        accumulate in .f32, round once at the end
to              from generic to the space
fence.sc        also part of one order of all .sc fences
wait            wait for the grids that this one depends on
launch_dependents  dependent grids may start
mask            the events whose bits are set
po              plus one
shr7            shift the result right by 7
shr15           shift the result right by 15
L1::evict_normal    the usual eviction priority in L1
L1::evict_unchanged do not change the eviction priority in L1
L1::evict_first     first to be evicted from L1
L1::evict_last      last to be evicted from L1
L1::no_allocate     do not keep it in L1
L2::64B         prefetch 64 bytes into L2
L2::128B        prefetch 128 bytes into L2
L2::256B        prefetch 256 bytes into L2
L2::cache_hint  a cache policy is the last operand
L2::evict_last      last to be evicted from L2
L2::evict_normal    the usual eviction priority in L2
L2::evict_unchanged do not change the eviction priority in L2
L2::evict_first     first to be evicted from L2
L1              the L1 cache
L2              the L2 cache
row             the matrix lies row by row
col             the matrix lies column by column
trans           transposed while it is loaded or stored
sp              matrix A is sparse: 2 of 4 elements, with metadata
x1              one matrix or register group
x2              two matrices or register groups
x4              four matrices or register groups
bulk            a copy of a block of bytes by the copy engine
commit_group    close the group of copies started so far
wait_group      wait until at most N groups are pending
wait_all        wait until no copy is pending
mbarrier        completion is told to an mbarrier
mbarrier::complete_tx::bytes  the mbarrier's count of bytes goes down as they arrive
bulk_group      completion belongs to a bulk group
fractional      a priority for a fraction of the accesses
range           a priority for a range of addresses
createpolicy.cvt  from the value of the CUDA API's access window
tensormap       the tensor map in this memory
tensormap::generic  between the tensor map and the generic proxy
mbarrier_init   only earlier mbarrier.init of this thread
sync_restrict::shared::cta      only objects in shared memory of the CTA
sync_restrict::shared::cluster  only objects in shared memory of the cluster
read            wait only until the sources have been read
noinc           the arrival does not raise the count of pending ones
init            set up an mbarrier for a number of arrivals
inval           end the life of an mbarrier
expect_tx       more bytes are to come
complete_tx     bytes have come
arrive_drop     arrive, and expect one thread less from now on
noComplete      must not complete the phase
test_wait       whether the phase has completed
try_wait        wait a while for the phase
parity          the phase is named by its parity
pending_count   how many arrivals are pending in a state
multicast::cluster  the same bytes go to several CTAs of the cluster
"""


def _table() -> dict[str, str]:
    rows = (row.split(None, 1) for row in _ROWS.splitlines() if row.strip())
    return {word: " ".join(text.split()) for word, text in rows}


MODIFIERS = _table()
_KINDS = {
    "u": "{}-bit unsigned integer",
    "s": "{}-bit signed integer",
    "b": "{} bits without a type",
    "f": "{}-bit float",
}
_FORMATS = {
    "bf16": "brain float: the upper half of an .f32",
    "tf32": "float: an .f32 of which 10 bits of the fraction count",
    "e4m3": "float with 4 bits of exponent and 3 of fraction, no infinities",
    "e5m2": "float with 5 bits of exponent and 2 of fraction",
    "e2m3": "float with 2 bits of exponent and 3 of fraction",
    "e3m2": "float with 3 bits of exponent and 2 of fraction",
    "e2m1": "float with 2 bits of exponent and 1 of fraction",
    "ue8m0": "float: a power of two without sign",
    "ue4m3": "float with 4 bits of exponent and 3 of fraction, no sign",
}


def describe_modifier(mnemonic: str, word: str) -> str:
    """What a dotted word says in an opcode; empty for a word without a row, which the manual's page describes."""
    own = MODIFIERS.get(f"{mnemonic}.{word}")
    if own is None and word in TYPES:
        return describe_type(TYPES[word])
    return own or MODIFIERS.get(word, "")


def describe_type(kind: ScalarType) -> str:
    """A type in words: `32-bit float`."""
    if kind.kind == "p":
        return "predicate"
    base, times, count = kind.name.rpartition("x")
    if kind.kind in "va" and times and count.isdigit() and base in TYPES:
        return f"{count} times .{base} in {kind.width} bits"
    if kind.name in _FORMATS:
        return f"{kind.width}-bit {_FORMATS[kind.name]}"
    return _KINDS[kind.kind].format(kind.width)
