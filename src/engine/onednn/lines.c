/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/parallel.h"
#include "engine/onednn/loops.h"

/*
 * Gradient of a convolution with few input channels, above all that of the clip. Vectors run along
 * the lines of dL/dx here, not along its channels. A plane of one phase (loops.h) is a sum over the
 * channels and taps of planes of dL/dy, which are copied row-major with zeros around: then one
 * plane behind the other is a single long line, and what falls between two lines is left out.
 */

struct phase {
    struct ao_dnnl_axis axis[3];
    size_t n_taps;
    uint32_t *at;   /* [n_taps] from the lowest address that a sum reads */
    float *weights; /* [groups][inputs][n_taps][AO_LINES_ROWS] */
};

struct lines {
    const struct ao_kernels *kernels;
    int64_t images, inputs, outputs, groups; /* channels of dL/dy, of dL/dx, in threes */
    struct ao_dnnl_grid grid;
    struct phase *phases;
};

/* ---- preparation ---- */

static int64_t plane_of(const struct lines *l)
{
    return l->grid.padded[1] * l->grid.padded[2];
}

/* Tap number k of a phase. */
static void fill_tap(const struct lines *l, const struct ao_dnnl_loop_conv *conv,
                     struct phase *phase, size_t k, const int64_t *step)
{
    const struct ao_dnnl_axis *axis = phase->axis;
    const int64_t tap = ao_dnnl_grid_tap(&l->grid, conv, axis, step);
    const int64_t up[3] = { axis[0].n_taps - 1 - step[0], axis[1].n_taps - 1 - step[1],
                            axis[2].n_taps - 1 - step[2] };
    phase->at[k] = (uint32_t)(up[0] * plane_of(l) + up[1] * l->grid.padded[2] + up[2]);
    for (int64_t c = 0; c < l->outputs; c++)
        for (int64_t m = 0; m < l->inputs; m++) {
            const int64_t row = (c / AO_LINES_ROWS * l->inputs + m) * (int64_t)phase->n_taps;
            phase->weights[(row + (int64_t)k) * AO_LINES_ROWS + c % AO_LINES_ROWS] =
                ao_weight(conv->weights, c * conv->out_step + m * conv->in_step + tap);
        }
}

static aosa_status fill_phase(struct ao_dnnl_program *program, const struct lines *l,
                              const struct ao_dnnl_loop_conv *conv, struct phase *phase)
{
    const struct ao_dnnl_axis *axis = phase->axis;
    const size_t n = (size_t)(axis[0].n_taps * axis[1].n_taps * axis[2].n_taps);
    const size_t floats = (size_t)(l->groups * l->inputs) * n * AO_LINES_ROWS;
    int64_t step[3];
    phase->n_taps = n;
    phase->at = ao_arena_alloc(&program->arena, n + 1, sizeof *phase->at);
    if (!phase->at)
        return ao_fail(AOSA_ERR_NOMEM, "prepared weights: no memory for %zu taps", n);
    void *memory;
    AO_TRY(ao_dnnl_weight_memory(program, floats * sizeof *phase->weights, &memory));
    phase->weights = memset(memory, 0, floats * sizeof *phase->weights);
    size_t k = 0;
    for (step[0] = 0; step[0] < axis[0].n_taps; step[0]++)
        for (step[1] = 0; step[1] < axis[1].n_taps; step[1]++)
            for (step[2] = 0; step[2] < axis[2].n_taps; step[2]++)
                fill_tap(l, conv, phase, k++, step);
    return AOSA_OK;
}

static size_t image_floats(const struct lines *l)
{
    return (size_t)(l->inputs * l->grid.padded[0] * plane_of(l));
}

/* All images, and one line to read beyond. */
static size_t copy_floats(const struct lines *l)
{
    return (size_t)l->images * image_floats(l) + AO_LINES_WIDE;
}

/* Sums of one plane, for every thread. */
static size_t sum_floats(const struct lines *l)
{
    return ((size_t)plane_of(l) / AO_LINES_WIDE + 1) * AO_LINES_ROWS * AO_LINES_WIDE;
}

static bool is_row_major(const dnnl_memory_desc_t *md)
{
    return md->format_kind == dnnl_blocked && md->format_desc.blocking.inner_nblks == 0 &&
           ao_dnnl_is_row_major(md);
}

static aosa_status run_lines(const void *form, const struct ao_dnnl_loop_call *call);

