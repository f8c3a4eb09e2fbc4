// A stack machine: a program of bytes, a switch of many cases, a stack in local memory with a dynamic index.

enum Code : unsigned char {
    PUSH, ADD, SUBTRACT, MULTIPLY, DIVIDE, MODULO, NEGATE, DUPLICATE, SWAP, OVER, DROP, JUMP, JUMP_IF_ZERO, LOAD,
    STORE, LESS, EQUAL, AND, OR, NOT, THREAD, CALL, RETURN, HALT
};

// Runs the same program in every thread; memory is the thread's own. The result is the top of the stack.
extern "C" __global__ void interpret(const unsigned char* program, const int* inputs, int* out, int* steps) {
    int stack[32], memory[8], returns[4], top = 0, depth = 0, pc = 0, count = 0;
    for (int i = 0; i < 8; i++) memory[i] = inputs[threadIdx.x * 8 + i];
    for (;;) {
        count++;
        switch (program[pc++]) {
            case PUSH: stack[top++] = static_cast<signed char>(program[pc++]); break;
            case ADD: top--, stack[top - 1] += stack[top]; break;
            case SUBTRACT: top--, stack[top - 1] -= stack[top]; break;
            case MULTIPLY: top--, stack[top - 1] *= stack[top]; break;
            case DIVIDE: top--, stack[top - 1] /= stack[top]; break;
            case MODULO: top--, stack[top - 1] %= stack[top]; break;
            case NEGATE: stack[top - 1] = -stack[top - 1]; break;
            case DUPLICATE: stack[top] = stack[top - 1], top++; break;
            case SWAP: {
                int keep = stack[top - 1];
                stack[top - 1] = stack[top - 2];
                stack[top - 2] = keep;
                break;
            }
            case OVER: stack[top] = stack[top - 2], top++; break;
            case DROP: top--; break;
            case JUMP: pc = program[pc]; break;
            case JUMP_IF_ZERO: pc = stack[--top] == 0 ? program[pc] : pc + 1; break;
            case LOAD: stack[top - 1] = memory[stack[top - 1] & 7]; break;
            case STORE: top -= 2, memory[stack[top + 1] & 7] = stack[top]; break;
            case LESS: top--, stack[top - 1] = stack[top - 1] < stack[top]; break;
            case EQUAL: top--, stack[top - 1] = stack[top - 1] == stack[top]; break;
            case AND: top--, stack[top - 1] &= stack[top]; break;
            case OR: top--, stack[top - 1] |= stack[top]; break;
            case NOT: stack[top - 1] = ~stack[top - 1]; break;
            case THREAD: stack[top++] = threadIdx.x; break;
            case CALL: returns[depth++] = pc + 1, pc = program[pc]; break;
            case RETURN: pc = returns[--depth]; break;
            default:
                out[threadIdx.x] = stack[top - 1];
                steps[threadIdx.x] = count;
                return;
        }
    }
}
