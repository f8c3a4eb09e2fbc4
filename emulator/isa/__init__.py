"""What every instruction looks like and means.

signature.py     compiles a syntax line of the manual into a matcher
registry.py      @instruction: one entry a syntax line; lookup, listing, examples
ops.py           the vocabulary in which meanings are written
instructions/    the entries, one file a chapter of the manual
"""
