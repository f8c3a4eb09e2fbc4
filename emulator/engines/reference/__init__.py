"""The reference engine: every operation of a meaning is a NumPy operation on a row of lanes.

lane_ops.py      values: integers, floats, the warp's permutations
float_ops.py     exact float arithmetic in all rounding modes
rounding.py      the rounding itself: error-free transformations and integers
"""