aosa_status ao_dnnl_lines_create(struct ao_dnnl_program *program,
                                 const struct ao_dnnl_loop_conv *conv, struct ao_dnnl_loop *loop)
{
    struct lines l = { .kernels = ao_kernels(),
                       .images = conv->src.dims[0],
                       .inputs = conv->src.dims[1],
                       .outputs = conv->dst.dims[1] };
    *loop = (struct ao_dnnl_loop){ .run = run_lines };
    if (ao_kernels_isa() == AO_ISA_C || conv->dst.dims[1] >= AO_IGEMM_COLS / 2 ||
        !ao_dnnl_grid(conv, &l.grid) || !is_row_major(&conv->src_md) ||
        !is_row_major(&conv->dst_md) || image_floats(&l) > INT32_MAX)
        return AOSA_OK;
    l.groups = (l.outputs + AO_LINES_ROWS - 1) / AO_LINES_ROWS;
    l.phases = ao_arena_alloc(&program->arena, (size_t)l.grid.n_phases, sizeof *l.phases);
    if (!l.phases)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for %d phases", l.grid.n_phases);
    for (int i = 0; i < l.grid.n_phases; i++) {
        ao_dnnl_grid_phase(&l.grid, i, l.phases[i].axis);
        AO_TRY(fill_phase(program, &l, conv, &l.phases[i]));
    }
    loop->scratch_bytes =
        (copy_floats(&l) + (size_t)program->inner_threads * sum_floats(&l)) * sizeof(float);
    loop->form = ao_arena_copy(&program->arena, &l, sizeof l);
    return loop->form ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "convolution: %zu bytes", sizeof l);
}

/* ---- the work ---- */

struct run {
    const struct lines *lines;
    const struct ao_dnnl_loop_call *call;
    float *copy; /* [images][inputs][padded] */
    float *sums; /* [threads][blocks of a plane][AO_LINES_ROWS][AO_LINES_WIDE] */
};

/* One channel of one image of the copy. */
static aosa_status copy_channel(void *context, int64_t item, int thread)
{
    const struct run *run = context;
    const struct ao_dnnl_grid *g = &run->lines->grid;
    const int64_t plane = plane_of(run->lines), frames = g->padded[0];
    const size_t line = (size_t)g->small[2];
    const float *src = run->call->src + item * g->small[0] * g->small[1] * g->small[2];
    float *dst = run->copy + item * frames * plane;
    (void)thread;
    memset(dst, 0, (size_t)(frames * plane) * sizeof *dst);
    for (int64_t t = 0; t < g->small[0]; t++)
        for (int64_t y = 0; y < g->small[1]; y++, src += line)
            memcpy(dst + (t + g->halo[0]) * plane + (y + g->halo[1]) * g->padded[2] + g->halo[2],
                   src, line * sizeof *dst);
    return AOSA_OK;
}

/* Elements [lo, lo + AO_LINES_WIDE) of a plane of the copy, as far as they are elements of dL/dx;
 * dst is channel 0 of its frame. */
static void store(const struct lines *l, const struct phase *phase, int64_t lo, const float *sums,
                  int64_t rows, float *dst)
{
    const struct ao_dnnl_grid *g = &l->grid;
    const struct ao_dnnl_axis *y_axis = &phase->axis[1], *x_axis = &phase->axis[2];
    const int64_t frame = g->big[1] * g->big[2], channel = g->big[0] * frame;
    int64_t y = lo / g->padded[2] - g->halo[1] - y_axis->window;
    int64_t x = lo % g->padded[2] - g->halo[2] - x_axis->window;
    for (int64_t n = 0; n < AO_LINES_WIDE; n++) {
        if (y >= 0 && y < y_axis->count && x >= 0 && x < x_axis->count) {
            const int64_t at =
                (y_axis->first + y * g->stride[1]) * g->big[2] + x_axis->first + x * g->stride[2];
            for (int64_t r = 0; r < rows; r++)
                dst[r * channel + at] = sums[r * AO_LINES_WIDE + n];
        }
        if (++x == g->padded[2] - g->halo[2] - x_axis->window) {
            x = -g->halo[2] - x_axis->window;
            y++;
        }
    }
}

/* The taps of a phase that meet a frame of dL/dy, for one frame of dL/dx. */
struct taps {
    size_t first, n;
};

static struct taps taps_of(const struct lines *l, const struct phase *phase, int64_t i)
{
    const struct ao_dnnl_axis *axis = phase->axis;
    const int64_t plane = axis[1].n_taps * axis[2].n_taps, window = axis[0].window + i;
    const int64_t last = l->grid.small[0] - 1;
    const int64_t lo = window > last ? window - last : 0;
    const int64_t hi = window < axis[0].n_taps - 1 ? window + 1 : axis[0].n_taps;
    return lo < hi ? (struct taps){ (size_t)(lo * plane), (size_t)((hi - lo) * plane) }
                   : (struct taps){ 0, 0 };
}

