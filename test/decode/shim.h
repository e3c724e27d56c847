// What CUDA offers to kernels.cu, for a C++ compiler: the same source runs on the CPU.
//
// Every thread of a block is a fiber that runs until it waits at __syncthreads(); blocks run one after the other. The
// order of threads and blocks can be turned round: what depends on it without a barrier then changes its result. What
// cannot be seen here are races between threads that truly run at once; compute-sanitizer's racecheck sees those.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
using std::isfinite;
using std::min;

namespace shim {

struct Index {
    unsigned x;
};

constexpr size_t STACK = 1 << 16;

struct Fiber {
    ucontext_t context;
    jmp_buf place;
    char *stack = nullptr;
    bool begun = false, done = true;
};

static std::vector<Fiber> fibers;
static unsigned current;
static std::function<void()> body;
static bool backwards;

// swapcontext asks the kernel for the signal mask each time; these jumps do not.
static jmp_buf scheduler;

#ifdef __SANITIZE_ADDRESS__
// The sanitizer has to be told of every change of stacks.
static const void *home_stack;
static size_t home_size;
static void *kept;

static void leaving(const void *stack, size_t size)
{
    __sanitizer_start_switch_fiber(&kept, stack, size);
}

static void arrived(const void **from, size_t *size)
{
    __sanitizer_finish_switch_fiber(nullptr, from, size);
}
#else
static const void *home_stack;
static size_t home_size;

static void leaving(const void *, size_t) {}

static void arrived(const void **, size_t *) {}
#endif

static void leave()
{
    leaving(home_stack, home_size);
    if (_setjmp(fibers[current].place) == 0)
        _longjmp(scheduler, 1);
    arrived(&home_stack, &home_size);
}

static __attribute__((noinline)) void resume()
{
    leaving(fibers[current].stack, STACK);
    if (_setjmp(scheduler) == 0) {
        if (fibers[current].begun)
            _longjmp(fibers[current].place, 1);
        fibers[current].begun = true;
        setcontext(&fibers[current].context);
    }
    arrived(nullptr, nullptr);
}

static void run_one_thread_of_every_block()
{
    arrived(&home_stack, &home_size);
    for (;;) {
        body();
        fibers[current].done = true;
        leave();
    }
}

static void prepare(unsigned threads)
{
    for (unsigned i = fibers.size(); i < threads; ++i)
        fibers.emplace_back();
    for (Fiber &fiber : fibers)
        if (!fiber.stack) {
            fiber.stack = static_cast<char *>(std::malloc(STACK));
            getcontext(&fiber.context);
            fiber.context.uc_stack.ss_sp = fiber.stack;
            fiber.context.uc_stack.ss_size = STACK;
            makecontext(&fiber.context, run_one_thread_of_every_block, 0);
        }
}

}  // namespace shim

static shim::Index threadIdx, blockIdx, blockDim, gridDim;

inline void __syncthreads()
{
    shim::leave();
}

inline void __threadfence() {}

template <typename Number, typename Value>
Number atomicAdd(Number *place, Value value)
{
    const Number before = *place;
    *place += value;
    return before;
}

inline unsigned atomicOr(unsigned *place, unsigned value)
{
    const unsigned before = *place;
    *place |= value;
    return before;
}

inline int __popc(unsigned word)
{
    return __builtin_popcount(word);
}

inline int __ffs(int word)
{
    return __builtin_ffs(word);
}

inline unsigned __float_as_uint(float value)
{
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

namespace shim {

static void run(unsigned blocks, unsigned threads)
{
    prepare(threads);
    gridDim.x = blocks;
    blockDim.x = threads;
    for (unsigned block = 0; block < blocks; ++block) {
        blockIdx.x = backwards ? blocks - 1 - block : block;
        for (unsigned i = 0; i < threads; ++i)
            fibers[i].done = false;
        for (unsigned left = threads; left;) {
            const unsigned waiting = left;
            for (unsigned i = 0; i < threads; ++i) {
                current = threadIdx.x = backwards ? threads - 1 - i : i;
                if (!fibers[current].done) {
                    resume();
                    left -= fibers[current].done;
                }
            }
            if (left && left != waiting) {
                std::fprintf(stderr, "%u of %u threads ended, the others wait at a barrier\n", waiting - left, waiting);
                std::abort();
            }
        }
    }
}

template <typename... Parameters, size_t... Number>
int call(
    void (*kernel)(Parameters...), unsigned blocks, unsigned threads, void **arguments, const size_t *sizes, int count,
    std::index_sequence<Number...>)
{
    const size_t expected[] = {sizeof(Parameters)...};
    if (count != sizeof...(Parameters))
        return -1;
    for (int i = 0; i < count; ++i)
        if (sizes[i] != expected[i])
            return i + 1;
    body = [=] { kernel(*static_cast<Parameters *>(arguments[Number])...); };
    run(blocks, threads);
    return 0;
}

}  // namespace shim

extern "C" void shim_backwards(int on)
{
    shim::backwards = on;
}

// As cuLaunchKernel: pointers to the arguments. 0, or -1 for a wrong number of them, or which one has a wrong size.
#define SHIM_EXPORT(name)                                                                                            \
    extern "C" int launch_##name(                                                                                    \
        unsigned blocks, unsigned threads, void **arguments, const size_t *sizes, int count)                         \
    {                                                                                                                \
        return shim::call(name, blocks, threads, arguments, sizes, count, indices(name));                            \
    }

template <typename... Parameters>
auto indices(void (*)(Parameters...))
{
    return std::index_sequence_for<Parameters...>{};
}
