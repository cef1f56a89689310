/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "ops/linear.h"

/* Bytes of a weight panel that are worked through before the next ones: they stay in the second
 * level cache (512 KiB and more on what we know) beside the rows they meet. */
#define CHUNK_BYTES (160 * 1024)

/* At most this many input channels make a tap too short: a row of pixels is taken as one. */
#define FEW_CHANNELS 4

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Taps that never find an input, such as those above and below of a tensor one position high, are
 * cut off. */
static void trim(const struct ao_delta *delta, struct ao_delta_step *step)
{
    struct ao_delta_window *w = &step->window;
    struct ao_delta_conv *conv = &step->conv;
    const int64_t *in = delta->values[step->in[0]].extent.dims;
    const int64_t *out = delta->values[step->out].extent.dims;
    memcpy(conv->full, w->kernel, sizeof conv->full);
    for (int d = 0; d < 3 && !conv->matrix; d++) {
        const int64_t last = (out[d] - 1) * w->stride[d] - w->pad[d]; /* input of tap 0 */
        while (conv->skip[d] < w->kernel[d] - 1 && last + conv->skip[d] * w->dilation[d] < 0)
            conv->skip[d]++;
        while (w->kernel[d] - 1 > conv->skip[d] &&
               -w->pad[d] + (w->kernel[d] - 1) * w->dilation[d] >= in[d])
            w->kernel[d]--;
        w->kernel[d] -= conv->skip[d];
        w->pad[d] -= conv->skip[d] * w->dilation[d];
        const int64_t end = last + (conv->skip[d] + w->kernel[d] - 1) * w->dilation[d];
        w->pad_hi[d] = end >= in[d] ? end - in[d] + 1 : 0;
    }
}

static void choose_form(struct ao_delta_step *step)
{
    struct ao_delta_conv *conv = &step->conv;
    const int64_t *kernel = step->window.kernel;
    conv->along_x = !conv->matrix && conv->group == 1 && conv->in <= FEW_CHANNELS &&
                    kernel[2] > 1 && step->window.dilation[2] == 1;
    conv->depthwise = !conv->matrix && conv->group > 1 && conv->in == 1 && conv->out == 1;
    if (!conv->matrix) {
        conv->taps = kernel[0] * kernel[1] * (conv->along_x ? 1 : kernel[2]);
        conv->depth = conv->along_x ? kernel[2] * conv->in : conv->in;
    }
    const int64_t tap_bytes = conv->depth * AO_IGEMM_COLS * (int64_t)sizeof(float);
    conv->chunk = tap_bytes >= CHUNK_BYTES ? 1 : CHUNK_BYTES / tap_bytes;
}

/* Where the weights of float d of a tap stand in the file's order, without the output channel. */
static int64_t weight_offset(const struct ao_delta_step *step,
                             const struct ao_delta_weight_source *source, int64_t tap, int64_t d)
{
    const struct ao_delta_conv *conv = &step->conv;
    const int64_t *kernel = step->window.kernel;
    if (conv->matrix)
        return (tap * conv->depth + d) * source->in_step;
    const int64_t line = conv->along_x ? tap : tap / kernel[2];
    const int64_t x = conv->along_x ? d / conv->in : tap % kernel[2];
    const int64_t c = conv->along_x ? d % conv->in : d;
    const int64_t t = line / kernel[1] + conv->skip[0], y = line % kernel[1] + conv->skip[1];
    return c * source->in_step + (t * conv->full[1] + y) * conv->full[2] + x + conv->skip[2];
}

void ao_delta_weight_lanes(const struct ao_delta_step *step,
                           const struct ao_delta_weight_source *source, int64_t o, int64_t end,
                           int64_t tap, int64_t d, float *lanes)
{
    int64_t at = o * source->out_step + weight_offset(step, source, tap, d);
    for (int64_t i = 0; i < AO_IGEMM_COLS; i++, at += source->out_step)
        lanes[i] =
            o + i < end ? (float)(source->factor * (double)ao_weight(source->weights, at)) : 0;
}

struct pack {
    const struct ao_delta_step *step;
    const struct ao_delta_weight_source *source;
    int64_t panels; /* of a group */
};

/* Weights are read in the file's order, all taps of a channel together. */
static aosa_status pack_panel(void *context, int64_t item, int thread)
{
    const struct pack *pack = context;
    const struct ao_delta_conv *conv = &pack->step->conv;
    const int64_t group = item / pack->panels;
    const int64_t o = group * conv->out + item % pack->panels * AO_IGEMM_COLS;
    float *panel = conv->weights + item * conv->taps * conv->depth * AO_IGEMM_COLS;
    (void)thread;
    for (int64_t d = 0; d < conv->depth; d++)
        for (int64_t tap = 0; tap < conv->taps; tap++)
            ao_delta_weight_lanes(pack->step, pack->source, o, (group + 1) * conv->out, tap, d,
                                  panel + (tap * conv->depth + d) * AO_IGEMM_COLS);
    return AOSA_OK;
}

