/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/cut.h"

#include "attribution/gradients.h"
#include "attribution/layer.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "ops/element.h"

struct cut {
    struct ao_attribution *a;
    struct ao_layer layer;
    size_t size;      /* of the layer: C t h w */
    float *gradients; /* [n_results][t][h][w][C]; NULL until the clip was run */
    double *products; /* [M][n_results] */
};

static aosa_status check_options(const struct ao_method_options *options)
{
    if (options->splits > 0)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--splits %d with --layer: the expansions of parts start at the clip's "
                       "pixels; leave one of the two out",
                       options->splits);
    if (options->adjust != AO_ADJUST_NONE)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--adjust with --layer: adjustments start at the clip's pixels; leave one "
                       "of the two out");
    return AOSA_OK;
}

/* The last whole layer up to this one, to be named instead; -1: none. */
static aosa_status whole_before(const struct aosa_model *model, int index, int *found)
{
    struct ao_layer *layers;
    int n;
    AO_TRY(ao_layers(model, &layers, &n));
    *found = index;
    while (*found >= 0 && !layers[*found].whole)
        (*found)--;
    ao_free(layers);
    return AOSA_OK;
}

static aosa_status find_layer(const struct ao_attribution *a, struct ao_layer *layer)
{
    int instead;
    AO_TRY(check_options(a->options));
    AO_TRY(ao_layer_find(a->model, a->options->layer, layer));
    if (layer->whole)
        return AOSA_OK;
    AO_TRY(whole_before(a->model, layer->index, &instead));
    if (instead < 0)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--layer %d '%.64s': the clip reaches the classes around it, too, and what "
                       "goes that way would be lost; leave --layer out",
                       layer->index, layer->node);
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "--layer %d '%.64s': the clip reaches the classes around it, too, and what goes "
                   "that way would be lost; take --layer %d, or one that aosa inspect --layer list "
                   "does not call a branch",
                   layer->index, layer->node, instead);
}

aosa_status ao_cut_passes(const struct ao_attribution *a, int n_targets, struct ao_passes *passes)
{
    struct ao_layer layer;
    AO_TRY(find_layer(a, &layer));
    *passes = (struct ao_passes){ .forwards = n_targets + 1 + (int64_t)a->masks->M,
                                  .backwards = n_targets };
    return AOSA_OK;
}

static aosa_status allocate(struct cut *cut)
{
    const size_t targets = (size_t)cut->a->n_results, M = (size_t)cut->a->masks->M;
    cut->gradients = ao_alloc_raw(targets, cut->size * sizeof *cut->gradients);
    cut->products = ao_alloc(targets * M, sizeof *cut->products);
    return cut->gradients && cut->products
               ? AOSA_OK
               : ao_fail(AOSA_ERR_NOMEM, "layer '%s': no memory for its gradients",
                         cut->layer.name);
}

/* Keeps a target's gradient with the channels last, as the walk has its changes. */
static aosa_status keep_gradient(void *context, int64_t variant, struct ao_map_result *result,
                                 const struct ao_backprop_result *answer)
{
    struct cut *cut = context;
    const struct ao_layer *layer = &cut->layer;
    (void)variant;
    if (!cut->gradients)
        AO_TRY(allocate(cut));
    const struct ao_view gradient = ao_layer_view(layer, &answer->taps[1]);
    const struct ao_shape shape = { .rank = 5,
                                    .dims = { 1, layer->C, layer->t, layer->h, layer->w } };
    float *mine = cut->gradients + (size_t)(result - cut->a->results) * cut->size;
    const struct ao_view batch = ao_view_channels_last(mine, AO_F32, &shape);
    const struct ao_view kept = ao_view_item(&batch, 0);
    ao_view_convert(&kept, &gradient);
    result->extra = ao_layer_json(layer);
    return result->extra ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "layer '%s': no memory", layer->name);
}

static aosa_status go_backward(struct cut *cut)
{
    const struct ao_backprop_options options = {
        .one_item = true,
        .taps = &cut->layer.value,
        .n_taps = 1,
    };
    struct ao_gradients *gradients = NULL;
    AO_TRY(ao_gradients_open(cut->a, &options, &gradients));
    const aosa_status status = ao_gradients_clip(gradients, NULL, keep_gradient, cut);
    ao_gradients_close(&gradients);
    return status;
}

static aosa_status walk_to_layer(struct cut *cut)
{
    struct ao_attribution *a = cut->a;
    double since = ao_now();
    AO_TRY(ao_occluder_create_until(a->model, &a->run, cut->layer.value, &a->occluder));
    ao_lap(&a->seconds_prepare, &since);
    AO_TRY(ao_occluder_project(a->occluder, a->clip, a->masks, a->fill, a->progress, cut->gradients,
                               a->n_results, cut->products));
    a->passes.forwards += 1 + a->masks->M;
    ao_lap(&a->seconds_run, &since);
    return AOSA_OK;
}

static aosa_status estimate(struct cut *cut, double **effects)
{
    const struct ao_attribution *a = cut->a;
    AO_TRY(find_layer(a, &cut->layer));
    cut->size = (size_t)(cut->layer.C * cut->layer.t * cut->layer.h * cut->layer.w);
    AO_TRY(go_backward(cut));
    AO_TRY(walk_to_layer(cut));
    const size_t targets = (size_t)a->n_results, M = (size_t)a->masks->M;
    double *made = ao_alloc(targets * M, sizeof *made);
    if (!made)
        return ao_fail(AOSA_ERR_NOMEM, "first order: no memory for %zu masks", M);
    for (size_t i = 0; i < targets * M; i++)
        made[i % targets * M + i / targets] = cut->products[i];
    *effects = made;
    return AOSA_OK;
}

aosa_status ao_cut_effects(struct ao_attribution *a, double **effects)
{
    struct cut cut = { .a = a };
    *effects = NULL;
    const aosa_status status = estimate(&cut, effects);
    ao_free(cut.gradients);
    ao_free(cut.products);
    return status;
}
