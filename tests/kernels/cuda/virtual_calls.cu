// Virtual functions: objects of several classes, made on the device, used by a later kernel; multiple inheritance.

struct Shape {
    __device__ virtual float area() const = 0;
    __device__ virtual int corners() const { return 0; }
    __device__ virtual ~Shape() {}
};

struct Named {
    int name;
    __device__ Named(int name) : name(name) {}
    __device__ virtual int hash() const { return name * 31; }
};

struct Circle : Shape {
    float radius;
    __device__ Circle(float radius) : radius(radius) {}
    __device__ float area() const override { return 3.0f * radius * radius; }
};

struct Box : Shape, Named {
    float width, height;
    __device__ Box(float width, float height) : Named(static_cast<int>(width)), width(width), height(height) {}
    __device__ float area() const override { return width * height; }
    __device__ int corners() const override { return 4; }
    __device__ int hash() const override { return name * 17 + static_cast<int>(height); }
};

struct Square : Box {
    int* deleted;
    __device__ Square(float side, int* deleted) : Box(side, side), deleted(deleted) {}
    __device__ int hash() const override { return Box::hash() + 1; }
    __device__ ~Square() override { atomicAdd(deleted, 1); }
};

extern "C" __global__ void make(Shape** shapes, Named** named, const float* sizes, int* deleted) {
    int t = threadIdx.x;
    named[t] = nullptr;
    switch (t % 3) {
        case 0: shapes[t] = new Circle(sizes[t]); break;
        case 1: {
            Box* box = new Box(sizes[t], sizes[t] + 1);
            shapes[t] = box;
            named[t] = box;
            break;
        }
        default: {
            Square* square = new Square(sizes[t], deleted);
            shapes[t] = square;
            named[t] = square;
        }
    }
}

extern "C" __global__ void measure(Shape** shapes, Named** named, float* areas, int* numbers) {
    int t = threadIdx.x;
    areas[t] = shapes[t]->area();
    numbers[t] = shapes[t]->corners() + (named[t] ? 100 * named[t]->hash() : 0);
}

extern "C" __global__ void destroy(Shape** shapes) { delete shapes[threadIdx.x]; }
