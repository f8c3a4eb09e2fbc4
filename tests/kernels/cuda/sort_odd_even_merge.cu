// Batcher's odd-even merge sort of 16-bit numbers, and a merge of two sorted lists by binary search.

extern "C" __global__ void sort(unsigned short* data, int n) {
    __shared__ unsigned short list[256];
    int t = threadIdx.x;
    list[t] = data[t];
    for (int size = 1; size < n; size *= 2) {
        for (int stride = size; stride > 0; stride /= 2) {
            __syncthreads();
            int start = stride & (size - 1);
            bool first = t >= start && (t - start) % (2 * stride) < stride && t + stride < n;
            if (first && t / (2 * size) == (t + stride) / (2 * size)) {
                unsigned short a = list[t], b = list[t + stride];
                list[t] = min(a, b);
                list[t + stride] = max(a, b);
            }
        }
    }
    __syncthreads();
    data[t] = list[t];
}

template <bool upper> __device__ int bound(const int* list, int n, int value) {
    int low = 0, high = n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (list[middle] < value || (upper && list[middle] == value))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

extern "C" __global__ void merge(const int* a, int na, const int* b, int nb, int* out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < na)
        out[i + bound<false>(b, nb, a[i])] = a[i];
    else if (i < na + nb)
        out[i - na + bound<true>(a, na, b[i - na])] = b[i - na];
}
