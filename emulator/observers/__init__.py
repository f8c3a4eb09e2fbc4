"""What watches a run: counters, traces, checkers.  Each declares the events that it wants (emulator/observer.py).

counters.py   instructions and active lanes by opcode
"""
