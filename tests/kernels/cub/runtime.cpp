// What CUB's host code asks of the CUDA runtime, answered by functions that are given when the library is loaded.

#include <cstring>
#include <map>

#include <cuda_runtime_api.h>

namespace {

struct Host {
    int (*launch)(const char *kernel, const unsigned *grid_and_block, size_t shared, int programmatic, void **arguments);
    int (*fill)(void *target, int value, size_t bytes);
    int (*copy)(void *target, const void *source, size_t bytes);
    int (*attribute)(int which, int *value);
    int (*resident)(const char *kernel, int threads, size_t shared, int *blocks);
};

struct Sizes {  // between <<<...>>> and the call of the stub, which asks for them back
    dim3 grid, block;
    size_t shared;
    cudaStream_t stream;
};

Host host;
Sizes pushed;
cudaError_t last = cudaSuccess;

std::map<const void *, const char *> &names() {  // made by the first registration, which is before main()
    static std::map<const void *, const char *> table;
    return table;
}

cudaError_t note(int failed) {
    if (failed) last = cudaErrorUnknown;
    return failed ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t start(const void *kernel, dim3 grid, dim3 block, void **arguments, size_t shared, int programmatic) {
    const unsigned sizes[6] = {grid.x, grid.y, grid.z, block.x, block.y, block.z};
    return note(host.launch(names().at(kernel), sizes, shared, programmatic, arguments));
}

}  // namespace

extern "C" {

void set_host(const Host *given) { host = *given; }

// Registration, by the constructors that the compiler makes.

void **__cudaRegisterFatBinary(void *) {
    static void *handle;
    return &handle;
}
void __cudaRegisterFatBinaryEnd(void **) {}
void __cudaUnregisterFatBinary(void **) {}
char __cudaInitModule(void **) { return 1; }
void __cudaRegisterVar(void **, char *, char *, const char *, int, size_t, int, int) {}
void __cudaRegisterFunction(
    void **, const char *function, char *, const char *name, int, uint3 *, uint3 *, dim3 *, dim3 *, int *) {
    names()[function] = name;
}

// Launches.

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, cudaStream_t stream) {
    pushed = {grid, block, shared, stream};
    return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
    *grid = pushed.grid;
    *block = pushed.block;
    *shared = pushed.shared;
    *static_cast<cudaStream_t *>(stream) = pushed.stream;
    return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function) {
    *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void *>(function));
    return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(
    cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments, size_t shared, cudaStream_t) {
    return start(kernel, grid, block, arguments, shared, 0);
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *function, void **arguments) {
    int programmatic = 0;
    for (unsigned i = 0; i < config->numAttrs; i++) {
        const cudaLaunchAttribute &attribute = config->attrs[i];
        if (attribute.id != cudaLaunchAttributeProgrammaticStreamSerialization) return note(1);
        programmatic = attribute.val.programmaticStreamSerializationAllowed;
    }
    return start(function, config->gridDim, config->blockDim, arguments, config->dynamicSmemBytes, programmatic);
}

// Memory.

cudaError_t cudaMemsetAsync(void *target, int value, size_t bytes, cudaStream_t) {
    return note(host.fill(target, value, bytes));
}
cudaError_t cudaMemcpyAsync(void *target, const void *source, size_t bytes, cudaMemcpyKind, cudaStream_t) {
    return note(host.copy(target, source, bytes));
}

// Questions.

cudaError_t cudaGetDevice(int *device) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaGetDeviceCount(int *count) { return *count = 1, cudaSuccess; }
cudaError_t cudaPeekAtLastError() { return last; }
cudaError_t cudaGetLastError() {
    cudaError_t found = last;
    last = cudaSuccess;
    return found;
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr which, int) { return note(host.attribute(which, value)); }
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *) {
    std::memset(attributes, 0, sizeof *attributes);
    attributes->maxThreadsPerBlock = 1024;
    attributes->ptxVersion = attributes->binaryVersion = 90;
    return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    int *blocks, const void *function, int threads, size_t shared, unsigned) {
    return note(host.resident(names().at(function), threads, shared, blocks));
}
}
