"""The full-screen view, driven by textual's pilot; test_terminal.py starts it in a terminal."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import RichLog, Static

from emulator import samples
from emulator.debugger.tui import CommandLine, DebuggerApp
from tests.debugger.scripted import session_of

SPIN = """//! title:  A loop that does not end
//! launch: spin<<<1, 64>>>(out)
//! out:    u32[1] == 1
.version 8.0
.target sm_80
.address_size 64
.visible .entry spin(.param .u64 out)
{
    .reg .b32 %turns;
    .reg .b64 %out;
    ld.param.u64 %out, [out];
AGAIN:
    add.u32 %turns, %turns, 1;
    st.global.u32 [%out], %turns;
    bra     AGAIN;
}
"""


BARRIER = "  =>   32      bar.sync        0;                              // CUDA's __sy..."


class Driver:
    """Presses keys and reads panes."""

    def __init__(self, app: DebuggerApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def type(self, line: str) -> None:
        await self.press(*line, "enter")

    async def settle(self) -> None:
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    def pane(self, name: str) -> list[str]:
        return str(self.app.query_one(f"#{name}", Static).content).splitlines()

    def title(self, name: str) -> str:
        return str(self.app.query_one(f"#{name}").border_title)

    def answers(self) -> list[str]:
        return [line.text.rstrip() for line in self.app.query_one("#answers", RichLog).lines]

    @property
    def typed(self) -> str:
        return self.app.query_one(CommandLine).value


def drive(
    script: Callable[[Driver], Awaitable[None]],
    sample: str | samples.Sample = "03_shared/reverse",
    lines: tuple[str, ...] = (),
    size: tuple[int, int] = (80, 25),
) -> None:
    async def run() -> None:
        found = samples.find(sample) if isinstance(sample, str) else sample
        app = DebuggerApp(session_of(found), lines)
        async with app.run_test(size=size) as pilot:
            driver = Driver(app, pilot)
            await driver.settle()
            await script(driver)

    asyncio.run(run())


def test_four_panes_in_one_window_of_80_by_25() -> None:
    async def script(driver: Driver) -> None:
        await driver.type("step 8")
        assert driver.title("source") == "03_shared/reverse   event 8"
        assert [line for line in driver.pane("source") if "=>" in line] == [BARRIER]
        assert driver.title("lanes") == "block (0,0,0) warp 0 lane 0 thread (0,0,0)"
        assert driver.pane("lanes")[0] == f"  lanes  {'#' * 32}  32 of 32  0xffffffff"
        assert driver.pane("lanes")[1].split()[:5] == ["%mine", "u32", "0x400", "+", "4*lane"]
        assert driver.title("shared") == "shared memory of block (0,0,0)"
        assert driver.pane("shared")[0].split() == ["0x400", "<tile>", *(f"{n}.0" for n in range(8))]
        assert driver.title("warps") == "block (0,0,0)   128 threads, 4 warps"
        assert driver.pane("warps")[0] == f"*   0      {'#' * 32}  0xffffffff    32  ready"
        shown = [line for name in ("source", "lanes", "shared", "warps") for line in driver.pane(name)]
        assert max(map(len, shown)) <= 80
        panes = [driver.app.query_one(f"#{name}").content_size for name in ("source", "lanes", "shared", "warps")]
        assert [size.width for size in panes] == [80] * 4
        assert min(size.height for size in panes) >= 2

    drive(script)


def test_keys_step_back_and_forth_and_change_the_warp() -> None:
    async def script(driver: Driver) -> None:
        await driver.press("f8", "f8")
        assert driver.title("source").endswith("event 2")
        await driver.press("f7")
        assert driver.title("source").endswith("event 1 of 2")
        await driver.press("f4")
        assert "warp 1 lane 0 thread (32,0,0)" in driver.title("lanes")
        await driver.press("f3", "f3")
        assert "warp 3" in driver.title("lanes")
        await driver.press("f5")
        assert driver.pane("source")[0] == "The run has ended: 56 warp instructions."
        assert driver.pane("lanes") == ["nothing is running here: reverse-step goes back, run starts again"]
        await driver.press("f6")
        assert driver.title("source").endswith("event 0 of 56")

    drive(script)


def test_commands_answer_as_on_the_console() -> None:
    async def script(driver: Driver) -> None:
        await driver.type("step 3")
        await driver.press("enter")  # repeats the step
        assert driver.title("source").endswith("event 6")
        await driver.type("print %thread")
        assert driver.answers()[-2:] == ["(ptx) print %thread", "$1 = lane    lane 0: 0"]
        await driver.type("setp 1")
        assert driver.answers()[-2].startswith("error: no command is called 'setp'")
        await driver.type("break 38")
        await driver.press("f5")
        assert driver.answers()[-1] == "Breakpoint 1, line 38"

    drive(script)


def test_history_and_completion() -> None:
    async def script(driver: Driver) -> None:
        await driver.type("print %thread")
        await driver.type("when")
        await driver.press("up", "up")
        assert driver.typed == "print %thread"
        await driver.press("down", "down")
        assert driver.typed == ""
        await driver.press(*"print %pa", "tab")
        assert driver.typed == "print %partner "
        await driver.press("ctrl+c")
        assert driver.typed == ""
        await driver.press(*"reverse-", "tab")
        assert driver.typed == "reverse-"
        assert driver.answers()[-1] == "reverse-continue reverse-finish reverse-next reverse-step"

    drive(script)


def test_a_long_answer_takes_the_room_of_the_panes_until_the_next_stop() -> None:
    async def script(driver: Driver) -> None:
        await driver.type("help")
        assert driver.app.has_class("-answers")
        assert driver.app.answer_pane.size.height > 15
        await driver.press("f8")
        assert not driver.app.has_class("-answers")
        await driver.press("f2")
        assert driver.app.has_class("-answers")

    drive(script)


def test_registers_of_the_next_instruction_come_first() -> None:
    async def script(driver: Driver) -> None:
        await driver.type("step 7")  # the next one is st.shared.f32 [%mine], %value
        assert [line.split()[0] for line in driver.pane("lanes")[1:4]] == ["%mine", "%value", "%thread"]

    drive(script)


def test_a_fault_says_where_the_rest_of_its_report_is() -> None:
    async def script(driver: Driver) -> None:
        assert driver.title("answers") == "answers (F2 shows all 13 lines)"
        assert "warp 3 lane 20" in driver.title("lanes")

    drive(script, "faults/gather_rows", ("continue",))


def test_what_kernels_print_is_an_answer() -> None:
    async def script(driver: Driver) -> None:
        assert "Hello from thread 0 of CTA 0, 0.0 percent done" in driver.answers()

    drive(script, "06_functions/hello_vprintf", ("continue",))


def test_dynamic_shared_memory_has_the_size_of_the_launch() -> None:
    async def script(driver: Driver) -> None:
        assert driver.pane("shared")[0].split()[-8:] == [f"{n:#x}" for n in range(8)]

    drive(script, "03_shared/block_sum", ("break opcode:bar.sync", "continue"))


def test_a_wide_window_has_two_columns() -> None:
    async def script(driver: Driver) -> None:
        source, lanes = (driver.app.query_one(f"#{name}").region for name in ("source", "lanes"))
        assert (source.y, source.x) == (lanes.y, 0)
        assert lanes.x >= 80
        assert len(driver.pane("source")) > 20

    drive(script, size=(170, 40))


@pytest.mark.slow
def test_ctrl_c_stops_a_running_kernel(tmp_path: Path) -> None:
    (tmp_path / "spin.ptx").write_text(SPIN)

    async def script(driver: Driver) -> None:
        await driver.pilot.press(*"continue", "enter")
        started = time.monotonic()
        while not (driver.app.busy and driver.app.session.timeline.now > 1000):
            assert time.monotonic() - started < 30
            await driver.pilot.pause(0.02)
        await driver.pilot.press("f8")
        await driver.press("ctrl+c")
        assert "a command is running: Ctrl-C stops it" in driver.answers()
        assert driver.answers()[-1].startswith("Interrupted at event ")
        now = driver.app.session.timeline.now
        await driver.press("f8", "f7")
        assert driver.app.session.timeline.now == now

    drive(script, samples.read(tmp_path / "spin.ptx", tmp_path, "spin.ptx"))


@pytest.mark.parametrize("keys", [("f10",), (*"quit", "enter")])
def test_leaves(keys: tuple[str, ...]) -> None:
    async def script(driver: Driver) -> None:
        await driver.pilot.press(*keys)
        await driver.app.workers.wait_for_complete()
        await driver.pilot.pause()
        assert not driver.app.is_running or driver.app._exit

    drive(script)
