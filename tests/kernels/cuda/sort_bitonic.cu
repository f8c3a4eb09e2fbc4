// Bitonic sort of keys with values in shared memory.

template <typename Key> __device__ void sort(Key* keys, unsigned* values, int n, bool descending) {
    extern __shared__ __align__(16) unsigned char raw[];
    Key* key = reinterpret_cast<Key*>(raw);
    unsigned* value = reinterpret_cast<unsigned*>(key + n);
    for (int i = threadIdx.x; i < n; i += blockDim.x) key[i] = keys[i], value[i] = values[i];
    for (int size = 2; size <= n; size *= 2) {
        for (int stride = size / 2; stride > 0; stride /= 2) {
            __syncthreads();
            for (int t = threadIdx.x; t < n / 2; t += blockDim.x) {
                int a = 2 * t - (t & (stride - 1)), b = a + stride;
                bool up = ((a & size) == 0) != descending;
                if ((key[a] > key[b]) == up) {
                    Key k = key[a];
                    key[a] = key[b];
                    key[b] = k;
                    unsigned v = value[a];
                    value[a] = value[b];
                    value[b] = v;
                }
            }
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) keys[i] = key[i], values[i] = value[i];
}

extern "C" __global__ void sort_f32(float* keys, unsigned* values, int n) { sort(keys, values, n, false); }

extern "C" __global__ void sort_s64_down(long long* keys, unsigned* values, int n) { sort(keys, values, n, true); }
