/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/parallel.h"
#include "engine/onednn/loops.h"

/*
 * Gradient of a strided convolution, phase by phase (loops.h), as an indirect matrix product. The
 * phases together do the products of the forward, no more; oneDNN 2.6.3 multiplies first and adds
 * up afterwards, at half the speed. dL/dy is copied with its channels last and zeros around it, so
 * that every tap of every element finds something.
 */

#define TILES 8 /* of one item of the loop, AO_IGEMM_ROWS elements each */

struct phase {
    struct ao_dnnl_axis axis[3];
    int64_t n_taps;
    int64_t n_items;      /* of its loop, for one image */
    const float *weights; /* [panels][n_taps][inputs][AO_IGEMM_COLS] */
    uint32_t *tap;        /* [n_taps] 0, 1, 2, ... */
    uint32_t *back;       /* [n_taps] positions back from the lowest tap's, in the copy */
};

struct spread {
    const struct ao_kernels *kernels;
    int64_t images;
    struct ao_dnnl_grid grid;
    struct ao_dnnl_chunks src, dst;
    size_t inputs, columns;
    struct phase *phases;
    int64_t n_items; /* of one image */
    float *bias;
    bool relu;
};

/* ---- preparation ---- */

/* Weights of the taps of a phase, in the order of its taps. */
static void pack_panel(const struct spread *s, const struct ao_dnnl_loop_conv *conv,
                       const struct phase *phase, size_t panel, float *dst)
{
    const struct ao_dnnl_axis *axis = phase->axis;
    int64_t step[3];
    for (step[0] = 0; step[0] < axis[0].n_taps; step[0]++)
        for (step[1] = 0; step[1] < axis[1].n_taps; step[1]++)
            for (step[2] = 0; step[2] < axis[2].n_taps; step[2]++) {
                const int64_t tap = ao_dnnl_grid_tap(&s->grid, conv, axis, step);
                for (size_t c = 0; c < s->inputs; c++)
                    for (int64_t i = 0; i < AO_IGEMM_COLS; i++) {
                        const int64_t o = (int64_t)panel * AO_IGEMM_COLS + i;
                        const int64_t at = o * conv->out_step + (int64_t)c * conv->in_step + tap;
                        *dst++ = o < conv->dst.dims[1] ? ao_weight(conv->weights, at) : 0;
                    }
            }
}

static void list_taps(const struct spread *s, struct phase *phase)
{
    uint32_t n = 0;
    for (int64_t t = 0; t < phase->axis[0].n_taps; t++)
        for (int64_t y = 0; y < phase->axis[1].n_taps; y++)
            for (int64_t x = 0; x < phase->axis[2].n_taps; x++, n++) {
                phase->tap[n] = n;
                phase->back[n] = (uint32_t)((t * s->grid.padded[1] + y) * s->grid.padded[2] + x);
            }
}

static aosa_status fill_phase(struct ao_dnnl_program *program, const struct spread *s,
                              const struct ao_dnnl_loop_conv *conv, struct phase *phase)
{
    int64_t elements = 1;
    phase->n_taps = 1;
    for (int d = 0; d < 3; d++) {
        elements *= phase->axis[d].count;
        phase->n_taps *= phase->axis[d].n_taps;
    }
    phase->n_items = (elements + TILES * AO_IGEMM_ROWS - 1) / (TILES * AO_IGEMM_ROWS);
    const size_t taps = (size_t)phase->n_taps, panels = s->columns / AO_IGEMM_COLS;
    const size_t floats = taps * s->inputs * AO_IGEMM_COLS;
    void *weights;
    AO_TRY(ao_dnnl_weight_memory(program, panels * floats * sizeof(float), &weights));
    phase->tap = ao_arena_alloc(&program->arena, taps + 1, sizeof *phase->tap);
    phase->back = ao_arena_alloc(&program->arena, taps + 1, sizeof *phase->back);
    if (!phase->tap || !phase->back)
        return ao_fail(AOSA_ERR_NOMEM, "prepared weights: no memory for %zu taps", taps);
    for (size_t p = 0; p < panels; p++)
        pack_panel(s, conv, phase, p, (float *)weights + p * floats);
    phase->weights = weights;
    list_taps(s, phase);
    return AOSA_OK;
}

