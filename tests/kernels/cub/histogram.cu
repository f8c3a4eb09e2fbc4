// CUB's device-wide histograms: even bins, bins between given levels, several channels of a pixel, rows with a pitch.

#include <cub/device/device_histogram.cuh>

extern "C" {

cudaError_t even_bytes(void *temp, size_t *bytes, const unsigned char *in, int *counts, int n) {
    return cub::DeviceHistogram::HistogramEven(temp, *bytes, in, counts, 65, 0, 256, n);
}

cudaError_t even_floats(void *temp, size_t *bytes, const float *in, int *counts, int n) {
    return cub::DeviceHistogram::HistogramEven(temp, *bytes, in, counts, 11, -2.5f, 2.5f, n);
}

cudaError_t by_levels(void *temp, size_t *bytes, const int *in, int *counts, const int *levels, int bins, int n) {
    return cub::DeviceHistogram::HistogramRange(temp, *bytes, in, counts, bins + 1, levels, n);
}

cudaError_t colours(
    void *temp, size_t *bytes, const unsigned char *in, int *red, int *green, int *blue, int columns, int rows,
    int pitch) {
    cuda::std::array<int *, 3> counts{red, green, blue};
    cuda::std::array<int, 3> bounds{33, 17, 257}, low{0, 0, 0}, high{256, 256, 256};
    return cub::DeviceHistogram::MultiHistogramEven<4, 3>(
        temp, *bytes, in, counts, bounds, low, high, columns, rows, (size_t)pitch);
}
}
