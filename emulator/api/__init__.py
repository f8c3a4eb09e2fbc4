"""The public classes, in the names of NVIDIA's cuda.core; arrays are our addition.

system.py      System: devices, memory, schedule, limits
device.py      Device, Buffer, Stream, Event
kernel.py      ObjectCode, Kernel, LaunchConfig, launch
parameters.py  Python values -> the bytes of kernel parameters
"""
