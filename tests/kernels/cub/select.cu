// CUB's device-wide selections: by a condition, by flags, of neighbours that differ; runs; and both sides of a cut.

#include <cub/device/device_partition.cuh>
#include <cub/device/device_run_length_encode.cuh>
#include <cub/device/device_select.cuh>

struct Above {
    int limit;
    __device__ bool operator()(int x) const { return x > limit; }
};

extern "C" {

cudaError_t above(void *temp, size_t *bytes, const int *in, int *out, int *count, int n, int limit) {
    return cub::DeviceSelect::If(temp, *bytes, in, out, count, n, Above{limit});
}

cudaError_t flagged(
    void *temp, size_t *bytes, const short *in, const unsigned char *flags, short *out, int *count, int n) {
    return cub::DeviceSelect::Flagged(temp, *bytes, in, flags, out, count, n);
}

cudaError_t unique(void *temp, size_t *bytes, const int *in, int *out, int *count, int n) {
    return cub::DeviceSelect::Unique(temp, *bytes, in, out, count, n);
}

cudaError_t partition(void *temp, size_t *bytes, const int *in, int *out, int *count, int n, int limit) {
    return cub::DevicePartition::If(temp, *bytes, in, out, count, n, Above{limit});
}

cudaError_t runs(void *temp, size_t *bytes, const int *in, int *out, int *lengths, int *count, int n) {
    return cub::DeviceRunLengthEncode::Encode(temp, *bytes, in, out, lengths, count, n);
}
}
