/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

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

/* Weight of output channel o for channel c of tap k, all of one group. */
struct source {
    const float *weights;
    int64_t out_step, in_step;
    double factor; /* alpha of Gemm */
};

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

static float weight_at(const struct ao_delta_step *step, const struct source *source, int64_t o,
                       int64_t tap, int64_t d)
{
    const struct ao_delta_conv *conv = &step->conv;
    int64_t c = d, k = tap;
    if (conv->along_x) {
        c = d % conv->in;
        k = tap * step->window.kernel[2] + d / conv->in;
    } else if (conv->matrix) {
        c = tap * conv->depth + d;
        k = 0;
    }
    return (float)(source->factor *
                   (double)source->weights[o * source->out_step + c * source->in_step + k]);
}

static void pack_panels(struct ao_delta_step *step, const struct source *source)
{
    const struct ao_delta_conv *conv = &step->conv;
    float *dst = conv->weights;
    for (int64_t g = 0; g < conv->group; g++)
        for (int64_t n0 = 0; n0 < conv->out; n0 += AO_IGEMM_COLS)
            for (int64_t tap = 0; tap < conv->taps; tap++)
                for (int64_t d = 0; d < conv->depth; d++)
                    for (int64_t n = n0; n < n0 + AO_IGEMM_COLS; n++)
                        *dst++ =
                            n < conv->out ? weight_at(step, source, g * conv->out + n, tap, d) : 0;
}

static void pack_depthwise(struct ao_delta_step *step, const struct source *source)
{
    const struct ao_delta_conv *conv = &step->conv;
    for (int64_t tap = 0; tap < conv->taps; tap++)
        for (int64_t c = 0; c < conv->group; c++)
            conv->weights[tap * conv->group + c] = weight_at(step, source, c, tap, 0);
}

static struct source source_of(const struct ao_delta *delta, const struct ao_delta_step *step)
{
    const struct ao_value *w = &delta->graph->values[step->node->in[1]];
    const struct ao_delta_conv *conv = &step->conv;
    const int64_t *kernel = step->window.kernel, taps = kernel[0] * kernel[1] * kernel[2];
    if (!conv->matrix)
        return (struct source){ w->data, conv->in * taps, taps, 1 };
    const struct ao_gemm_params *params = step->node->params;
    const bool gemm = strcmp(step->node->type, "Gemm") == 0;
    const bool flip = gemm && params->trans_b;
    return (struct source){ w->data, flip ? conv->in : 1, flip ? 1 : conv->out,
                            gemm ? params->alpha : 1 };
}

aosa_status ao_delta_pack(struct ao_delta *delta, struct ao_delta_step *step)
{
    struct ao_delta_conv *conv = &step->conv;
    choose_form(step);
    const int64_t panels = conv->group * ceil_div(conv->out, AO_IGEMM_COLS) * AO_IGEMM_COLS;
    const int64_t width = conv->depthwise ? conv->group : panels * conv->depth;
    conv->weights =
        ao_arena_alloc(&delta->arena, (size_t)(conv->taps * width), sizeof *conv->weights);
    conv->tap_key = ao_arena_alloc(&delta->arena, (size_t)conv->taps, sizeof *conv->tap_key);
    if (!conv->weights || !conv->tap_key)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for its packed weights",
                       step->node->name);
    const struct source source = source_of(delta, step);
    if (conv->depthwise)
        pack_depthwise(step, &source);
    else
        pack_panels(step, &source);
    struct ao_rng rng;
    ao_rng_init(&rng, 1);
    for (int64_t k = 0; k < conv->taps; k++)
        conv->tap_key[k] = ao_rng_next(&rng);
    return ao_delta_winograd_pack(delta, step);
}
