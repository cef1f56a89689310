/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/winograd.h"

#include <string.h>

/* u = G g along one axis; kernels.h gives the formulas. */
#define a ((double)AO_WINOGRAD_A)
#define b ((double)AO_WINOGRAD_B)
#define A (a * a)
#define B (b * b)
static const double transform_3[][3] = { { 0, 1, 0 }, { 0, -1, 1 }, { 1, -1, 0 } };
static const double transform_4[][3] = {
    { 1, 0, 0 }, { .5, .5, .5 }, { .5, -.5, .5 }, { 0, 0, 1 }
};
static const double transform_6[][3] = {
    { 1 / (A * B), 0, 0 },
    { 1 / (2 * A * (A - B)), a / (2 * A * (A - B)), 1 / (2 * (A - B)) },
    { 1 / (2 * A * (A - B)), -a / (2 * A * (A - B)), 1 / (2 * (A - B)) },
    { 1 / (2 * B * (B - A)), b / (2 * B * (B - A)), 1 / (2 * (B - A)) },
    { 1 / (2 * B * (B - A)), -b / (2 * B * (B - A)), 1 / (2 * (B - A)) },
    { 0, 0, 1 },
};
#undef a
#undef b
#undef A
#undef B

#define LANES AO_IGEMM_COLS

static void transform_line(ao_winograd_lanes *g, size_t n, size_t step, ao_winograd_lanes *u)
{
    const double(*const rows)[3] = n == 3 ? transform_3 : n == 4 ? transform_4 : transform_6;
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < LANES; i++)
            u[j * step][i] =
                rows[j][0] * g[0][i] + rows[j][1] * g[step][i] + rows[j][2] * g[2 * step][i];
}

/* Axis by axis, the last first. */
void ao_winograd_filter(const size_t n[3], ao_winograd_lanes *filter)
{
    ao_winograd_lanes next[AO_WINOGRAD_MOST];
    size_t extent[3] = { n[0] > 1 ? 3 : 1, n[1] > 1 ? 3 : 1, n[2] > 1 ? 3 : 1 };
    for (int d = 2; d >= 0; d--) {
        if (n[d] == 1)
            continue;
        const size_t inner = d == 2 ? 1 : d == 1 ? extent[2] : extent[1] * extent[2];
        const size_t outer = d == 0 ? 1 : d == 1 ? extent[0] : extent[0] * extent[1];
        for (size_t o = 0; o < outer; o++)
            for (size_t i = 0; i < inner; i++)
                transform_line(filter + o * 3 * inner + i, n[d], inner,
                               next + o * n[d] * inner + i);
        extent[d] = n[d];
        memcpy(filter, next, extent[0] * extent[1] * extent[2] * sizeof *filter);
    }
}
