/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/variant.h"

#include "core/alloc.h"

aosa_status ao_variant_base(const struct ao_metric_call *call, bool insert, struct ao_fill *base)
{
    const struct ao_metric_options *options = call->options;
    const char *text = insert ? options->insertion_base : options->deletion_base;
    const aosa_status status = ao_fill_create(text ? text : "", 0, call->clip, base);
    return status == AOSA_OK ? status
                             : ao_fail_in(status, "--%s-base", insert ? "insertion" : "deletion");
}

void ao_variant_put(const struct ao_view *input, const struct aosa_clip *clip,
                    const struct ao_fill *base, size_t voxel)
{
    const size_t W = (size_t)clip->W, H = (size_t)clip->H, n = ao_clip_voxels(clip);
    const float *src = base ? base->volume : clip->values;
    float *dst = (float *)input->data + (int64_t)(voxel / W / H) * input->strides[1] +
                 (int64_t)(voxel / W % H) * input->strides[2] +
                 (int64_t)(voxel % W) * input->strides[3];
    for (size_t c = 0; c < 3; c++)
        dst[(int64_t)c * input->strides[0]] = src ? src[c * n + voxel] : base->value[c];
}

void ao_variant_put_all(const struct ao_view *input, const struct aosa_clip *clip,
                        const struct ao_fill *base)
{
    const size_t n = ao_clip_voxels(clip);
    for (size_t voxel = 0; voxel < n; voxel++)
        ao_variant_put(input, clip, base, voxel);
}

aosa_status ao_variant_scores(struct ao_metric_call *call, size_t n, ao_variant_fn write,
                              const void *context, double *scores)
{
    const size_t classes = (size_t)call->model->classes;
    float *outputs = ao_alloc(n, classes * sizeof *outputs);
    if (!outputs)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %zu scores", call->metric->name, n);
    const aosa_status status =
        ao_scorer_run(call->scorer, (int64_t)n, write, context, call->progress, outputs);
    for (size_t i = 0; status == AOSA_OK && i < n; i++)
        scores[i] = ao_score((enum ao_score_kind)call->options->score, outputs + i * classes,
                             call->model->classes, call->model->probabilities, call->target);
    call->answer->forwards += status == AOSA_OK ? (int64_t)n : 0;
    ao_free(outputs);
    return status;
}
