// assert() and __trap(): nothing where the condition holds, the end of the program where it does not.
#include <cassert>

extern "C" __global__ void below(const int* values, int* out, int limit) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    assert(values[i] < limit && "value too large");
    out[i] = values[i] + 1;
}

extern "C" __global__ void stop(const int* values) {
    if (values[threadIdx.x] == 13) __trap();
}
