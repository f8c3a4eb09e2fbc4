/* A libcuda.so.1 without a GPU: memory is the host's, one kernel is known ("copy": destination, source, bytes), a text
   that holds the word REFUSED is refused, and a kernel called "fault" fails. Calls of interest are printed to stderr. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { OK = 0, INVALID = 1, INVALID_IMAGE = 200, ILLEGAL_ADDRESS = 700, NOT_FOUND = 500 };
enum { ERROR_LOG_BUFFER = 5, ERROR_LOG_BYTES = 6 };
typedef struct { unsigned grid[3], block[3], shared; void *stream; struct attribute *attributes; unsigned count; } config;
struct attribute { int id; char pad[4]; union { char bytes[64]; unsigned cluster[3]; int cooperative; } value; };
static const char *kernels[] = {"copy", "fault"};
static int failed;

int stub_cuInit(unsigned flags) { (void)flags; return OK; }
int stub_cuDriverGetVersion(int *version) { *version = 13000; return OK; }
int stub_cuDeviceGetCount(int *count) { *count = 1; return OK; }
int stub_cuDeviceGet(int *device, int ordinal) { *device = ordinal; return OK; }
int stub_cuDeviceGetName(char *name, int bytes, int device) { (void)device; snprintf(name, bytes, "stub of a GPU"); return OK; }
int stub_cuDeviceGetAttribute(int *value, int which, int device) {
    (void)device;
    *value = which == 75 ? 9 : which == 76 ? 0 : which == 16 ? 132 : -1;
    return OK;
}
int stub_cuDevicePrimaryCtxRetain(void **context, int device) { (void)device; *context = (void *)0x10; return OK; }
int stub_cuDevicePrimaryCtxRelease(int device) { (void)device; return OK; }
int stub_cuDevicePrimaryCtxReset(int device) { (void)device; failed = 0; fprintf(stderr, "reset\n"); return OK; }
int stub_cuCtxSetCurrent(void *context) { return context == (void *)0x10 ? OK : INVALID; }
int stub_cuCtxSynchronize(void) { return failed ? ILLEGAL_ADDRESS : OK; }
int stub_cuMemGetAllocationGranularity(size_t *bytes, void *properties, int flags) {
    (void)properties, (void)flags;
    *bytes = 2 << 20;
    return OK;
}
int stub_cuMemAddressReserve(uint64_t *address, size_t size, size_t align, uint64_t wanted, uint64_t flags) {
    (void)align, (void)flags;
    void *got = mmap((void *)wanted, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *address = (uint64_t)got;
    return got == MAP_FAILED ? 2 : OK;
}
int stub_cuMemCreate(uint64_t *handle, size_t size, const int *properties, uint64_t flags) {
    (void)flags;
    *handle = size;
    return properties[0] == 1 && properties[2] == 1 ? OK : INVALID; /* pinned, on a device */
}
int stub_cuMemMap(uint64_t address, size_t size, size_t offset, uint64_t handle, uint64_t flags) {
    (void)address, (void)offset, (void)flags;
    return handle == size ? OK : INVALID;
}
int stub_cuMemSetAccess(uint64_t address, size_t size, const int *access, size_t count) {
    if (count != 1 || access[0] != 1 || access[2] != 3) return INVALID; /* a device may read and write */
    fprintf(stderr, "mapped %#lx %zu\n", address, size);
    return mprotect((void *)address, size, PROT_READ | PROT_WRITE) ? INVALID : OK;
}
int stub_cuMemAlloc(uint64_t *address, size_t size) { (void)address, (void)size; return NOT_FOUND; }
int stub_cuMemFree(uint64_t address) { (void)address; return NOT_FOUND; }
int stub_cuMemUnmap(uint64_t address, size_t size) { (void)address, (void)size; return OK; }
int stub_cuMemRelease(uint64_t handle) { return handle ? OK : INVALID; }
int stub_cuMemAddressFree(uint64_t address, size_t size) { return munmap((void *)address, size) ? INVALID : OK; }
int stub_cuMemsetD8(uint64_t to, unsigned char byte, size_t size) { memset((void *)to, byte, size); return OK; }
int stub_cuMemcpyHtoD(uint64_t to, const void *from, size_t size) { memcpy((void *)to, from, size); return OK; }
int stub_cuMemcpyDtoH(void *to, uint64_t from, size_t size) { memcpy(to, (void *)from, size); return OK; }
int stub_cuModuleLoadDataEx(void **module, const char *image, unsigned count, const int *options, void **values) {
    if (!strstr(image, "REFUSED")) { *module = (void *)0x20; return OK; }
    for (unsigned n = 0; n < count; n++)
        if (options[n] == ERROR_LOG_BUFFER) strcpy(values[n], "ptxas fatal: this text is REFUSED\n");
    return INVALID_IMAGE;
}
int stub_cuModuleUnload(void *module) { return module == (void *)0x20 ? OK : INVALID; }
int stub_cuModuleGetFunction(const char **function, void *module, const char *name) {
    (void)module;
    for (unsigned n = 0; n < 2; n++)
        if (!strcmp(name, kernels[n])) { *function = kernels[n]; return OK; }
    return NOT_FOUND;
}
int stub_cuModuleGetGlobal(uint64_t *address, size_t *size, void *module, const char *name) {
    (void)module;
    *address = 0x1234000, *size = 64;
    return strcmp(name, "variable") ? NOT_FOUND : OK;
}
int stub_cuTensorMapEncodeTiled(uint64_t *map, int type, unsigned rank, uint64_t address, const uint64_t *dims,
                                const uint64_t *strides, const unsigned *box, const unsigned *elements, int interleave,
                                int swizzle, int promotion, int fill) {
    uint64_t told[16] = {address, type, dims[0], dims[1], strides[0], box[0], box[1], elements[0], elements[1],
                         interleave, swizzle, promotion, fill};
    memcpy(map, told, sizeof told);
    return rank == 2 ? OK : INVALID;
}
int stub_cuFuncSetAttribute(const char *function, int which, int value) {
    fprintf(stderr, "attribute %s %d %d\n", function, which, value);
    return OK;
}
int stub_cuLaunchKernelEx(const config *c, const char *function, void **parameters, void **extra) {
    (void)extra;
    fprintf(stderr, "launch %s grid %u %u %u block %u %u %u shared %u", function, c->grid[0], c->grid[1], c->grid[2],
            c->block[0], c->block[1], c->block[2], c->shared);
    for (unsigned n = 0; n < c->count; n++) {
        struct attribute *a = &c->attributes[n];
        if (a->id == 4) fprintf(stderr, " cluster %u %u %u", a->value.cluster[0], a->value.cluster[1], a->value.cluster[2]);
        if (a->id == 2) fprintf(stderr, " cooperative %d", a->value.cooperative);
    }
    fprintf(stderr, "\n");
    if (function == kernels[1]) failed = 1;
    else memcpy(*(void **)parameters[0], *(void **)parameters[1], *(unsigned *)parameters[2]);
    return OK;
}
int stub_cuGetErrorName(int error, const char **text) {
    *text = error == ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : error == INVALID_IMAGE ? "CUDA_ERROR_INVALID_IMAGE" : "?";
    return OK;
}
int stub_cuGetErrorString(int error, const char **text) { (void)error; *text = "what the driver says about it"; return OK; }

int cuGetProcAddress_v2(const char *symbol, void **function, int version, uint64_t flags, int *status) {
    (void)version, (void)flags;
    char name[128];
    snprintf(name, sizeof name, "stub_%s", symbol);
    *function = dlsym(RTLD_DEFAULT, name);
    if (!*function) {
        Dl_info here;
        dladdr((void *)cuGetProcAddress_v2, &here);
        void *self = dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD);
        *function = dlsym(self, name);
    }
    if (status) *status = *function ? 0 : 1;
    return *function ? OK : NOT_FOUND;
}
int cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
    return cuGetProcAddress_v2(symbol, function, version, flags, 0);
}
