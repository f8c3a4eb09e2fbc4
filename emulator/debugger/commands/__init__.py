"""The commands: importing this fills the table."""

from emulator.debugger.commands import focusing, info, looking, running, stopping, travel
from emulator.debugger.commands.table import COMMANDS, Command, find, run_line

__all__ = ["COMMANDS", "Command", "find", "focusing", "info", "looking", "run_line", "running", "stopping", "travel"]
