// Recursion: Fibonacci, Ackermann, quick sort, towers of Hanoi, walks through trees, mutual recursion.

__device__ __noinline__ int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

extern "C" __global__ void fibonacci(int* out) { out[threadIdx.x] = fib(threadIdx.x % 9); }

__device__ __noinline__ unsigned ackermann(unsigned m, unsigned n) {
    if (m == 0) return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

extern "C" __global__ void ackermanns(unsigned* out) { out[threadIdx.x] = ackermann(threadIdx.x / 4, threadIdx.x % 4); }

__device__ __noinline__ void quick_sort(int* list, int low, int high) {
    if (low >= high) return;
    int pivot = list[(low + high) / 2], i = low, j = high;
    while (i <= j) {
        while (list[i] < pivot) i++;
        while (list[j] > pivot) j--;
        if (i <= j) {
            int keep = list[i];
            list[i++] = list[j];
            list[j--] = keep;
        }
    }
    quick_sort(list, low, j);
    quick_sort(list, i, high);
}

// One list a thread, in local memory.
extern "C" __global__ void sort_lists(int* lists, int n) {
    int mine[16];
    for (int i = 0; i < n; i++) mine[i] = lists[threadIdx.x * n + i];
    quick_sort(mine, 0, n - 1);
    for (int i = 0; i < n; i++) lists[threadIdx.x * n + i] = mine[i];
}

__device__ __noinline__ void hanoi(int disks, int from, int to, unsigned short* moves, int& count) {
    if (disks == 0) return;
    hanoi(disks - 1, from, 3 - from - to, moves, count);
    moves[count++] = disks << 8 | from << 4 | to;
    hanoi(disks - 1, 3 - from - to, to, moves, count);
}

extern "C" __global__ void towers(int disks, unsigned short* moves, int* count) {
    int moved = 0;
    hanoi(disks, 0, 2, moves, moved);
    *count = moved;
}

struct Tree {
    int value, left, right;
};

__device__ __noinline__ int depth(const Tree* trees, int at) {
    if (at < 0) return 0;
    return 1 + max(depth(trees, trees[at].left), depth(trees, trees[at].right));
}

__device__ __noinline__ int in_order(const Tree* trees, int at, int* out, int place) {
    if (at < 0) return place;
    place = in_order(trees, trees[at].left, out, place);
    out[place] = trees[at].value;
    return in_order(trees, trees[at].right, out, place + 1);
}

extern "C" __global__ void walk(const Tree* trees, int* out, int* deep) {
    in_order(trees, 0, out, 0);
    *deep = depth(trees, 0);
}

__device__ __noinline__ bool odd(unsigned n);
__device__ __noinline__ bool even(unsigned n) { return n == 0 || odd(n - 1); }
__device__ __noinline__ bool odd(unsigned n) { return n != 0 && even(n - 1); }

extern "C" __global__ void parity(unsigned char* out) { out[threadIdx.x] = even(threadIdx.x) ? 2 : odd(threadIdx.x); }
