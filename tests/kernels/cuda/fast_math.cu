// nvcc --use_fast_math
// Approximate mathematics: small numbers become zero, divisions and roots are approximate, functions are the unit's.

extern "C" __global__ void functions(const float* in, float* out) {
    float x = in[threadIdx.x];
    float* y = out + 10 * threadIdx.x;
    y[0] = sinf(x), y[1] = cosf(x), y[2] = expf(x), y[3] = logf(x), y[4] = x / 3.7f;
    y[5] = sqrtf(x), y[6] = powf(x, 1.25f), y[7] = tanf(x / 2), y[8] = 1.0f / x, y[9] = tanhf(x);
}

extern "C" __global__ void small(const float* a, const float* b, float* out) {
    int t = threadIdx.x;
    float x = a[t], y = b[t];
    out[5 * t] = x + y;
    out[5 * t + 1] = x * y;
    out[5 * t + 2] = fmaf(x, y, x);
    out[5 * t + 3] = x > y ? 1.0f : 0.0f;
    out[5 * t + 4] = fmaxf(x, y);
}

// A softmax, as every language model has it.
extern "C" __global__ void softmax(const float* in, float* out, int n) {
    const float* row = in + blockIdx.x * n;
    float most = -INFINITY, sum = 0;
    for (int i = threadIdx.x; i < n; i += 32) most = fmaxf(most, row[i]);
    for (int distance = 16; distance > 0; distance /= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, distance));
    for (int i = threadIdx.x; i < n; i += 32) sum += expf(row[i] - most);
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(~0u, sum, distance);
    for (int i = threadIdx.x; i < n; i += 32) out[blockIdx.x * n + i] = expf(row[i] - most) / sum;
}
