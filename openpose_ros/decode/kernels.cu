// Steps 1 and 2 of the decoder on a GPU. peaks.py and limbs.py say what is computed and why, and these kernels must
// agree with them; here stands how the work is spread over threads. Nothing depends on the order in which threads
// run: atomics only count and mark, and every list is filled by prefix sums.
//
// Read by NVRTC, by nvcc and, through test/decode/shim.h, by a C++ compiler: hence no headers, no warp intrinsics and
// no shared memory of a size that the launch decides.
//
// Launched one after the other on one stream:
//   find_peaks    one block of up to LARGEST_BLOCK threads an image and joint
//   score_limbs   any grid of blocks of up to LARGEST_PAIR_BLOCK threads, each of which takes one pair after another
//   gather_limbs  CHUNKS blocks of up to LARGEST_PAIR_BLOCK threads
//
// B images, J joints, L limbs, H x W cells; "row" is a row of Peaks, "pair" a pair of candidates in the order of
// image, limb, start, end. The result is what goes to the host, without a gap from the front:
//   Header; image[n], joint[n], x[n], y[n], score[n] of n peaks; limb[c], start[c], end[c], score[c] of c connections

#if !defined(CHUNKS) || !defined(PROBES) || !defined(PROBE_SUM)
#error "kernels.py defines CHUNKS, PROBES and PROBE_SUM before this file"
#endif

#define LARGEST_BLOCK 1024
#define LARGEST_PAIR_BLOCK 256
#define DIGITS 16

typedef unsigned int Word;
typedef long long Count;
typedef unsigned long long Tally;

struct Header
{
    Count peaks;
    Count pairs;
    Count connections;  // how many there are, also when they did not fit and none was written
    Count spare;
};

static __device__ int *columns(char *result)
{
    return reinterpret_cast<int *>(result + sizeof(Header));
}

// The sum of the values of this thread and all before it. Once it returned, line[blockDim.x - 1] is the block's sum.
// All threads call it together, and meet at a barrier before they call it again.
static __device__ Count sum_up_to(Count *line, Count value)
{
    const int thread = threadIdx.x, threads = blockDim.x;
    line[thread] = value;
    __syncthreads();
    for (int step = 1; step < threads; step *= 2) {
        const Count before = thread >= step ? line[thread - step] : 0;
        __syncthreads();
        line[thread] += before;
        __syncthreads();
    }
    return line[thread];
}