/*
 * One plane of a phase, of AO_LINES_ROWS channels. Channel after channel of dL/dy is added to all
 * of it: the few lines that neighbouring blocks share then stay in the first-level cache.
 */
static void sum_plane(const struct lines *l, const struct phase *phase, struct taps taps,
                      const float *src, const float *weights, int64_t length, float *sums)
{
    const size_t block = AO_LINES_ROWS * AO_LINES_WIDE;
    for (int64_t m = 0; m < l->inputs; m++) {
        for (int64_t lo = 0; lo < length; lo += AO_LINES_WIDE)
            l->kernels->lines(&(struct ao_lines){
                .src = src + lo,
                .at = phase->at + taps.first,
                .w = weights + taps.first * AO_LINES_ROWS,
                .n_taps = taps.n,
                .dst = sums + (size_t)(lo / AO_LINES_WIDE) * block,
                .accumulate = m > 0,
            });
        weights += phase->n_taps * AO_LINES_ROWS;
        src += l->grid.padded[0] * plane_of(l);
    }
}

/* Frame `i` of a phase, in one image. */
static void run_frame(const struct run *run, const struct phase *phase, int64_t image, int64_t i,
                      float *sums)
{
    const struct lines *l = run->lines;
    const struct ao_dnnl_grid *g = &l->grid;
    const struct ao_dnnl_axis *axis = phase->axis;
    const int64_t frame = g->big[1] * g->big[2], pitch = g->padded[2];
    /* First element in the plane of the copy, and what the taps reach back from there. */
    const int64_t first = (axis[1].window + g->halo[1]) * pitch + axis[2].window + g->halo[2];
    const int64_t length = (axis[1].count - 1) * pitch + axis[2].count;
    const int64_t reach = (axis[1].n_taps - 1) * pitch + axis[2].n_taps - 1;
    const int64_t t = axis[0].window + i + g->halo[0] - (axis[0].n_taps - 1);
    const float *src = run->copy;
    if (phase->n_taps > 0)
        src += image * (int64_t)image_floats(l) + t * plane_of(l) + first - reach;
    float *dst = run->call->dst + image * l->outputs * g->big[0] * frame +
                 (axis[0].first + i * g->stride[0]) * frame;
    for (int64_t c = 0; c < l->outputs; c += AO_LINES_ROWS) {
        const int64_t rows = l->outputs - c < AO_LINES_ROWS ? l->outputs - c : AO_LINES_ROWS;
        sum_plane(l, phase, taps_of(l, phase, i), src,
                  phase->weights + (size_t)(c * l->inputs) * phase->n_taps, length, sums);
        for (int64_t lo = 0; lo < length; lo += AO_LINES_WIDE)
            store(l, phase, first + lo, sums + lo * AO_LINES_ROWS, rows,
                  dst + c * g->big[0] * frame);
    }
}

/* Items are the frames of dL/dx and the phases of their planes. */
static aosa_status run_item(void *context, int64_t item, int thread)
{
    const struct run *run = context;
    const struct lines *l = run->lines;
    const struct ao_dnnl_grid *g = &l->grid;
    const int64_t planes = g->stride[1] * g->stride[2], frame = item / planes % g->big[0];
    for (int64_t r = 0; r < g->stride[0]; r++) {
        const struct phase *phase = &l->phases[r * planes + item % planes];
        const int64_t i = frame - phase->axis[0].first;
        if (i >= 0 && i % g->stride[0] == 0 && phase->axis[1].count > 0 && phase->axis[2].count > 0)
            run_frame(run, phase, item / planes / g->big[0], i / g->stride[0],
                      run->sums + (size_t)thread * sum_floats(l));
    }
    return AOSA_OK;
}

static aosa_status run_lines(const void *form, const struct ao_dnnl_loop_call *call)
{
    const struct lines *l = form;
    const struct ao_dnnl_grid *g = &l->grid;
    struct run run = { .lines = l, .call = call, .copy = call->scratch };
    run.sums = run.copy + copy_floats(l);
    memset(run.sums - AO_LINES_WIDE, 0, AO_LINES_WIDE * sizeof(float));
    AO_TRY(ao_parallel_for(call->threads, l->images * l->inputs, copy_channel, &run));
    return ao_parallel_for(call->threads, l->images * g->big[0] * g->stride[1] * g->stride[2],
                           run_item, &run);
}
