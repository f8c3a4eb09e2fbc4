//! title:     Softmax of rows, as nvcc compiles it
//! launch:    softmax<<<4, 128>>>(in, out, 200)
//! in:        f32[4, 200] = random
//! out:       f32[4, 200]
//! reference: reference.py:softmax
//! tolerance: out rtol=2e-6 atol=1e-9

// One CTA, one row. The maximum and the sum go over the row in three steps: each thread over its own elements, each
// warp by shuffles, the first warp over the warps' results in shared memory.

struct Larger { static __device__ float of(float a, float b) { return fmaxf(a, b); } };
struct Sum { static __device__ float of(float a, float b) { return a + b; } };

template <class Operation>
__device__ float over_warp(float value)
{
    for (int distance = 16; distance > 0; distance /= 2)
        value = Operation::of(value, __shfl_xor_sync(0xffffffff, value, distance));
    return value;
}

template <class Operation>
__device__ float over_block(float value, float neutral)
{
    __shared__ float of_warp[32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    value = over_warp<Operation>(value);
    __syncthreads();                                // the array may still be read from the call before
    if (lane == 0)
        of_warp[warp] = value;
    __syncthreads();
    return over_warp<Operation>(lane < warps ? of_warp[lane] : neutral);
}

extern "C" __global__ void softmax(const float *in, float *out, int columns)
{
    in += blockIdx.x * columns;
    out += blockIdx.x * columns;
    float largest = -INFINITY;
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        largest = fmaxf(largest, in[i]);
    largest = over_block<Larger>(largest, -INFINITY);
    float total = 0;
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        total += expf(in[i] - largest);
    total = over_block<Sum>(total, 0);
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        out[i] = expf(in[i] - largest) / total;
}
