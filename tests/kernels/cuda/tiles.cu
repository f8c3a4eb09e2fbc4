// Cooperative groups below the block: tiles of 4 to 64, groups by label and by branch, their shuffles and reductions.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

namespace cg = cooperative_groups;

template <int SIZE> __device__ int tile_sum(int value) {
    cg::thread_block_tile<SIZE> tile = cg::tiled_partition<SIZE>(cg::this_thread_block());
    for (int distance = tile.size() / 2; distance > 0; distance /= 2) value += tile.shfl_xor(value, distance);
    return value;
}

extern "C" __global__ void sums(const int* in, int4* out) {
    int t = cg::this_thread_block().thread_rank(), value = in[t];
    out[t] = make_int4(tile_sum<4>(value), tile_sum<8>(value), tile_sum<16>(value), tile_sum<32>(value));
}

extern "C" __global__ void by_library(const int* in, int* sum, int* most, int* before) {
    auto tile = cg::tiled_partition<8>(cg::this_thread_block());
    int t = cg::this_thread_block().thread_rank(), value = in[t];
    sum[t] = cg::reduce(tile, value, cg::plus<int>());
    most[t] = cg::reduce(tile, value, cg::greater<int>());
    before[t] = cg::exclusive_scan(tile, value, cg::plus<int>());
}

extern "C" __global__ void of_several_warps(const int* in, int* out) {
    __shared__ cg::block_tile_memory<128> memory;
    auto tile = cg::tiled_partition<64>(cg::this_thread_block(memory));
    int sum = cg::reduce(tile, in[threadIdx.x], cg::plus<int>());
    out[threadIdx.x] = sum * 1000 + tile.meta_group_rank() * 100 + tile.thread_rank();
}

extern "C" __global__ void branches(const int* in, unsigned* size, unsigned* rank, unsigned* leader) {
    int t = threadIdx.x;
    if (in[t] % 3 == 0) {
        cg::coalesced_group here = cg::coalesced_threads();
        size[t] = here.size();
        rank[t] = here.thread_rank();
        leader[t] = here.shfl(t, 0);
    } else {
        auto warp = cg::coalesced_threads();
        auto half = cg::binary_partition(warp, in[t] % 3 == 1);
        size[t] = half.num_threads();
        rank[t] = half.thread_rank();
        leader[t] = half.shfl(t, 0);
    }
}

extern "C" __global__ void labels(const int* in, unsigned* size, unsigned* rank, int* sum) {
    auto warp = cg::tiled_partition<32>(cg::this_thread_block());
    auto group = cg::labeled_partition(warp, in[threadIdx.x] & 3);
    size[threadIdx.x] = group.size();
    rank[threadIdx.x] = group.thread_rank();
    sum[threadIdx.x] = cg::reduce(group, in[threadIdx.x], cg::plus<int>());
}

extern "C" __global__ void votes(const int* in, unsigned* out) {
    auto tile = cg::tiled_partition<16>(cg::this_thread_block());
    int value = in[threadIdx.x];
    unsigned any = tile.any(value > 90), all = tile.all(value < 100), ballot = tile.ballot(value & 1);
    unsigned same = tile.match_any(value % 4), down = tile.shfl_down(value, 3), up = tile.shfl_up(value, 5);
    tile.sync();
    unsigned* mine = out + 6 * threadIdx.x;
    mine[0] = any, mine[1] = all, mine[2] = ballot, mine[3] = same, mine[4] = down, mine[5] = up;
}
