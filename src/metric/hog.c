/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/alloc.h"
#include "metric/similarity.h"

#define BINS 9
#define CELL 16
#define BLOCK 3
#define LARGEST 0.2 /* of a normalised block, before it is normalised again */

struct layout {
    int H, W;
    int cell;   /* pixels */
    int ny, nx; /* cells */
    int by, bx; /* blocks, which overlap: one for each cell that it can begin at */
    int block;  /* cells */
};

static struct layout make_layout(int H, int W)
{
    const int third = (H < W ? H : W) / BLOCK;
    struct layout l = { .H = H, .W = W, .cell = third < 1 ? 1 : third < CELL ? third : CELL };
    l.ny = H / l.cell;
    l.nx = W / l.cell;
    const int cells = l.ny < l.nx ? l.ny : l.nx;
    l.block = cells < BLOCK ? cells : BLOCK;
    l.by = l.ny - l.block + 1;
    l.bx = l.nx - l.block + 1;
    return l;
}

static size_t features_of(const struct layout *l)
{
    return (size_t)l->by * (size_t)l->bx * (size_t)(l->block * l->block) * BINS;
}

/* Central differences, 0 at the border. */
static double slope(const float *at, int i, int n, int stride)
{
    return i > 0 && i + 1 < n ? (double)at[stride] - (double)at[-stride] : 0;
}

/* Sums of the gradients' sizes over directions, per pixel of a cell: cells [ny][nx][BINS]. */
static void fill_cells(const float *frame, const struct layout *l, double *cells)
{
    const double pi = acos(-1);
    for (int i = 0; i < l->ny * l->nx * BINS; i++)
        cells[i] = 0;
    for (int y = 0; y < l->ny * l->cell; y++)
        for (int x = 0; x < l->nx * l->cell; x++) {
            const float *at = frame + (size_t)y * (size_t)l->W + x;
            const double dy = slope(at, y, l->H, l->W), dx = slope(at, x, l->W, 1);
            const double angle = atan2(dy, dx), turn = angle < 0 ? angle + pi : angle;
            const int bin = (int)(turn / pi * BINS) % BINS; /* unsigned: pi is 0 */
            cells[((y / l->cell) * l->nx + x / l->cell) * BINS + bin] +=
                hypot(dx, dy) / (l->cell * l->cell);
        }
}

static void normalise(double *block, int n)
{
    const double epsilon = 1e-5;
    for (int pass = 0; pass < 2; pass++) {
        double squares = epsilon * epsilon;
        for (int i = 0; i < n; i++)
            squares += block[i] * block[i];
        for (int i = 0; i < n; i++) {
            block[i] /= sqrt(squares);
            block[i] = pass == 0 ? fmin(block[i], LARGEST) : block[i];
        }
    }
}

/* Features of a frame from its cells. */
static void fill_blocks(const double *cells, const struct layout *l, double *features)
{
    const int n = l->block * l->block * BINS;
    for (int y = 0; y < l->by; y++)
        for (int x = 0; x < l->bx; x++) {
            double *block = features + (size_t)(y * l->bx + x) * (size_t)n;
            int k = 0;
            for (int cy = y; cy < y + l->block; cy++)
                for (int i = x * BINS; i < (x + l->block) * BINS; i++)
                    block[k++] = cells[cy * l->nx * BINS + i];
            normalise(block, n);
        }
}

static void describe(const float *map, int T, const struct layout *l, double *cells,
                     double *features)
{
    for (int t = 0; t < T; t++) {
        fill_cells(map + (size_t)t * (size_t)l->H * (size_t)l->W, l, cells);
        fill_blocks(cells, l, features + (size_t)t * features_of(l));
    }
}

aosa_status ao_hog_correlation(const float *a, const float *b, int T, int H, int W, double *r)
{
    const struct layout l = make_layout(H, W);
    const size_t n = (size_t)T * features_of(&l);
    double *cells = ao_alloc_raw((size_t)(l.ny * l.nx), BINS * sizeof *cells);
    double *features = ao_alloc_raw(n, 2 * sizeof *features);
    const bool allocated = cells && features;
    if (allocated) {
        describe(a, T, &l, cells, features);
        describe(b, T, &l, cells, features + n);
        *r = ao_pearson(features, features + n, n);
    }
    ao_free(cells);
    ao_free(features);
    return allocated ? AOSA_OK
                     : ao_fail(AOSA_ERR_NOMEM, "HOG: no memory for %d frames of %dx%d", T, W, H);
}
