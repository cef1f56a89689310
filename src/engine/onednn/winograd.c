/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/parallel.h"
#include "engine/onednn/loops.h"

/*
 * Convolutions of stride 1 with 3 taps on some axes by Winograd's filtering (kernels.h): a tile of
 * 2x4x4 outputs takes 144 products per pair of channels instead of 864.
 */

/* Floats of the components of one block of tiles, which stay in the second level cache. */
#define COMPONENT_FLOATS (96 * 1024)
#define FEWEST_TILES 48 /* of a block, so that weights are read for many */

/* Products per pair of channels that one weight more of that pair counts for: it is read from
 * memory in every run, and held. */
#define WEIGHT_COST 40.0

/* Cost of the transforms, in multiply-accumulates per component and channel of the other side. */
#define TRANSFORM_COST 12.0

/* How many direct products oneDNN's kernels do in the time of one of ours. */
#define DIRECT_SPEED 1.4

struct winograd {
    const struct ao_kernels *kernels;
    size_t n[3], components;
    int64_t images, in[3], out[3], pad[3], tiles[3];
    struct ao_dnnl_chunks src, dst;
    size_t inputs, outputs, columns; /* channels with those that fill a chunk, and a panel */
    size_t block, n_blocks;          /* tiles that are worked on together */
    size_t in_pitch, out_pitch;      /* from one component of a block to the next */
    float *weights;                  /* [components][panels][inputs][AO_IGEMM_COLS] */
    float *bias;                     /* [columns] */
    bool relu;
};

/* ---- which form ---- */

static void lift(const struct ao_dnnl_loop_conv *conv, struct winograd *w)
{
    const int lead = 3 - conv->window.rank;
    ao_dnnl_lift(&conv->src, w->in);
    ao_dnnl_lift(&conv->dst, w->out);
    for (int d = 0; d < 3; d++)
        w->pad[d] = d < lead ? 0 : conv->window.pad_lo[d - lead];
    w->images = conv->src.dims[0];
}

/* Forms of one axis; answers how many. */
static int axis_forms(const struct ao_dnnl_loop_conv *conv, const struct winograd *w, int d,
                      size_t *n)
{
    const struct ao_window *window = &conv->window;
    const int i = d - (3 - window->rank);
    n[0] = 1;
    if (i < 0 || (window->kernel[i] == 1 && window->stride[i] == 1 && w->pad[d] == 0 &&
                  w->in[d] == w->out[d]))
        return 1;
    if (window->kernel[i] != 3 || window->stride[i] != 1 || window->dilation[i] != 1 ||
        w->pad[d] < 0 || w->pad[d] > 2)
        return 0;
    n[0] = w->in[d] == 2 && w->out[d] == 2 && w->pad[d] == 1 ? 3 : 4;
    n[1] = 6;
    return n[0] == 3 ? 1 : 2;
}

static int64_t tiles_along(const struct winograd *w, int d, size_t n)
{
    const int64_t size = (int64_t)ao_winograd_outputs(n);
    return (w->out[d] + size - 1) / size;
}

static double cost_of(const struct winograd *w, const size_t *n)
{
    const double components = (double)(n[0] * n[1] * n[2]);
    double tiles = (double)w->images;
    for (int d = 0; d < 3; d++)
        tiles *= (double)tiles_along(w, d, n[d]);
    return components *
           (tiles * (1 + TRANSFORM_COST / (double)w->inputs + TRANSFORM_COST / (double)w->outputs) +
            WEIGHT_COST);
}

static double direct_cost(const struct ao_dnnl_loop_conv *conv, const struct winograd *w)
{
    double taps = 1, positions = (double)w->images;
    for (int i = 0; i < conv->window.rank; i++)
        taps *= (double)conv->window.kernel[i];
    for (int d = 0; d < 3; d++)
        positions *= (double)w->out[d];
    return taps * (positions + WEIGHT_COST) / DIRECT_SPEED;
}

static void set_form(struct winograd *w, const size_t *n)
{
    memcpy(w->n, n, sizeof w->n);
    w->components = n[0] * n[1] * n[2];
    for (int d = 0; d < 3; d++)
        w->tiles[d] = tiles_along(w, d, n[d]);
}

