// What a thread knows of itself: indices in three dimensions, lane masks, warps, clocks, sleeping, sizes of memory.

extern "C" __global__ void indices(uint4* out) {
    unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    unsigned lane, warp;
    asm("mov.u32 %0, %%laneid;" : "=r"(lane));
    asm volatile("mov.u32 %0, %%warpid;" : "=r"(warp));
    out[block * blockDim.x * blockDim.y * blockDim.z + thread] =
        make_uint4(block << 16 | thread, lane, warp, blockDim.x << 16 | gridDim.y << 8 | warpSize);
}

extern "C" __global__ void masks(unsigned* out) {
    unsigned lt, le, eq, ge, gt, dynamic, total;
    asm("mov.u32 %0, %%lanemask_lt;" : "=r"(lt));
    asm("mov.u32 %0, %%lanemask_le;" : "=r"(le));
    asm("mov.u32 %0, %%lanemask_eq;" : "=r"(eq));
    asm("mov.u32 %0, %%lanemask_ge;" : "=r"(ge));
    asm("mov.u32 %0, %%lanemask_gt;" : "=r"(gt));
    asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(dynamic));
    asm("mov.u32 %0, %%total_smem_size;" : "=r"(total));
    unsigned* mine = out + 7 * threadIdx.x;
    mine[0] = lt, mine[1] = le, mine[2] = eq, mine[3] = ge, mine[4] = gt, mine[5] = dynamic;
    mine[6] = total >= dynamic;
}

// Time goes on: clocks of a thread never go back, and sleeping gives others the word.
extern "C" __global__ void clocks(long long* out, volatile int* flag) {
    long long first = clock64(), nanoseconds;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(nanoseconds));
    if (threadIdx.x == 0) {
        while (*flag == 0) __nanosleep(100);
    } else if (threadIdx.x == 32) {
        for (int i = 0; i < 10; i++) __nanosleep(20);
        *flag = 1;
    }
    int ticks = clock();
    long long last = clock64(), later;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(later));
    out[threadIdx.x] = last > first && later >= nanoseconds && ticks != 0;
}