static aosa_status plan(struct ao_dnnl_program *program, struct spread *s,
                        const struct ao_dnnl_loop_conv *conv)
{
    s->phases = ao_arena_alloc(&program->arena, (size_t)s->grid.n_phases, sizeof *s->phases);
    if (!s->phases)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for %d phases", s->grid.n_phases);
    for (int i = 0; i < s->grid.n_phases; i++) {
        ao_dnnl_grid_phase(&s->grid, i, s->phases[i].axis);
        AO_TRY(fill_phase(program, s, conv, &s->phases[i]));
        s->n_items += s->phases[i].n_items;
    }
    return AOSA_OK;
}

static size_t copy_floats(const struct spread *s)
{
    return (size_t)(s->images * s->grid.padded[0] * s->grid.padded[1] * s->grid.padded[2]) *
           s->inputs;
}

/* Rows of the tiles of one item, for every thread. */
static size_t most_rows(const struct spread *s)
{
    int64_t taps = 0;
    for (int64_t i = 0; i < s->grid.n_phases; i++)
        taps = s->phases[i].n_taps > taps ? s->phases[i].n_taps : taps;
    return (size_t)taps * TILES * AO_IGEMM_ROWS;
}

static aosa_status run_spread(const void *form, const struct ao_dnnl_loop_call *call);

aosa_status ao_dnnl_spread_create(struct ao_dnnl_program *program,
                                  const struct ao_dnnl_loop_conv *conv, struct ao_dnnl_loop *loop)
{
    struct spread s = { .kernels = ao_kernels(),
                        .images = conv->src.dims[0],
                        .inputs = (size_t)conv->src.dims[1],
                        .relu = conv->relu };
    *loop = (struct ao_dnnl_loop){ .run = run_spread };
    /* Panels of a few channels are mostly empty. */
    if (ao_kernels_isa() == AO_ISA_C || conv->dst.dims[1] < AO_IGEMM_COLS / 2 ||
        !ao_dnnl_grid(conv, &s.grid) || !ao_dnnl_chunks(&conv->src_md, &s.src) ||
        !ao_dnnl_chunks(&conv->dst_md, &s.dst))
        return AOSA_OK;
    s.columns = (size_t)(s.dst.channels + AO_IGEMM_COLS - 1) / AO_IGEMM_COLS * AO_IGEMM_COLS;
    AO_TRY(plan(program, &s, conv));
    AO_TRY(ao_dnnl_loop_bias(program, conv, s.columns, &s.bias));
    loop->scratch_bytes =
        (copy_floats(&s) + (size_t)program->inner_threads * most_rows(&s)) * sizeof(float);
    loop->form = ao_arena_copy(&program->arena, &s, sizeof s);
    return loop->form ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "convolution: %zu bytes", sizeof s);
}

/* ---- the work ---- */

struct run {
    const struct spread *spread;
    const struct ao_dnnl_loop_call *call;
    float *copy;    /* [images][padded][inputs] */
    uint32_t *rows; /* [threads][most_rows] */
};

/* One frame of one image of the copy. */
static aosa_status copy_frame(void *context, int64_t item, int thread)
{
    const struct run *run = context;
    const struct spread *s = run->spread;
    const int64_t t = item % s->grid.padded[0] - s->grid.halo[0], image = item / s->grid.padded[0];
    const size_t line = (size_t)s->grid.padded[2] * s->inputs;
    float *dst = run->copy + (size_t)(item * s->grid.padded[1]) * line;
    (void)thread;
    memset(dst, 0, (size_t)s->grid.padded[1] * line * sizeof *dst);
    if (t < 0 || t >= s->grid.small[0])
        return AOSA_OK;
    for (int64_t y = 0; y < s->grid.small[1]; y++)
        for (int64_t x = 0; x < s->grid.small[2]; x++) {
            const float *src =
                run->call->src + image * s->src.image +
                ((t * s->grid.small[1] + y) * s->grid.small[2] + x) * s->src.position;
            float *to = dst + (size_t)(y + s->grid.halo[1]) * line +
                        (size_t)(x + s->grid.halo[2]) * s->inputs;
            for (size_t c = 0; c < s->inputs; c += (size_t)s->src.size, src += s->src.chunk) {
                const size_t left = s->inputs - c, size = (size_t)s->src.size;
                memcpy(to + c, src, (left < size ? left : size) * sizeof *to);
            }
        }
    return AOSA_OK;
}

