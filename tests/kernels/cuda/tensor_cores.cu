// Matrix fragments of a warp: half and bfloat16 to float, bytes to int, row and column layouts, double.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

using namespace nvcuda;

// C (m x n) = A (m x k, row-major) B (k x n, column-major) + C; one warp a tile of 16 x 16.
extern "C" __global__ void half_matmul(const __half* a, const __half* b, float* c, int n, int k) {
    wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::col_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    float* tile = c + blockIdx.y * 16 * n + blockIdx.x * 16;
    wmma::load_matrix_sync(sum, tile, n, wmma::mem_row_major);
    for (int i = 0; i < k; i += 16) {
        wmma::load_matrix_sync(left, a + blockIdx.y * 16 * k + i, k);
        wmma::load_matrix_sync(right, b + blockIdx.x * 16 * k + i, k);
        wmma::mma_sync(sum, left, right, sum);
    }
    for (int i = 0; i < sum.num_elements; i++) sum.x[i] *= 2.0f;
    wmma::store_matrix_sync(tile, sum, n, wmma::mem_row_major);
}

extern "C" __global__ void half_to_half(const __half* a, const __half* b, __half* c) {
    wmma::fragment<wmma::matrix_a, 32, 8, 16, __half, wmma::col_major> left;
    wmma::fragment<wmma::matrix_b, 32, 8, 16, __half, wmma::row_major> right;
    wmma::fragment<wmma::accumulator, 32, 8, 16, __half> sum;
    wmma::fill_fragment(sum, __float2half(1.0f));
    wmma::load_matrix_sync(left, a, 32);
    wmma::load_matrix_sync(right, b, 8);
    wmma::mma_sync(sum, left, right, sum);
    wmma::store_matrix_sync(c, sum, 32, wmma::mem_col_major);
}

extern "C" __global__ void bytes_matmul(const signed char* a, const signed char* b, int* c) {
    wmma::fragment<wmma::matrix_a, 16, 16, 16, signed char, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, signed char, wmma::col_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, 16, int> sum;
    wmma::fill_fragment(sum, -3);
    wmma::load_matrix_sync(left, a, 16);
    wmma::load_matrix_sync(right, b, 16);
    wmma::mma_sync(sum, left, right, sum);
    wmma::store_matrix_sync(c, sum, 16, wmma::mem_row_major);
}

#if __CUDA_ARCH__ >= 800
extern "C" __global__ void bfloat_matmul(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c) {
    __shared__ __align__(32) __nv_bfloat16 copy[256];
    for (int i = threadIdx.x; i < 256; i += 32) copy[i] = a[i];
    __syncwarp();
    wmma::fragment<wmma::matrix_a, 16, 16, 16, __nv_bfloat16, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, __nv_bfloat16, wmma::row_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.0f);
    wmma::load_matrix_sync(left, copy, 16);
    wmma::load_matrix_sync(right, b, 16);
    wmma::mma_sync(sum, left, right, sum);
    wmma::store_matrix_sync(c, sum, 16, wmma::mem_row_major);
}

extern "C" __global__ void double_matmul(const double* a, const double* b, double* c) {
    wmma::fragment<wmma::matrix_a, 8, 8, 4, double, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 8, 8, 4, double, wmma::row_major> right;
    wmma::fragment<wmma::accumulator, 8, 8, 4, double> sum;
    wmma::fill_fragment(sum, 0.0);
    wmma::load_matrix_sync(left, a, 4);
    wmma::load_matrix_sync(right, b, 8);
    wmma::mma_sync(sum, left, right, sum);
    wmma::store_matrix_sync(c, sum, 8, wmma::mem_row_major);
}
#endif