/* The cheapest form; false when the direct way is cheaper. */
static bool find_form(const struct ao_dnnl_loop_conv *conv, struct winograd *w)
{
    double least = direct_cost(conv, w);
    size_t axis[3][2];
    int count[3];
    for (int d = 0; d < 3; d++)
        if ((count[d] = axis_forms(conv, w, d, axis[d])) == 0)
            return false;
    for (int i = 0; i < count[0] * count[1] * count[2]; i++) {
        const size_t n[3] = { axis[0][i % count[0]], axis[1][i / count[0] % count[1]],
                              axis[2][i / count[0] / count[1]] };
        const double cost = cost_of(w, n);
        if (n[0] * n[1] * n[2] > AO_WINOGRAD_MOST || n[0] * n[1] * n[2] == 1 || cost >= least)
            continue;
        least = cost;
        set_form(w, n);
    }
    return w->components > 0;
}

/* ---- weights ---- */

struct pack {
    const struct ao_dnnl_loop_conv *conv;
    const struct winograd *winograd;
};

/* Taps of filters o, o + 1, ... for channel c; zeros beyond the last of either. */
static void read_filters(const struct ao_dnnl_loop_conv *conv, int64_t o, int64_t c,
                         double (*filter)[AO_IGEMM_COLS])
{
    int64_t taps = 1;
    for (int i = 0; i < conv->window.rank; i++)
        taps *= conv->window.kernel[i];
    const bool inside = c < conv->src.dims[1];
    const int64_t n = inside && o < conv->dst.dims[1] ? conv->dst.dims[1] - o : 0;
    if (n < AO_IGEMM_COLS)
        memset(filter, 0, (size_t)taps * sizeof *filter);
    for (int64_t i = 0; i < AO_IGEMM_COLS && i < n; i++) {
        const int64_t at = (o + i) * conv->out_step + c * conv->in_step;
        for (int64_t k = 0; k < taps; k++)
            filter[conv->flipped ? taps - 1 - k : k][i] = (double)ao_weight(conv->weights, at + k);
    }
}

static aosa_status pack_panel(void *context, int64_t panel, int thread)
{
    const struct pack *pack = context;
    const struct ao_dnnl_loop_conv *conv = pack->conv;
    const struct winograd *w = pack->winograd;
    double taps[AO_WINOGRAD_TAPS][AO_IGEMM_COLS];
    struct ao_winograd_filter filter = {
        .n = { w->n[0], w->n[1], w->n[2] },
        .taps = taps,
        .dst = w->weights + (size_t)panel * w->inputs * AO_IGEMM_COLS,
        .pitch = w->inputs * w->columns,
    };
    (void)thread;
    for (int64_t c = 0; c < (int64_t)w->inputs; c++, filter.dst += AO_IGEMM_COLS) {
        read_filters(conv, panel * AO_IGEMM_COLS, c, taps);
        w->kernels->winograd_filter(&filter);
    }
    return AOSA_OK;
}

static aosa_status pack_weights(struct ao_dnnl_program *program,
                                const struct ao_dnnl_loop_conv *conv, struct winograd *w)
{
    const size_t floats = w->components * w->inputs * w->columns;
    struct pack pack = { conv, w };
    void *memory;
    AO_TRY(ao_dnnl_weight_memory(program, floats * sizeof *w->weights, &memory));
    w->weights = memory;
    AO_TRY(ao_dnnl_loop_bias(program, conv, w->columns, &w->bias));
    return ao_parallel_for(program->inner_threads, (int64_t)(w->columns / AO_IGEMM_COLS),
                           pack_panel, &pack);
}

/* Component pitches get an odd line: those of a tile, written together, lie in different sets of
 * the cache. */
static void plan_blocks(struct winograd *w)
{
    const size_t tiles = (size_t)(w->images * w->tiles[0] * w->tiles[1] * w->tiles[2]);
    const size_t widest = w->inputs > w->columns ? w->inputs : w->columns;
    w->block = COMPONENT_FLOATS / (w->components * widest);
    w->block = w->block < FEWEST_TILES ? FEWEST_TILES : w->block / AO_IGEMM_ROWS * AO_IGEMM_ROWS;
    w->n_blocks = (tiles + w->block - 1) / w->block;
    w->in_pitch = w->block * w->inputs + 16;
    w->out_pitch = w->block * w->columns + 16;
}

static size_t thread_floats(const struct winograd *w)
{
    return w->components * (w->in_pitch + w->out_pitch);
}

static aosa_status run_winograd(const void *form, const struct ao_dnnl_loop_call *call);

