/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "engine/onednn/loops.h"

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

static struct ao_dnnl_axis find_phase(const struct ao_dnnl_grid *grid, int d, int64_t kernel,
                                      int64_t pad, int64_t remainder)
{
    const int64_t stride = grid->stride[d];
    struct ao_dnnl_axis phase = { .tap = remainder };
    phase.window = -floor_div(remainder - pad, stride); /* of the first element >= 0 */
    phase.first = phase.window * stride + remainder - pad;
    phase.count = phase.first < grid->big[d] ? (grid->big[d] - 1 - phase.first) / stride + 1 : 0;
    phase.n_taps = remainder < kernel ? (kernel - 1 - remainder) / stride + 1 : 0;
    return phase;
}

/* Phases of one axis, and the extent of the copy along it. */
static void plan_axis(struct ao_dnnl_grid *grid, const struct ao_window *window, int d)
{
    const int i = d - (3 - window->rank);
    int64_t behind = 0;
    for (int64_t r = 0; r < grid->stride[d]; r++) {
        const struct ao_dnnl_axis phase =
            find_phase(grid, d, i < 0 ? 1 : window->kernel[i], i < 0 ? 0 : window->pad_lo[i], r);
        const int64_t lowest = phase.window - (phase.n_taps - 1);
        const int64_t beyond = phase.window + phase.count - grid->small[d];
        grid->axis[d][r] = phase;
        if (-lowest > grid->halo[d])
            grid->halo[d] = -lowest;
        if (beyond > behind)
            behind = beyond;
    }
    grid->padded[d] = grid->halo[d] + grid->small[d] + behind;
}

bool ao_dnnl_grid(const struct ao_dnnl_loop_conv *conv, struct ao_dnnl_grid *grid)
{
    const struct ao_window *window = &conv->window;
    *grid = (struct ao_dnnl_grid){ .n_phases = 1 };
    ao_dnnl_lift(&conv->src, grid->small);
    ao_dnnl_lift(&conv->dst, grid->big);
    for (int d = 0; d < 3; d++) {
        const int i = d - (3 - window->rank);
        grid->stride[d] = i < 0 ? 1 : window->stride[i];
        if (i >= 0 && (window->dilation[i] != 1 || window->stride[i] > AO_DNNL_STRIDE))
            return false;
        grid->n_phases *= (int)grid->stride[d];
        plan_axis(grid, window, d);
    }
    /* Rows of the copy are numbered in 32 bits. */
    int64_t rows;
    return ao_count(grid->padded, 3, &rows) && rows < INT32_MAX / 2;
}

void ao_dnnl_grid_phase(const struct ao_dnnl_grid *grid, int phase, struct ao_dnnl_axis axis[3])
{
    for (int d = 2; d >= 0; d--) {
        axis[d] = grid->axis[d][phase % grid->stride[d]];
        phase /= (int)grid->stride[d];
    }
}

int64_t ao_dnnl_grid_tap(const struct ao_dnnl_grid *grid, const struct ao_dnnl_loop_conv *conv,
                         const struct ao_dnnl_axis axis[3], const int64_t step[3])
{
    const int lead = 3 - conv->window.rank;
    int64_t tap = 0;
    for (int d = lead; d < 3; d++)
        tap = tap * conv->window.kernel[d - lead] + axis[d].tap + step[d] * grid->stride[d];
    return tap;
}