/* Element number i of a phase: its place in dL/dx; answers that of its lowest tap in the copy. */
static int64_t locate(const struct spread *s, const struct phase *phase, int64_t image, int64_t i,
                      int64_t *element)
{
    int64_t at[3], row = image;
    for (int d = 2; d >= 0; d--) {
        at[d] = i % phase->axis[d].count;
        i /= phase->axis[d].count;
    }
    *element = 0;
    for (int d = 0; d < 3; d++) {
        row = row * s->grid.padded[d] + phase->axis[d].window + at[d] + s->grid.halo[d];
        *element = *element * s->grid.big[d] + phase->axis[d].first + at[d] * s->grid.stride[d];
    }
    return row;
}

static void store(const struct run *run, int64_t image, int64_t element, size_t column,
                  const float *sums)
{
    const struct spread *s = run->spread;
    const int64_t size = s->dst.size;
    for (int64_t c = 0; c < AO_IGEMM_COLS && (int64_t)column + c < s->dst.channels; c += size) {
        const int64_t at = image * s->dst.image + element * s->dst.position +
                           ((int64_t)column + c) / size * s->dst.chunk;
        ao_dnnl_finish(sums + c, s->bias + column + c,
                       run->call->residual ? run->call->residual + at : NULL, s->relu, size,
                       run->call->dst + at);
    }
}

/* Elements [first, first + n) of a phase. */
static void run_elements(const struct run *run, const struct phase *phase, int64_t image,
                         int64_t first, int64_t n, uint32_t *rows)
{
    const struct spread *s = run->spread;
    static const uint32_t line[AO_IGEMM_ROWS] = { 0, 1, 2, 3, 4, 5 };
    const size_t taps = (size_t)phase->n_taps, panel = taps * s->inputs * AO_IGEMM_COLS;
    int64_t element[TILES * AO_IGEMM_ROWS];
    float sums[AO_IGEMM_ROWS * AO_IGEMM_COLS];
    const int64_t n_tiles = (n + AO_IGEMM_ROWS - 1) / AO_IGEMM_ROWS;
    for (int64_t i = 0; i < n_tiles * AO_IGEMM_ROWS; i++) { /* the last one is repeated */
        const int64_t row = locate(s, phase, image, first + (i < n ? i : n - 1), &element[i]);
        uint32_t *at =
            rows + (size_t)(i / AO_IGEMM_ROWS) * taps * AO_IGEMM_ROWS + i % AO_IGEMM_ROWS;
        for (size_t k = 0; k < taps; k++)
            at[k * AO_IGEMM_ROWS] = (uint32_t)row - phase->back[k];
    }
    for (size_t column = 0; column < s->columns; column += AO_IGEMM_COLS)
        for (int64_t t = 0; t < n_tiles; t++) {
            s->kernels->igemm(&(struct ao_igemm){
                .src = run->copy,
                .src_pitch = s->inputs,
                .at = rows + (size_t)t * taps * AO_IGEMM_ROWS,
                .tap = phase->tap,
                .n_taps = taps,
                .depth = s->inputs,
                .w = phase->weights + column / AO_IGEMM_COLS * panel,
                .dst = sums,
                .dst_pitch = AO_IGEMM_COLS,
                .row = line,
            });
            for (int64_t r = 0; r < AO_IGEMM_ROWS && t * AO_IGEMM_ROWS + r < n; r++)
                store(run, image, element[t * AO_IGEMM_ROWS + r], column, sums + r * AO_IGEMM_COLS);
        }
}

static aosa_status run_item(void *context, int64_t item, int thread)
{
    const struct run *run = context;
    const struct spread *s = run->spread;
    const int64_t image = item / s->n_items, length = TILES * AO_IGEMM_ROWS;
    const struct phase *phase = s->phases;
    item %= s->n_items;
    for (; item >= phase->n_items; phase++)
        item -= phase->n_items;
    const int64_t elements = phase->axis[0].count * phase->axis[1].count * phase->axis[2].count;
    const int64_t first = item * length;
    const int64_t n = elements - first < length ? elements - first : length;
    if (phase->n_taps > 0 || run->call->residual != run->call->dst || s->relu)
        run_elements(run, phase, image, first, n, run->rows + (size_t)thread * most_rows(s));
    return AOSA_OK;
}

static aosa_status run_spread(const void *form, const struct ao_dnnl_loop_call *call)
{
    const struct spread *s = form;
    struct run run = { .spread = s, .call = call, .copy = call->scratch };
    run.rows = (uint32_t *)(void *)(call->scratch + copy_floats(s));
    AO_TRY(ao_parallel_for(call->threads, s->images * s->grid.padded[0], copy_frame, &run));
    return ao_parallel_for(call->threads, s->images * s->n_items, run_item, &run);
}
