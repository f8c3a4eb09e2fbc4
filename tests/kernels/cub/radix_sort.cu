// CUB's device-wide radix sorts: one block for few keys, one sweep a digit for many; bits of keys; falling order.

#include <cub/device/device_radix_sort.cuh>

extern "C" {

cudaError_t sort_keys(void *temp, size_t *bytes, const unsigned *in, unsigned *out, int n) {
    return cub::DeviceRadixSort::SortKeys(temp, *bytes, in, out, n);
}

cudaError_t sort_pairs_down(
    void *temp, size_t *bytes, const float *keys, float *keys_out, const int *values, int *values_out, int n) {
    return cub::DeviceRadixSort::SortPairsDescending(temp, *bytes, keys, keys_out, values, values_out, n);
}

cudaError_t sort_bits(
    void *temp, size_t *bytes, const short *keys, short *keys_out, const int *values, int *values_out, int n) {
    return cub::DeviceRadixSort::SortPairs(temp, *bytes, keys, keys_out, values, values_out, n, 3, 11);
}
}