static void pack_depthwise(const struct ao_delta_step *step,
                           const struct ao_delta_weight_source *source)
{
    const struct ao_delta_conv *conv = &step->conv;
    for (int64_t tap = 0; tap < conv->taps; tap++)
        for (int64_t c = 0; c < conv->group; c++)
            conv->weights[tap * conv->group + c] = ao_weight(
                source->weights, c * source->out_step + weight_offset(step, source, tap, 0));
}

static struct ao_delta_weight_source source_of(const struct ao_delta *delta,
                                               const struct ao_delta_step *step)
{
    const struct ao_value *w = &delta->graph->values[step->node->in[1]];
    const struct ao_delta_conv *conv = &step->conv;
    const int64_t taps = conv->full[0] * conv->full[1] * conv->full[2];
    if (strcmp(step->node->type, "Conv") == 0)
        return (struct ao_delta_weight_source){ w->data, conv->in * taps, taps, 1 };
    const struct ao_gemm_params *params = step->node->params;
    const bool gemm = strcmp(step->node->type, "Gemm") == 0;
    const bool flip = gemm && params->trans_b;
    return (struct ao_delta_weight_source){ w->data, flip ? conv->in : 1, flip ? 1 : conv->out,
                                            gemm ? (double)params->alpha : 1 };
}

aosa_status ao_delta_weights_alloc(struct ao_delta *delta, const struct ao_delta_step *step,
                                   size_t floats, float **weights)
{
    AO_TRY(ao_budget_take(delta->graph->budget, floats * sizeof **weights, "prepared weights"));
    delta->weight_bytes += floats * sizeof **weights;
    *weights = ao_alloc_raw(floats, sizeof **weights);
    if (!*weights)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for %zu packed weights",
                       step->node->name, floats);
    return AOSA_OK;
}

static aosa_status pack_direct(struct ao_delta *delta, struct ao_delta_step *step,
                               const struct ao_delta_weight_source *source, int threads)
{
    struct ao_delta_conv *conv = &step->conv;
    struct pack pack = { step, source, ceil_div(conv->out, AO_IGEMM_COLS) };
    const int64_t panels = conv->group * pack.panels;
    const int64_t width = conv->depthwise ? conv->group : panels * AO_IGEMM_COLS * conv->depth;
    AO_TRY(ao_delta_weights_alloc(delta, step, (size_t)(conv->taps * width), &conv->weights));
    if (!conv->depthwise)
        return ao_parallel_for(threads, panels, pack_panel, &pack);
    pack_depthwise(step, source);
    return AOSA_OK;
}

/* The bias, for the dense pass: of Conv [out], of Gemm what broadcasts to [1][out], times beta. */
static aosa_status pack_bias(struct ao_delta *delta, struct ao_delta_step *step)
{
    const struct ao_node *node = step->node;
    if (node->n_in < 3 || node->in[2] < 0)
        return AOSA_OK;
    const struct ao_value *bias = &delta->graph->values[node->in[2]];
    const struct ao_gemm_params *gemm = node->params;
    const size_t n = (size_t)(step->conv.out * step->conv.group);
    const bool scalar = ao_shape_count(&bias->shape) == 1;
    step->shift = ao_arena_alloc(&delta->arena, n, sizeof *step->shift);
    if (!step->shift)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for its bias", node->name);
    const double factor = strcmp(node->type, "Gemm") == 0 ? (double)gemm->beta : 1;
    for (size_t c = 0; c < n && bias->data; c++)
        step->shift[c] = (float)(factor * (double)((const float *)bias->data)[scalar ? 0 : c]);
    delta->shifts |= !bias->data; /* the bias is computed: the walk does not know it */
    return AOSA_OK;
}

aosa_status ao_delta_pack(struct ao_delta *delta, struct ao_delta_step *step, int threads)
{
    struct ao_delta_conv *conv = &step->conv;
    trim(delta, step);
    choose_form(step);
    ao_delta_winograd_forms(delta, step);
    conv->tap_key = ao_arena_alloc(&delta->arena, (size_t)conv->taps, sizeof *conv->tap_key);
    if (!conv->tap_key)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for its taps", step->node->name);
    struct ao_rng rng;
    ao_rng_init(&rng, 1);
    for (int64_t k = 0; k < conv->taps; k++)
        conv->tap_key[k] = ao_rng_next(&rng);
    AO_TRY(pack_bias(delta, step));
    const struct ao_delta_weight_source source = source_of(delta, step);
    if (step->direct)
        AO_TRY(pack_direct(delta, step, &source, threads));
    AO_TRY(ao_delta_winograd_pack(delta, step, &source, threads));
    ao_graph_release(delta->graph, step->node->in[1]);
    return AOSA_OK;
}
