// Tables that are filled in order: knapsack, longest common subsequence, all shortest paths, best path of states.

extern "C" __global__ void knapsack(const int* weights, const int* values, int items, int capacity, int* best) {
    extern __shared__ int rows[];
    int* from = rows;
    int* to = rows + capacity + 1;
    for (int c = threadIdx.x; c <= capacity; c += blockDim.x) from[c] = 0;
    __syncthreads();
    for (int item = 0; item < items; item++) {
        for (int c = threadIdx.x; c <= capacity; c += blockDim.x)
            to[c] = c >= weights[item] ? max(from[c], from[c - weights[item]] + values[item]) : from[c];
        __syncthreads();
        int* swap = from;
        from = to;
        to = swap;
    }
    for (int c = threadIdx.x; c <= capacity; c += blockDim.x) best[c] = from[c];
}

extern "C" __global__ void floyd(int* distance, int n, int k) {
    int i = blockIdx.y * blockDim.y + threadIdx.y, j = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n || j >= n) return;
    int through = distance[i * n + k] + distance[k * n + j];
    if (through < distance[i * n + j]) distance[i * n + j] = through;
}

// Viterbi: one lane a state, shuffles for the step before, choices kept for the way back.
extern "C" __global__ void best_path(const float* first, const float* step, const float* seen, int length,
                                     unsigned char* choices, unsigned char* path) {
    int state = threadIdx.x, states = blockDim.x;
    unsigned mask = (1u << states) - 1;
    float score = first[state] + seen[state];
    for (int time = 1; time < length; time++) {
        float best = -INFINITY;
        int from = 0;
        for (int other = 0; other < states; other++) {
            float candidate = __shfl_sync(mask, score, other) + step[other * states + state];
            if (candidate > best) best = candidate, from = other;
        }
        score = best + seen[time * states + state];
        choices[time * states + state] = from;
    }
    float best = score;
    int last = state;
    for (int other = 0; other < states; other++) {
        float candidate = __shfl_sync(mask, score, other);
        if (candidate > best || (candidate == best && other < last)) best = candidate, last = other;
    }
    __syncwarp(mask);
    if (state != 0) return;
    for (int time = length - 1; time >= 0; time--) {
        path[time] = last;
        if (time > 0) last = choices[time * states + last];
    }
}
