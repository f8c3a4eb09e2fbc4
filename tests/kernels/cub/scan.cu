// CUB's device-wide scans: tiles that look back at each other's sums while they run.

#include <cub/device/device_scan.cuh>

struct Later {  // of two pairs (a, b) for x -> a x + b, the one that does both; the order matters
    __device__ uint2 operator()(uint2 first, uint2 second) const {
        return make_uint2(first.x * second.x, first.y * second.x + second.y);
    }
};

extern "C" {

cudaError_t exclusive_sum(void *temp, size_t *bytes, const int *in, int *out, int n) {
    return cub::DeviceScan::ExclusiveSum(temp, *bytes, in, out, n);
}

cudaError_t inclusive_steps(void *temp, size_t *bytes, const uint2 *in, uint2 *out, int n) {
    return cub::DeviceScan::InclusiveScan(temp, *bytes, in, out, Later(), n);
}

cudaError_t sums_by_key(
    void *temp, size_t *bytes, const int *keys, const unsigned long long *in, unsigned long long *out, int n) {
    return cub::DeviceScan::InclusiveSumByKey(temp, *bytes, keys, in, out, n);
}
}