aosa_status ao_dnnl_winograd_create(struct ao_dnnl_program *program,
                                    const struct ao_dnnl_loop_conv *conv, struct ao_dnnl_loop *loop)
{
    struct winograd w = { .kernels = ao_kernels(), .relu = conv->relu };
    *loop = (struct ao_dnnl_loop){ .run = run_winograd };
    if (ao_kernels_isa() == AO_ISA_C || !ao_dnnl_chunks(&conv->src_md, &w.src) ||
        !ao_dnnl_chunks(&conv->dst_md, &w.dst))
        return AOSA_OK;
    lift(conv, &w);
    w.inputs = (size_t)w.src.channels;
    w.outputs = (size_t)w.dst.channels;
    if (!find_form(conv, &w))
        return AOSA_OK;
    w.columns = (w.outputs + AO_IGEMM_COLS - 1) / AO_IGEMM_COLS * AO_IGEMM_COLS;
    AO_TRY(pack_weights(program, conv, &w));
    plan_blocks(&w);
    loop->scratch_bytes = (size_t)program->inner_threads * thread_floats(&w) * sizeof(float);
    loop->form = ao_arena_copy(&program->arena, &w, sizeof w);
    return loop->form ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "convolution: %zu bytes", sizeof w);
}

/* ---- the work ---- */

struct run {
    const struct winograd *winograd;
    const struct ao_dnnl_loop_call *call;
};

/* Components of the inputs and of the outputs of tiles [first, first + n), on one thread. */
struct block {
    const struct run *run;
    size_t first, n;
    float *inputs, *outputs;
};

/* Place of tile number i: its image, and its first output. */
static int64_t locate(const struct winograd *w, size_t i, int64_t at[3])
{
    int64_t rest = (int64_t)i;
    for (int d = 2; d >= 0; d--) {
        at[d] = rest % w->tiles[d] * (int64_t)ao_winograd_outputs(w->n[d]);
        rest /= w->tiles[d];
    }
    return rest;
}

#define OUTSIDE UINT32_MAX

/* Positions from `origin` on in a tensor of size `dims`; answers whether all are inside. */
static bool place(const int64_t *dims, const int64_t *origin, const size_t *extents, uint32_t *at)
{
    bool inside = true;
    for (size_t t = 0; t < extents[0]; t++)
        for (size_t y = 0; y < extents[1]; y++)
            for (size_t x = 0; x < extents[2]; x++) {
                const int64_t p[3] = { origin[0] + (int64_t)t, origin[1] + (int64_t)y,
                                       origin[2] + (int64_t)x };
                const bool is_in = p[0] >= 0 && p[0] < dims[0] && p[1] >= 0 && p[1] < dims[1] &&
                                   p[2] >= 0 && p[2] < dims[2];
                *at++ = is_in ? (uint32_t)((p[0] * dims[1] + p[1]) * dims[2] + p[2]) : OUTSIDE;
                inside &= is_in;
            }
    return inside;
}

/* A tile at the border of the tensor: its inputs side by side, those outside 0. */
static void copy_inputs(const struct ao_winograd *tile, size_t n, float *copy)
{
    for (size_t i = 0; i < n; i++, copy += tile->channels)
        if (tile->at[i] == OUTSIDE)
            memset(copy, 0, tile->channels * sizeof *copy);
        else
            memcpy(copy, tile->src + tile->at[i] * tile->src_pitch, tile->channels * sizeof *copy);
}

static void transform_tile(const struct block *block, size_t i)
{
    const struct winograd *w = block->run->winograd;
    uint32_t at[AO_WINOGRAD_MOST], closed[AO_WINOGRAD_MOST];
    float copy[AO_WINOGRAD_MOST * AO_DNNL_CHUNK];
    int64_t origin[3];
    const int64_t image = locate(w, block->first + i, origin);
    for (int d = 0; d < 3; d++)
        origin[d] -= w->n[d] == 3 ? 0 : w->pad[d]; /* form 3 reads no padding in front */
    const bool inside = place(w->in, origin, w->n, at);
    for (size_t j = 0; j < w->components; j++)
        closed[j] = (uint32_t)j;
    for (size_t c = 0; c < w->inputs; c += (size_t)w->src.size) {
        struct ao_winograd tile = {
            .n = { w->n[0], w->n[1], w->n[2] },
            .src = block->run->call->src + image * w->src.image +
                   (int64_t)c / w->src.size * w->src.chunk,
            .src_pitch = (size_t)w->src.position,
            .at = at,
            .dst = block->inputs + i * w->inputs + c,
            .dst_pitch = w->in_pitch,
            .channels = (size_t)w->src.size,
        };
        if (!inside) {
            copy_inputs(&tile, w->components, copy);
            tile.src = copy;
            tile.src_pitch = tile.channels;
            tile.at = closed;
        }
        w->kernels->winograd_in(&tile);
    }
}

