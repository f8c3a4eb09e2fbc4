"""The commands: importing this fills the table."""

from emulator.debugger.commands import asking, focusing, info, looking, running, stopping, travel
from emulator.debugger.commands.table import COMMANDS, Command, find, run_line

__all__ = [
    "COMMANDS",
    "Command",
    "asking",
    "find",
    "focusing",
    "info",
    "looking",
    "run_line",
    "running",
    "stopping",
    "travel",
]
