// The device's heap: linked lists, a hash table with chains, new and delete of arrays and of trees.

struct Node {
    int value;
    Node* next;
};

// Each thread builds the list of its numbers, reverses it, sums every second one, and frees it.
extern "C" __global__ void lists(const int* in, int* out, int each) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    Node* head = nullptr;
    for (int i = 0; i < each + t % 3; i++) {
        Node* node = static_cast<Node*>(malloc(sizeof(Node)));
        node->value = in[t] + i * i;
        node->next = head;
        head = node;
    }
    Node* reversed = nullptr;
    while (head) {
        Node* next = head->next;
        head->next = reversed;
        reversed = head;
        head = next;
    }
    int sum = 0, place = 0;
    while (reversed) {
        if (place++ % 2 == 0) sum += reversed->value;
        Node* next = reversed->next;
        free(reversed);
        reversed = next;
    }
    out[t] = sum;
}

struct Entry {
    unsigned key;
    unsigned count;
    Entry* next;
};

__device__ Entry* buckets[16];

// Many threads insert in one table: an entry is published by compare-and-swap; a rival's is freed.
extern "C" __global__ void count_keys(const unsigned* keys, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned key = keys[i];
    unsigned long long* bucket = reinterpret_cast<unsigned long long*>(&buckets[key * 2654435761u >> 28]);
    Entry* fresh = nullptr;
    for (;;) {
        Entry* first = reinterpret_cast<Entry*>(*reinterpret_cast<volatile unsigned long long*>(bucket));
        Entry* entry = first;
        while (entry && entry->key != key) entry = entry->next;
        if (entry) {
            atomicAdd(&entry->count, 1);
            if (fresh) delete fresh;
            return;
        }
        if (!fresh) fresh = new Entry{key, 1, nullptr};
        fresh->next = first;
        __threadfence();
        unsigned long long before = reinterpret_cast<unsigned long long>(first);
        if (atomicCAS(bucket, before, reinterpret_cast<unsigned long long>(fresh)) == before) return;
    }
}

extern "C" __global__ void read_counts(const unsigned* keys, unsigned* counts, int n) {
    int i = threadIdx.x;
    if (i >= n) return;
    counts[i] = 0;
    for (Entry* entry = buckets[keys[i] * 2654435761u >> 28]; entry; entry = entry->next)
        if (entry->key == keys[i]) counts[i] += entry->count;
}

// One thread allocates for its block; too much memory gives a null pointer.
extern "C" __global__ void block_array(int* out, unsigned long long* null) {
    __shared__ int* data;
    if (threadIdx.x == 0) data = new int[blockDim.x];
    __syncthreads();
    data[threadIdx.x] = 3 * threadIdx.x + blockIdx.x;
    __syncthreads();
    out[blockIdx.x * blockDim.x + threadIdx.x] = data[blockDim.x - 1 - threadIdx.x];
    __syncthreads();
    if (threadIdx.x) return;
    delete[] data;
    free(nullptr);
    *null = reinterpret_cast<unsigned long long>(malloc(1ull << 45));
}
