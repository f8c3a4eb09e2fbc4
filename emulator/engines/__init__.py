"""What makes the machine move: backends for the meanings of the instructions, and the order in which warps run.

reference/       meanings on NumPy rows of 32 lanes, one instruction at a time: readable first
"""
