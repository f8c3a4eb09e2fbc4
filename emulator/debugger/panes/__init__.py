"""Panes: pure functions from the state of a session to lines of at most 80 signs."""