/* Every component is a matrix product of its own: tiles x inputs by inputs x outputs. */
static void multiply(const struct block *block)
{
    const struct winograd *w = block->run->winograd;
    const uint32_t tap = 0;
    const float *panel = w->weights;
    for (size_t j = 0; j < w->components; j++)
        for (size_t column = 0; column < w->columns; column += AO_IGEMM_COLS) {
            for (size_t i = 0; i < block->n; i += AO_IGEMM_ROWS) {
                uint32_t rows[AO_IGEMM_ROWS]; /* the last one is repeated */
                for (size_t r = 0; r < AO_IGEMM_ROWS; r++)
                    rows[r] = (uint32_t)(i + r < block->n ? i + r : block->n - 1);
                w->kernels->igemm(&(struct ao_igemm){
                    .src = block->inputs + j * w->in_pitch,
                    .src_pitch = w->inputs,
                    .at = rows,
                    .tap = &tap,
                    .n_taps = 1,
                    .depth = w->inputs,
                    .w = panel,
                    .dst = block->outputs + j * w->out_pitch + column,
                    .dst_pitch = w->columns,
                    .row = rows,
                });
            }
            panel += w->inputs * AO_IGEMM_COLS;
        }
}

static void finish_tile(const struct block *block, size_t i)
{
    const struct winograd *w = block->run->winograd;
    const struct ao_dnnl_loop_call *call = block->run->call;
    const size_t size[3] = { ao_winograd_outputs(w->n[0]), ao_winograd_outputs(w->n[1]),
                             ao_winograd_outputs(w->n[2]) };
    const size_t n = size[0] * size[1] * size[2];
    uint32_t at[AO_WINOGRAD_MOST], closed[AO_WINOGRAD_MOST];
    float sums[AO_WINOGRAD_MOST * AO_DNNL_CHUNK];
    int64_t origin[3];
    const int64_t image = locate(w, block->first + i, origin);
    place(w->out, origin, size, at);
    for (size_t o = 0; o < n; o++)
        closed[o] = at[o] == OUTSIDE ? OUTSIDE : (uint32_t)o;
    for (size_t c = 0; c < w->outputs; c += (size_t)w->dst.size) {
        const int64_t base = image * w->dst.image + (int64_t)c / w->dst.size * w->dst.chunk;
        w->kernels->winograd_out(&(struct ao_winograd){
            .n = { w->n[0], w->n[1], w->n[2] },
            .src = block->outputs + i * w->columns + c,
            .src_pitch = w->out_pitch,
            .at = closed,
            .dst = sums,
            .dst_pitch = (size_t)w->dst.size,
            .channels = (size_t)w->dst.size,
        });
        for (size_t o = 0; o < n; o++) {
            const int64_t place_of = base + (int64_t)at[o] * w->dst.position;
            if (at[o] != OUTSIDE)
                ao_dnnl_finish(sums + o * (size_t)w->dst.size, w->bias + c,
                               call->residual ? call->residual + place_of : NULL, w->relu,
                               w->dst.size, call->dst + place_of);
        }
    }
}

static aosa_status run_block(void *context, int64_t item, int thread)
{
    const struct run *run = context;
    const struct winograd *w = run->winograd;
    const size_t tiles = (size_t)(w->images * w->tiles[0] * w->tiles[1] * w->tiles[2]);
    struct block block = { .run = run,
                           .first = (size_t)item * w->block,
                           .inputs = run->call->scratch + (size_t)thread * thread_floats(w) };
    block.outputs = block.inputs + w->components * w->in_pitch;
    block.n = tiles - block.first < w->block ? tiles - block.first : w->block;
    for (size_t i = 0; i < block.n; i++)
        transform_tile(&block, i);
    multiply(&block);
    for (size_t i = 0; i < block.n; i++)
        finish_tile(&block, i);
    return AOSA_OK;
}

static aosa_status run_winograd(const void *form, const struct ao_dnnl_loop_call *call)
{
    const struct winograd *w = form;
    struct run run = { .winograd = w, .call = call };
    return ao_parallel_for(call->threads, (int64_t)w->n_blocks, run_block, &run);
}
