// Searches with very different paths in each lane: queens on a board, Sudoku, sums of subsets.

// Each thread has the first two queens of its board; the others are found with a stack of its own.
extern "C" __global__ void queens(int n, unsigned* solutions) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n * n) return;
    unsigned full = (1u << n) - 1, first = 1u << i / n, second = 1u << i % n;
    unsigned columns = first | second, left = first << 2 | second << 1, right = first >> 2 | second >> 1;
    if ((first | first << 1 | first >> 1) & second) return;
    unsigned stack[10][4];
    int depth = 0;
    unsigned found = 0, open = full & ~(columns | left | right);
    for (;;) {
        if (open == 0) {
            if (depth == 0) break;
            depth--;
            columns = stack[depth][0], left = stack[depth][1], right = stack[depth][2], open = stack[depth][3];
            continue;
        }
        unsigned place = open & -open;
        open ^= place;
        if ((columns | place) == full) {
            found++;
            continue;
        }
        stack[depth][0] = columns, stack[depth][1] = left, stack[depth][2] = right, stack[depth][3] = open;
        depth++;
        columns |= place, left = (left | place) << 1, right = (right | place) >> 1;
        open = full & ~(columns | left | right);
    }
    atomicAdd(solutions, found);
}

__device__ bool allowed(const unsigned char* board, int cell, int digit) {
    int row = cell / 9, column = cell % 9, corner = row / 3 * 27 + column / 3 * 3;
    for (int i = 0; i < 9; i++)
        if (board[row * 9 + i] == digit || board[i * 9 + column] == digit || board[corner + i / 3 * 9 + i % 3] == digit) return false;
    return true;
}

// One puzzle a block; a warp looks at all digits of a cell at once, one thread keeps the board.
extern "C" __global__ void sudoku(unsigned char* puzzles) {
    __shared__ unsigned char board[81];
    __shared__ unsigned char cells[64], tried[64];
    unsigned char* puzzle = puzzles + 81 * blockIdx.x;
    int t = threadIdx.x;
    for (int i = t; i < 81; i += 32) board[i] = puzzle[i];
    __syncwarp();
    int empty = 0;
    for (int start = 0; start < 81; start += 32) {
        unsigned here = __ballot_sync(~0u, start + t < 81 && board[start + t] == 0);
        if (here >> t & 1) cells[empty + __popc(here & ((1u << t) - 1))] = start + t;
        empty += __popc(here);
    }
    int at = 0;
    if (t == 0) tried[0] = 0;
    __syncwarp();
    while (at >= 0 && at < empty) {
        int cell = cells[at];
        if (t == 0) board[cell] = 0;
        __syncwarp();
        unsigned possible = __ballot_sync(~0u, t > tried[at] && t <= 9 && allowed(board, cell, t));
        __syncwarp();
        if (possible) {
            if (t == 0) board[cell] = tried[at] = __ffs(possible) - 1, tried[at + 1] = 0;
            at++;
        } else {
            at--;
        }
        __syncwarp();
    }
    for (int i = t; i < 81; i += 32) puzzle[i] = board[i];
}
