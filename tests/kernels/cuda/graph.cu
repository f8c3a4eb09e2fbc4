// Graphs and sparse matrices in compressed rows: breadth-first search, components, two kinds of products.

// One level: the frontier's neighbours that nobody has seen form the next frontier.
extern "C" __global__ void expand(const int* starts, const int* edges, int* level, const int* frontier, int size, int* next,
                                  int* next_size, int depth) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    int node = frontier[i];
    for (int e = starts[node]; e < starts[node + 1]; e++)
        if (atomicCAS(&level[edges[e]], -1, depth) == -1) next[atomicAdd(next_size, 1)] = edges[e];
}

__device__ int root_of(int* parents, int node) {
    while (parents[node] != node) {
        parents[node] = parents[parents[node]];
        node = parents[node];
    }
    return node;
}

// Union and find without locks: the larger root goes below the smaller one.
extern "C" __global__ void unite(const int2* edges, int* parents, int count) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int a = root_of(parents, edges[i].x), b = root_of(parents, edges[i].y);
    while (a != b) {
        if (a < b) {
            int keep = a;
            a = b;
            b = keep;
        }
        int before = atomicCAS(&parents[a], a, b);
        if (before == a) break;
        a = root_of(parents, before);
        b = root_of(parents, b);
    }
}

extern "C" __global__ void flatten(int* parents, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) parents[i] = root_of(parents, i);
}

extern "C" __global__ void row_a_thread(const int* starts, const int* columns, const double* values, const double* x,
                                        double* y, int rows) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    double sum = 0;
    for (int e = starts[row]; e < starts[row + 1]; e++) sum += values[e] * x[columns[e]];
    y[row] = sum;
}

// Eight lanes a row.
extern "C" __global__ void row_a_group(const int* starts, const int* columns, const double* values, const double* x,
                                       double* y, int rows) {
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 8, lane = threadIdx.x % 8;
    double sum = 0;
    if (row < rows)
        for (int e = starts[row] + lane; e < starts[row + 1]; e += 8) sum += values[e] * x[columns[e]];
    for (int distance = 4; distance > 0; distance /= 2) sum += __shfl_down_sync(0xffffffff, sum, distance, 8);
    if (row < rows && lane == 0) y[row] = sum;
}
