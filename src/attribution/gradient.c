/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "attribution/gradients.h"
#include "core/alloc.h"
#include "ops/element.h"

/*
 * One backward pass to the clip x.
 *
 *     gradient          dy/dx                               Simonyan et al., ICLR workshop 2014
 *     gradient_x_input  x dy/dx, x in normalised values     Shrikumar et al., arXiv 1605.01713
 *     guided_backprop   dy/dx, ReLU lets max(g, 0) [x > 0]  Springenberg et al., ICLR workshop 2015
 *     deconvnet         dy/dx, ReLU lets max(g, 0) back     Zeiler and Fergus, ECCV 2014
 */
struct variant {
    const char *name;
    enum ao_relu_rule relu;
    bool times_input;
};

static const struct variant variants[] = {
    { "gradient", AO_RELU_PLAIN, false },
    { "gradient_x_input", AO_RELU_PLAIN, true },
    { "guided_backprop", AO_RELU_GUIDED, false },
    { "deconvnet", AO_RELU_DECONVNET, false },
};

struct explanation {
    const struct ao_attribution *attribution;
    const struct variant *variant;
    double *values; /* [3][T][H][W] */
};

static aosa_status read_gradient(void *context, int64_t item, struct ao_map_result *result,
                                 const struct ao_backprop_result *answer)
{
    const struct explanation *e = context;
    const struct aosa_clip *clip = e->attribution->clip;
    const struct ao_view dense = ao_view_dense(e->values, AO_F64, &answer->clip.shape);
    (void)item;
    ao_view_convert(&dense, &answer->clip);
    for (size_t i = 0; e->variant->times_input && i < 3 * ao_clip_voxels(clip); i++)
        e->values[i] *= (double)clip->values[i];
    ao_gradients_map(e->attribution, e->variant->times_input ? AO_REDUCE_SUM : AO_REDUCE_ABS,
                     e->values, result);
    return AOSA_OK;
}

aosa_status ao_run_gradient(struct ao_attribution *a)
{
    const struct variant *variant = variants;
    while (strcmp(variant->name, a->method->name) != 0)
        variant++;
    const struct ao_backprop_options options = { .one_item = true,
                                                 .relu = variant->relu,
                                                 .clip = true };
    struct ao_gradients *gradients;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    struct explanation e = { a, variant,
                             ao_alloc_raw(3 * ao_clip_voxels(a->clip), sizeof(double)) };
    const aosa_status status = e.values
                                   ? ao_gradients_clip(gradients, NULL, read_gradient, &e)
                                   : ao_fail(AOSA_ERR_NOMEM, "gradient: no memory for the clip");
    ao_free(e.values);
    ao_gradients_close(&gradients);
    return status;
}
