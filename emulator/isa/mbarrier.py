"""The mbarrier object: 64 bits of shared memory, and what operations make of them (manual, 9.7.13.15).

    bits 0       1 from mbarrier.init to mbarrier.inval
    bits 1-20    minus the expected count, modulo 2^20
    bits 21-42   the tx-count, two's complement
    bits 43-62   minus the pending count, modulo 2^20
    bit  63      the parity of the current phase

The counts lie where ptxas 13.0 puts them for sm_90a and where its code looks for them in a state; bit 0 is ours.
There is nothing else: a state is the word before an arrival, and whoever sees the bytes sees the barrier.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.isa.ops import S64, U32, U64, Ops, Value

MOST = (1 << 20) - 1  # of arrivals, and of bytes in both directions
EXPECTED_BIT, TX_BIT, PENDING_BIT, PHASE_BIT = 1, 21, 43, 63
TX_BITS = 22

# Why an operation cannot be done: what `Mbarrier.fault` holds.
NO_OBJECT, COUNT, PENDING, TX_COUNT, EXPECTED, COMPLETES, TOO_MANY, NOT_SHARED = range(1, 9)


@dataclass(frozen=True, slots=True)
class Contents:
    """The fields of one object as numbers, for reports."""

    valid: bool
    parity: int
    pending: int
    expected: int
    tx_count: int

    @staticmethod
    def of(word: int) -> Contents:
        """The fields of a 64-bit word."""
        tx = word >> TX_BIT & (1 << TX_BITS) - 1
        tx -= tx >> TX_BITS - 1 << TX_BITS
        pending, expected = -(word >> PENDING_BIT) & MOST, -(word >> EXPECTED_BIT) & MOST
        return Contents(bool(word & 1) and abs(tx) <= MOST, word >> PHASE_BIT, pending, expected, tx)

    def __str__(self) -> str:
        arrivals = f"{self.pending:,} of {self.expected:,} arrivals pending"
        word = "missing" if self.tx_count >= 0 else "ahead"
        return f"phase of parity {self.parity}, {arrivals}, {abs(self.tx_count):,} bytes {word}"


class Mbarrier:
    """The objects of 32 lanes while an operation changes them; fault: the first rule that is broken, 0 if none."""

    def __init__(self, ops: Ops, word: Value) -> None:
        self.ops = ops
        word = ops.view(word, U64)
        self.phase = word >> PHASE_BIT
        self.pending = -(word >> PENDING_BIT) & MOST
        self.expected = -(word >> EXPECTED_BIT) & MOST
        self.tx_count = ops.view(word << 64 - TX_BIT - TX_BITS, S64) >> 64 - TX_BITS
        self.fault = ops.const(U32, 0)
        self._refuse(word & 1 == 0, NO_OBJECT)
        self._refuse(self.tx_count < -MOST, NO_OBJECT)

    @staticmethod
    def fresh(ops: Ops, count: Value) -> Mbarrier:
        """An object as mbarrier.init makes it."""
        found = Mbarrier(ops, ops.const(U64, 1))
        found.pending = found.expected = ops.cast(count, U64)
        found._refuse((count == 0) | (count > MOST), COUNT)
        return found

    def _refuse(self, wrong: Value, why: int) -> None:
        self.fault = self.ops.select(wrong & (self.fault == 0), self.ops.const(U32, why), self.fault)

    def word(self) -> Value:
        """The bits of the object."""
        tx = self.ops.view(self.tx_count, U64) & (1 << TX_BITS) - 1
        counts = (-self.pending & MOST) << PENDING_BIT | (-self.expected & MOST) << EXPECTED_BIT
        return self.phase << PHASE_BIT | counts | tx << TX_BIT | 1

    # --- the operations that all instructions are made of --------------------------------------------

    def expect(self, count: Value) -> None:
        """expect-tx: so many bytes more are to come."""
        self.tx_count = self.tx_count + self.ops.view(self.ops.cast(count, U64), S64)
        self._refuse(self.tx_count > MOST, TX_COUNT)
        self._try_phase()

    def complete(self, count: Value) -> None:
        """complete-tx: so many bytes have come; they may come before they are expected."""
        self.tx_count = self.tx_count - self.ops.view(self.ops.cast(count, U64), S64)
        self._refuse(self.tx_count < -MOST, TX_COUNT)
        self._try_phase()

    def drop(self, count: Value) -> None:
        """So many arrivals less are expected in later phases."""
        number = self.ops.cast(count, U64)
        self._refuse((count == 0) | (count > MOST), COUNT)
        self._refuse(number > self.expected, EXPECTED)
        self.expected = self.expected - number

    def arrive(self, count: Value, *, completes: bool = True) -> None:
        """arrive-on: so many arrivals less are pending; completes: whether the phase may complete by it."""
        number = self.ops.cast(count, U64)
        self._refuse((count == 0) | (count > MOST), COUNT)
        self._refuse(number > self.pending, PENDING)
        self.pending = self.pending - number
        if not completes:
            self._refuse(self._is_complete(), COMPLETES)
        self._try_phase()

    def wait_for_one_more(self) -> None:
        """One arrival more is pending in this phase."""
        self.pending = self.pending + 1
        self._refuse(self.pending > MOST, TOO_MANY)

    def _is_complete(self) -> Value:
        return (self.pending == 0) & (self.tx_count == 0)

    def _try_phase(self) -> None:
        """The next phase, if nothing of this one is pending."""
        done = self._is_complete()
        self.phase = self.phase ^ self.ops.cast(done, U64)
        self.pending = self.ops.select(done, self.expected, self.pending)


def pending_of(ops: Ops, state: Value) -> Value:
    """The pending count in a state, as sm_90a computes it: 2^20 for none (u32)."""
    return ops.cast(1 + MOST - (ops.view(state, U64) >> PENDING_BIT & MOST), U32)


def phase_of(ops: Ops, word: Value) -> Value:
    """The parity of the phase of an object or state (u32)."""
    return ops.cast(ops.view(word, U64) >> PHASE_BIT, U32)
