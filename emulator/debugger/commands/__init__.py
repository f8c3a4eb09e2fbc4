"""The commands: importing this fills the table."""

from emulator.debugger.commands import (
    asking,
    changing,
    explaining,
    focusing,
    info,
    looking,
    running,
    shapes,
    stopping,
    travel,
    watching,
)
from emulator.debugger.commands.table import COMMANDS, Command, find, run_line

__all__ = [
    "COMMANDS",
    "Command",
    "asking",
    "changing",
    "explaining",
    "find",
    "focusing",
    "info",
    "looking",
    "run_line",
    "running",
    "shapes",
    "stopping",
    "travel",
    "watching",
]
