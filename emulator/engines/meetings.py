"""Barriers and exits: who arrives, what completes, who goes on (manual, 9.7.13.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.machine.blocks import BARRIERS
from emulator.machine.cta import Barrier, Cta
from emulator.machine.warp import Warp, mask_of

if TYPE_CHECKING:
    from emulator.engines.reference.ops import ReferenceOps
    from emulator.engines.run import Runner


class Meetings:
    """The barriers of a runner's CTAs.  completed: the one whose lanes go on now, for the results of reductions."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.completed: Barrier | None = None

    def arrive(self, ops: ReferenceOps, number: int, threads: int, lanes: Any, wait: bool, votes: Any) -> None:
        """Lanes arrive at a named barrier of their CTA; threads: its count, 0 for all of the CTA."""
        warp, cta, mask = ops.warp, ops.warp.cta, mask_of(lanes)
        barrier = cta.barrier(number)
        if not barrier.in_use:
            barrier.count = threads
        elif barrier.count != threads:
            if {barrier.count, threads} != {0, cta.all_threads}:
                text = f"barrier {number} with {threads or 'all'} threads: it was opened with {barrier.count or 'all'}"
                raise self.runner.faults.bad_barrier(ops, lanes, text)
            barrier.count = 0
        barrier.add(warp.index, mask, wait=wait, in_favour=None if votes is None else mask_of(votes))
        warp.waiting |= mask
        self._try_barrier(cta, barrier)

    def _try_barrier(self, cta: Cta, barrier: Barrier) -> None:
        for index in cta.settle(barrier):
            self._let_go(cta, {index: barrier.take_passing(index)})
        if not barrier.in_use or not cta.is_complete(barrier):
            return
        self.runner.progress += 1
        self.completed = barrier.complete()
        self._let_go(cta, self.completed.waiting)

    def _let_go(self, cta: Cta, waiting: dict[int, int]) -> None:
        """Lanes that waited go on, in the order of their warps."""
        engine, here = self.runner.engine, self.runner.engine.position()
        for index, lanes in waiting.items():
            if lanes:
                engine.resume(cta.warps[index], lanes)
        engine.back_to(here)
        self.runner.make_ready([cta.warps[index] for index, lanes in waiting.items() if lanes])

    def lanes_exited(self, warp: Warp) -> None:
        """Lanes of a warp have exited: what waited for them may go on."""
        if not warp.live:
            self.runner.progress += 1
        for number in range(BARRIERS):
            if number in warp.cta.open_barriers:
                self._try_barrier(warp.cta, warp.cta.barrier(number))
        if warp.rendezvous:
            engine, here = self.runner.engine, self.runner.engine.position()
            for key in list(warp.rendezvous):
                engine.try_rendezvous(warp, key)
            engine.back_to(here)