// first[i] <= value < first[i + 1] of an ascending list that begins with 0 and has `count` entries and one more.
template <typename Number>
static __device__ int place_in(const Number *first, int count, Number value)
{
    int low = 0, high = count;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (first[middle] <= value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static __device__ bool is_peak(const float *heat, int cell, int height, int width, float threshold)
{
    const float here = heat[cell];
    if (!(here > threshold) || !isfinite(here))
        return false;
    const int row = cell / width, column = cell - row * width;
    for (int dy = -1; dy <= 1; ++dy)
        for (int dx = -1; dx <= 1; ++dx) {
            const int y = row + dy, x = column + dx;
            if ((dy == 0 && dx == 0) || y < 0 || y >= height || x < 0 || x >= width)
                continue;
            const float there = heat[y * width + x];
            const bool later = dy > 0 || (dy == 0 && dx > 0);
            if (!(later ? here > there : here >= there))
                return false;
        }
    return true;
}

// Place of the maximum along one axis, in cells: the vertex of the parabola through three logarithms.
static __device__ float summit(const float *heat, int cell, int position, int size, int step)
{
    const float exact = static_cast<float>(position);
    if (size < 3)
        return exact;
    const int middle = position < 1 ? 1 : position > size - 2 ? size - 2 : position;
    const float *centre = heat + cell + (middle - position) * step;
    const float floor = heat[cell] * 0.01f;
    float logarithms[3];
    for (int part = 0; part < 3; ++part) {
        const float value = centre[(part - 1) * step];
        logarithms[part] = logf(value <= floor ? floor : value);  // not fmaxf, which would hide a NaN
    }
    float bend = logarithms[0] - 2.0f * logarithms[1] + logarithms[2];
    bend = bend < -1e-6f ? bend : -1e-6f;
    const float vertex = static_cast<float>(middle) + 0.5f * (logarithms[0] - logarithms[2]) / bend;
    if (!isfinite(vertex))
        return exact;
    return fminf(fmaxf(vertex, exact - 0.5f), exact + 0.5f);
}

static __device__ Word bits_of(float heat)
{
    return __float_as_uint(heat);  // of positive numbers the greater one has the greater bits
}

// Leaves the `limit` strongest of `count` cells where they are, in their order; of equals the first ones stay.
static __device__ int keep_strongest(const float *heat, int *cells, int count, int limit, Count *line, int *histogram)
{
    const int thread = threadIdx.x, threads = blockDim.x;
    // The weakest that stays, digit by digit; `wanted` is how many of its equals stay.
    Word weakest = 0, mask = 0;
    int wanted = limit;
    for (int shift = 28; shift >= 0; shift -= 4) {
        for (int digit = thread; digit < DIGITS; digit += threads)
            histogram[digit] = 0;
        __syncthreads();
        for (int i = thread; i < count; i += threads) {
            const Word bits = bits_of(heat[cells[i]]);
            if ((bits & mask) == weakest)
                atomicAdd(&histogram[(bits >> shift) & (DIGITS - 1)], 1);
        }
        __syncthreads();
        int digit = DIGITS - 1;
        while (histogram[digit] < wanted)
            wanted -= histogram[digit--];
        weakest |= static_cast<Word>(digit) << shift;
        mask |= static_cast<Word>(DIGITS - 1) << shift;
        __syncthreads();
    }
    int stronger = 0, equals = 0;
    for (int from = 0; from < count; from += threads) {
        const bool there = from + thread < count;
        const int cell = there ? cells[from + thread] : 0;
        const Word bits = there ? bits_of(heat[cell]) : 0;
        const bool is_stronger = bits > weakest, is_equal = there && bits == weakest;
        const Count both = sum_up_to(line, is_equal ? Count(1) << 32 : is_stronger ? 1 : 0);
        const int equals_here = equals + static_cast<int>(both >> 32);
        const int stronger_here = stronger + static_cast<int>(both & 0xffffffff);
        // Never beyond the cell's own place, and what stood there has been read.
        if (is_stronger)
            cells[stronger_here - 1 + min(equals_here, wanted)] = cell;
        else if (is_equal && equals_here <= wanted)
            cells[stronger_here + equals_here - 1] = cell;
        equals += static_cast<int>(line[threads - 1] >> 32);
        stronger += static_cast<int>(line[threads - 1] & 0xffffffff);
        __syncthreads();
    }
    return limit;
}

// heatmaps (B, channels, H, W). bounds (B, 4): first x and y, last x and y, in cells, of each image's picture.
// limbs (L, 2). cells (B * J, most), counts (B * J), first_row (B * J + 1), first_pair (B * L + 1), supported (CHUNKS):
// filled here. done: 0 before and after. The block that is done last puts the peaks of all into the result.
extern "C" __global__ void __launch_bounds__(LARGEST_BLOCK, 1) find_peaks(
    const float *heatmaps, const float *bounds, const int *limbs, int images, int channels, int joints, int limb_count,
    int height, int width, float threshold, int limit, int most, int *cells, int *counts, Word *done, int *first_row,
    Count *first_pair, int *supported, char *result)
{
    __shared__ Count line[LARGEST_BLOCK];
    __shared__ Word marks[LARGEST_BLOCK];
    __shared__ int histogram[DIGITS];
    __shared__ bool is_last;
    const int thread = threadIdx.x, threads = blockDim.x, plane = blockIdx.x, planes = gridDim.x;
    const size_t size = static_cast<size_t>(height) * width;
    const int end = static_cast<int>(size);

    const float *heat = heatmaps + (static_cast<size_t>(plane / joints) * channels + plane % joints) * size;
    const float *bound = bounds + 4 * (plane / joints);
    int *own = cells + static_cast<size_t>(plane) * most;
    int count = 0;
    for (int band = 0; band < end; band += 32 * threads) {
        marks[thread] = 0;
        __syncthreads();
        for (int cell = band + thread; cell < end && cell - band < 32 * threads; cell += threads)
            if (is_peak(heat, cell, height, width, threshold)) {
                const float x = summit(heat, cell, cell % width, width, 1);
                const float y = summit(heat, cell, cell / width, height, width);
                if (x >= bound[0] && y >= bound[1] && x <= bound[2] && y <= bound[3])
                    atomicOr(&marks[(cell - band) / 32], Word(1) << ((cell - band) % 32));
            }
        __syncthreads();
        Word word = marks[thread];
        int place = count + static_cast<int>(sum_up_to(line, __popc(word))) - __popc(word);
        for (; word; word &= word - 1)
            own[place++] = band + 32 * thread + __ffs(static_cast<int>(word)) - 1;
        count += static_cast<int>(line[threads - 1]);
        __syncthreads();
    }
    if (count > limit)
        count = keep_strongest(heat, own, count, limit, line, histogram);

    __threadfence();  // what this block wrote is seen by the block that is done last
    __syncthreads();
    if (thread == 0) {
        counts[plane] = count;
        __threadfence();
        is_last = atomicAdd(done, 1u) == static_cast<Word>(planes - 1);
    }
    __syncthreads();
    if (!is_last)
        return;
    __threadfence();

    Count rows = 0;
    for (int from = 0; from < planes; from += threads) {
        const Count here = from + thread < planes ? counts[from + thread] : 0;
        const Count until = sum_up_to(line, here);
        if (from + thread < planes)
            first_row[from + thread] = static_cast<int>(rows + until - here);
        rows += line[threads - 1];
        __syncthreads();
    }
    Count pairs = 0;
    const int kinds = images * limb_count;
    for (int from = 0; from < kinds; from += threads) {
        const int kind = from + thread;
        Count here = 0;
        if (kind < kinds) {
            const int *joint = limbs + 2 * (kind % limb_count), first = kind / limb_count * joints;
            here = static_cast<Count>(counts[first + joint[0]]) * counts[first + joint[1]];
        }
        const Count until = sum_up_to(line, here);
        if (kind < kinds)
            first_pair[kind] = pairs + until - here;
        pairs += line[threads - 1];
        __syncthreads();
    }
    for (int chunk = thread; chunk < CHUNKS; chunk += threads)
        supported[chunk] = 0;
    if (thread == 0) {
        first_row[planes] = static_cast<int>(rows);
        first_pair[kinds] = pairs;
        Header *header = reinterpret_cast<Header *>(result);
        header->peaks = rows;
        header->pairs = pairs;
        header->connections = 0;
        *done = 0;
    }
    __syncthreads();

    int *column = columns(result);
    float *values = reinterpret_cast<float *>(column + 2 * rows);
    for (int row = thread; row < rows; row += threads) {
        const int from = place_in(first_row, planes, row);
        const int cell = cells[static_cast<size_t>(from) * most + row - first_row[from]];
        const float *there = heatmaps + (static_cast<size_t>(from / joints) * channels + from % joints) * size;
        column[row] = from / joints;
        column[rows + row] = from % joints;
        values[row] = summit(there, cell, cell % width, width, 1);
        values[rows + row] = summit(there, cell, cell / width, height, width);
        values[2 * rows + row] = there[cell];
    }
}

struct Pair
{
    int kind, start, end;  // kind: image * L + limb; start and end: rows
};

static __device__ Pair pair_of(
    Count pair, const Count *first_pair, const int *first_row, const int *limbs, int kinds, int joints, int limb_count)
{
    Pair found;
    found.kind = place_in(first_pair, kinds, pair);
    const int *joint = limbs + 2 * (found.kind % limb_count), first = found.kind / limb_count * joints;
    const int start = first_row[first + joint[0]], end = first_row[first + joint[1]];
    const Word across = first_row[first + joint[1] + 1] - end, within = static_cast<Word>(pair - first_pair[found.kind]);
    found.start = start + static_cast<int>(within / across);
    found.end = end + static_cast<int>(within % across);
    return found;
}

// Consecutive pairs that gather_limbs counts together: so many that there are at most CHUNKS of them.
static __device__ Count chunk_size(Count pairs, int portion)
{
    const Count portions = (pairs + portion - 1) / portion;
    return portion * ((portions + CHUNKS - 1) / CHUNKS);
}

static __device__ float clamped(float place, int size)
{
    return fminf(fmaxf(place, 0.0f), static_cast<float>(size - 1));
}

// pafs (B, L, 2, H, W). scores (room): of every pair, 0 where it is not supported. supported (CHUNKS): how many are.
// Does nothing when there are more pairs than room. few_needed of `few` points must support a pair whose points then
// lie close, many_needed of `many` another one. portion: threads in a block of gather_limbs.
extern "C" __global__ void __launch_bounds__(LARGEST_PAIR_BLOCK) score_limbs(
    const float *pafs, const int *limbs, int images, int joints, int limb_count, int height, int width, float offset,
    int few, int few_needed, int many, int many_needed, float threshold, const int *first_row, const Count *first_pair,
    Count room, int portion, float *scores, int *supported, char *result)
{
    const float probes[] = {PROBES};
    const int probe_count = sizeof(probes) / sizeof(probes[0]);
    const Header *header = reinterpret_cast<const Header *>(result);
    const Count pairs = header->pairs, rows = header->peaks, chunk = chunk_size(pairs, portion);
    if (pairs > room)
        return;
    const float *px = reinterpret_cast<const float *>(columns(result)) + 2 * rows, *py = px + rows;
    const size_t size = static_cast<size_t>(height) * width;
    const Count all = static_cast<Count>(gridDim.x) * blockDim.x;
    for (Count number = static_cast<Count>(blockIdx.x) * blockDim.x + threadIdx.x; number < pairs; number += all) {
        scores[number] = 0.0f;
        const Pair pair = pair_of(number, first_pair, first_row, limbs, images * limb_count, joints, limb_count);
        const float *field_x = pafs + 2 * static_cast<size_t>(pair.kind) * size, *field_y = field_x + size;
        const float across = px[pair.end] - px[pair.start], down = py[pair.end] - py[pair.start];
        const float x = px[pair.start] + offset, y = py[pair.start] + offset;
        const float distance = sqrtf(across * across + down * down);
        const float length = distance > 1e-6f ? distance : 1e-6f;

        float total = 0.0f;
        for (int probe = 0; probe < probe_count; ++probe) {
            const int column = static_cast<int>(clamped(x + across * probes[probe], width) + 0.5f);
            const int row = static_cast<int>(clamped(y + down * probes[probe], height) + 0.5f);
            const size_t cell = static_cast<size_t>(row) * width + column;
            total += field_x[cell] * across + field_y[cell] * down;
        }
        if (!(total > PROBE_SUM * length))
            continue;

        const bool far = length > 2.0f * static_cast<float>(few);
        const int samples = far ? many : few, needed = far ? many_needed : few_needed;
        const float unit_x = across / length, unit_y = down / length;
        int support = 0;
        total = 0.0f;
        for (int sample = 0; sample < samples && support + samples - sample >= needed; ++sample) {
            const float part = static_cast<float>(sample) / static_cast<float>(samples - 1);
            const float at_x = clamped(x + across * part, width), at_y = clamped(y + down * part, height);
            const int left = static_cast<int>(at_x), top = static_cast<int>(at_y);
            const int right = min(left + 1, width - 1), below = min(top + 1, height - 1);
            const float fx = at_x - static_cast<float>(left), fy = at_y - static_cast<float>(top);
            const float gx = 1.0f - fx, gy = 1.0f - fy;
            const size_t above_at = static_cast<size_t>(top) * width, below_at = static_cast<size_t>(below) * width;
            const float vx = (field_x[above_at + left] * gx + field_x[above_at + right] * fx) * gy
                + (field_x[below_at + left] * gx + field_x[below_at + right] * fx) * fy;
            const float vy = (field_y[above_at + left] * gx + field_y[above_at + right] * fx) * gy
                + (field_y[below_at + left] * gx + field_y[below_at + right] * fx) * fy;
            const float along = vx * unit_x + vy * unit_y;
            total += along;
            support += along > threshold;
        }
        const float score = total / static_cast<float>(samples);
        if (support >= needed && score > 0.0f && isfinite(score)) {
            scores[number] = score;
            atomicAdd(&supported[number / chunk], 1);
        }
    }
}

// Puts the supported pairs into the result, in their order, when all fit into its `capacity` bytes.
extern "C" __global__ void __launch_bounds__(LARGEST_PAIR_BLOCK, 1) gather_limbs(
    const int *limbs, int images, int joints, int limb_count, const int *first_row, const Count *first_pair, Count room,
    const float *scores, const int *supported, Count capacity, char *result)
{
    __shared__ Count line[LARGEST_PAIR_BLOCK];
    const int thread = threadIdx.x, threads = blockDim.x, own = blockIdx.x;
    Header *header = reinterpret_cast<Header *>(result);
    const Count pairs = header->pairs, rows = header->peaks, chunk = chunk_size(pairs, threads);
    if (pairs > room || (own > 0 && own * chunk >= pairs))
        return;
    Count before = 0, all = 0;
    for (int other = thread; other < CHUNKS; other += threads) {
        all += supported[other];
        before += other < own ? supported[other] : 0;
    }
    sum_up_to(line, before);
    Count place = line[threads - 1];
    __syncthreads();
    sum_up_to(line, all);
    const Count found = line[threads - 1];
    __syncthreads();
    if (own == 0 && thread == 0)
        header->connections = found;
    if (static_cast<Count>(sizeof(Header)) + 20 * rows + 16 * found > capacity)
        return;

    int *first = columns(result) + 5 * rows;
    const Count end = min((own + 1) * chunk, pairs);
    for (Count from = own * chunk; from < end; from += threads) {
        const float score = from + thread < end ? scores[from + thread] : 0.0f;
        const Count until = place + sum_up_to(line, score > 0.0f);
        if (score > 0.0f) {
            const Pair pair =
                pair_of(from + thread, first_pair, first_row, limbs, images * limb_count, joints, limb_count);
            int *connection = first + until - 1;
            connection[0] = pair.kind % limb_count;
            connection[found] = pair.start;
            connection[2 * found] = pair.end;
            reinterpret_cast<float *>(connection)[3 * found] = score;
        }
        place += line[threads - 1];
        __syncthreads();
    }
}
