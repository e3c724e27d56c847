// A picture onto the network's input: resized as the tables of preprocess.py say, grey around it. One thread a pixel.
//
// Read by NVRTC, by nvcc and, through test/decode/shim.h, by a C++ compiler: hence no headers.

static __device__ unsigned char rounded(float value)
{
    return static_cast<unsigned char>(fminf(value, 255.0f) + 0.5f);
}

// source (rows, columns, 3): an image. Pixel (y, x) of its picture (height, width) is the sum over `down` rows from
// first_row[y] on and `across` columns from first_column[x] on, weighted by row_weights (height, down) and
// column_weights (width, across). target (target_height, target_width, 3) holds the picture from (top, left) on.
extern "C" __global__ void __launch_bounds__(256) show(
    const unsigned char *source, int columns, const int *first_row, const float *row_weights, int down,
    const int *first_column, const float *column_weights, int across, int top, int left, int height, int width,
    int pad, int target_height, int target_width, unsigned char *target)
{
    const int count = target_height * target_width, all = gridDim.x * blockDim.x;
    for (int number = blockIdx.x * blockDim.x + threadIdx.x; number < count; number += all) {
        const int y = number / target_width - top, x = number % target_width - left;
        unsigned char *pixel = target + 3 * static_cast<size_t>(number);
        if (y < 0 || x < 0 || y >= height || x >= width) {
            pixel[0] = pixel[1] = pixel[2] = static_cast<unsigned char>(pad);
            continue;
        }
        const float *of_row = row_weights + static_cast<size_t>(y) * down;
        const float *of_column = column_weights + static_cast<size_t>(x) * across;
        const unsigned char *corner = source + 3 * (static_cast<size_t>(first_row[y]) * columns + first_column[x]);
        float blue = 0.0f, green = 0.0f, red = 0.0f;
        for (int row = 0; row < down; ++row) {
            const unsigned char *there = corner + 3 * static_cast<size_t>(row) * columns;
            float b = 0.0f, g = 0.0f, r = 0.0f;
            for (int column = 0; column < across; ++column, there += 3) {
                b += of_column[column] * static_cast<float>(there[0]);
                g += of_column[column] * static_cast<float>(there[1]);
                r += of_column[column] * static_cast<float>(there[2]);
            }
            blue += of_row[row] * b;
            green += of_row[row] * g;
            red += of_row[row] * r;
        }
        pixel[0] = rounded(blue);
        pixel[1] = rounded(green);
        pixel[2] = rounded(red);
    }
}
