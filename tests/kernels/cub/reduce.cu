// CUB's device-wide reductions: one block, two passes of many blocks, segments, and an index beside the value.

#include <cub/device/device_reduce.cuh>
#include <cub/device/device_segmented_reduce.cuh>

extern "C" {

cudaError_t sum(void *temp, size_t *bytes, const int *in, int *out, int n) {
    return cub::DeviceReduce::Sum(temp, *bytes, in, out, n);
}

cudaError_t largest(void *temp, size_t *bytes, const double *in, double *out, int n) {
    return cub::DeviceReduce::Max(temp, *bytes, in, out, n);
}

cudaError_t smallest_place(void *temp, size_t *bytes, const float *in, float *out, long long *place, int n) {
    return cub::DeviceReduce::ArgMin(temp, *bytes, in, out, place, (long long)n);
}

cudaError_t segment_sums(void *temp, size_t *bytes, const float *in, float *out, int segments, const int *offsets) {
    return cub::DeviceSegmentedReduce::Sum(temp, *bytes, in, out, segments, offsets, offsets + 1);
}
}
