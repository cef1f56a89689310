/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"
#include "core/parallel.h"

/*
 * Which forms of Winograd's filtering a layer may use, chosen when the weights are packed. A form
 * with larger tiles does fewer products but covers a thin change worse, and holds more weights.
 * Small layers, which stand early where changes are thin, keep their plain weights and two forms,
 * and every batch takes what costs least. Large ones keep one, the best for a change everywhere,
 * which is what reaches them.
 */

#define FEWEST_CHANNELS 8
#define SMALL_BYTES (2 << 20) /* of plain weights */

/* Products per pair of channels that one weight more of that pair counts for: it is read from
 * memory for every batch, and held. */
#define WEIGHT_COST 8.5

/* Cost of the transforms, in multiply-accumulates per component and channel of the other side. */
#define TRANSFORM_COST 12.0

double ao_delta_winograd_cost(const struct ao_delta_step *step, const size_t *n, double tiles)
{
    return tiles * (double)(n[0] * n[1] * n[2]) *
           (1 + TRANSFORM_COST / (double)step->conv.in + TRANSFORM_COST / (double)step->conv.out);
}

/* Forms of one axis, see kernels.h; answers how many, 0 when there is none. */
static int axis_forms(const struct ao_delta_window *w, int64_t in, int64_t out, int d, size_t *n)
{
    if (w->stride[d] != 1)
        return 0;
    if (w->kernel[d] == 1 && w->pad[d] == 0) {
        n[0] = 1;
        return 1;
    }
    if (w->kernel[d] != 3 || w->dilation[d] != 1)
        return 0;
    n[0] = in == 2 && out == 2 && w->pad[d] == 1 ? 3 : 4;
    n[1] = 6;
    return n[0] == 3 ? 1 : 2;
}

static double full_cost(const struct ao_delta_step *step, const int64_t *out, const size_t *n)
{
    double tiles = 1;
    for (int d = 0; d < 3; d++) {
        const int64_t size = (int64_t)ao_winograd_outputs(n[d]);
        tiles *= (double)((out[d] + size - 1) / size);
    }
    return ao_delta_winograd_cost(step, n, tiles) + WEIGHT_COST * (double)(n[0] * n[1] * n[2]);
}

/* The same of the direct way: pairs of an output and a tap that find an input. */
static double full_direct_cost(const struct ao_delta_step *step, const int64_t *in,
                               const int64_t *out)
{
    const struct ao_delta_window *w = &step->window;
    double products = 1;
    for (int d = 0; d < 3; d++) {
        int64_t along = 0;
        for (int64_t k = 0; k < w->kernel[d]; k++)
            for (int64_t o = 0; o < out[d]; o++) {
                const int64_t i = o * w->stride[d] - w->pad[d] + k * w->dilation[d];
                along += i >= 0 && i < in[d];
            }
        products *= (double)along;
    }
    return products + WEIGHT_COST * (double)step->conv.taps;
}

static void set_form(struct ao_delta_winograd *form, const size_t *n)
{
    memcpy(form->n, n, sizeof form->n);
    form->components = n[0] * n[1] * n[2];
}

/* forms[0] has the smallest tiles, forms[1] those that are cheapest when everything changes. */
static bool find_forms(const struct ao_delta_step *step, const int64_t *in, const int64_t *out,
                       struct ao_delta_winograd *forms)
{
    size_t axis[3][2];
    int count[3];
    for (int d = 0; d < 3; d++)
        if ((count[d] = axis_forms(&step->window, in[d], out[d], d, axis[d])) == 0)
            return false;
    double least = 0;
    for (int i = 0; i < count[0]; i++)
        for (int j = 0; j < count[1]; j++)
            for (int k = 0; k < count[2]; k++) {
                const size_t n[3] = { axis[0][i], axis[1][j], axis[2][k] };
                const double cost = full_cost(step, out, n);
                if (n[0] * n[1] * n[2] > AO_WINOGRAD_MOST || (i + j + k > 0 && cost >= least))
                    continue;
                least = cost;
                set_form(&forms[1], n);
                if (i + j + k == 0)
                    set_form(&forms[0], n);
            }
    return forms[0].components > 1;
}

void ao_delta_winograd_forms(const struct ao_delta *delta, struct ao_delta_step *step)
{
    const struct ao_delta_conv *conv = &step->conv;
    const int64_t *in = delta->values[step->in[0]].extent.dims;
    const int64_t *out = delta->values[step->out].extent.dims;
    struct ao_delta_winograd forms[2] = { { .weights = NULL } };
    step->direct = true;
    step->n_winograd = 0;
    if (conv->matrix || conv->along_x || conv->group != 1 || conv->in < FEWEST_CHANNELS ||
        conv->out < FEWEST_CHANNELS || !find_forms(step, in, out, forms))
        return;
    const bool differ = forms[0].components != forms[1].components;
    if (conv->in * conv->out * conv->taps * (int64_t)sizeof(float) <= SMALL_BYTES) {
        step->winograd[step->n_winograd++] = forms[1];
        if (differ)
            step->winograd[step->n_winograd++] = forms[0];
    } else if (full_cost(step, out, forms[1].n) < full_direct_cost(step, in, out)) {
        step->winograd[step->n_winograd++] = forms[1];
        step->direct = false;
    }
}

/* ---- transformed weights ---- */

#define LANES AO_IGEMM_COLS /* output channels at a time */

struct pack {
    const struct ao_delta_step *step;
    const struct ao_delta_weight_source *source;
    const struct ao_delta_winograd *form;
    const struct ao_kernels *kernels;
    size_t columns;
};

static aosa_status pack_panel(void *context, int64_t panel, int thread)
{
    const struct pack *pack = context;
    const struct ao_delta_conv *conv = &pack->step->conv;
    const size_t in = (size_t)conv->in;
    double taps[AO_WINOGRAD_TAPS][LANES];
    struct ao_winograd_filter filter = {
        .n = { pack->form->n[0], pack->form->n[1], pack->form->n[2] },
        .taps = taps,
        .dst = pack->form->weights + (size_t)panel * in * LANES,
        .pitch = in * pack->columns,
    };
    float lanes[LANES];
    (void)thread;
    for (size_t c = 0; c < in; c++, filter.dst += LANES) {
        for (int64_t k = 0; k < conv->taps; k++) {
            ao_delta_weight_lanes(pack->step, pack->source, panel * LANES, conv->out, k, (int64_t)c,
                                  lanes);
            for (size_t i = 0; i < LANES; i++)
                taps[k][i] = (double)lanes[i];
        }
        pack->kernels->winograd_filter(&filter);
    }
    return AOSA_OK;
}

aosa_status ao_delta_winograd_pack(struct ao_delta *delta, struct ao_delta_step *step,
                                   const struct ao_delta_weight_source *source, int threads)
{
    const int64_t panels = (step->conv.out + LANES - 1) / LANES;
    for (int f = 0; f < step->n_winograd; f++) {
        struct ao_delta_winograd *form = &step->winograd[f];
        struct pack pack = { step, source, form, delta->kernels, (size_t)panels * LANES };
        const size_t floats = form->components * (size_t)step->conv.in * pack.columns;
        AO_TRY(ao_delta_weights_alloc(delta, step, floats, &form->weights));
        AO_TRY(ao_parallel_for(threads, panels, pack_panel, &pack));
    }
    return AOSA_OK;
}
