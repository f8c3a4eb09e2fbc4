//! title:     The k largest of each row: local arrays, a function that stays one, printf
//! launch:    top_k<<<1, 32>>>(in, values, places, 100, k)
//! in:        f32[32, 100] = random
//! k:         s32 = 4
//! values:    f32[32, 4]
//! places:    s32[32, 4]
//! reference: reference.py:top_k
//! prints:    "top_k: 32 rows of 100, 4 kept"

// One thread, one row. The list of the best so far is an array of the thread, indexed by variables: the compiler has to
// put it into local memory. `insert` is not inlined, so that the PTX shows a call with a pointer.

#include <cstdio>

constexpr int MOST = 8;

struct Entry { float value; int place; };

__noinline__ __device__ void insert(Entry *best, int k, Entry entry)
{
    int at = k - 1;
    while (at > 0 && best[at - 1].value < entry.value) {
        best[at] = best[at - 1];
        at--;
    }
    best[at] = entry;
}

extern "C" __global__ void top_k(const float *in, float *values, int *places, int columns, int k)
{
    Entry best[MOST];
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (k > MOST)
        __trap();
    if (row == 0)
        printf("top_k: %d rows of %d, %d kept\n", gridDim.x * blockDim.x, columns, k);
    for (int i = 0; i < k; i++)
        best[i] = {-INFINITY, -1};
    for (int i = 0; i < columns; i++) {
        const float value = in[row * columns + i];
        if (value > best[k - 1].value)
            insert(best, k, {value, i});
    }
    for (int i = 0; i < k; i++) {
        values[row * k + i] = best[i].value;
        places[row * k + i] = best[i].place;
    }
}
