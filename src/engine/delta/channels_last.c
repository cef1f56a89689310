/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/site.h"

#include <math.h>

#include "ops/move.h"
#include "ops/norm.h"

/*
 * Values whose own shape is [1][T][H][W][C]. Rows of changes are the same for them, so moving the
 * channels to the end and back costs nothing, and LayerNormalization over the last axis works
 * position by position.
 */

/* Axis i of the output is axis i + by of the input, for the axes behind the batch, in a ring. */
static bool turns(const struct ao_transpose_params *params, int rank, int by)
{
    bool same = params->perm[0] == 0;
    for (int i = 1; i < rank; i++)
        same &= params->perm[i] == 1 + (i - 1 + by) % (rank - 1);
    return same;
}

aosa_status ao_delta_transpose_rule(struct ao_delta_site *site)
{
    const struct ao_transpose_params *params = site->node->params;
    const struct ao_shape *shape = &ao_delta_in(site, 0)->shape;
    int wide = 0;
    for (int i = 0; i < shape->rank; i++)
        wide += shape->dims[i] > 1;
    if (wide <= 1 && ao_delta_positions(site->in) == 1 && !site->last)
        return ao_delta_alias(site);
    const bool first = !site->last && ao_delta_shaped_like(ao_delta_in(site, 0), site->in);
    if (shape->rank < 3 || !(first ? turns(params, shape->rank, 1)
                                   : site->last && turns(params, shape->rank, shape->rank - 2)))
        return ao_delta_refuse(site, "moves channels");
    site->last = first;
    return ao_delta_alias(site);
}

aosa_status ao_delta_layer_norm_rule(struct ao_delta_site *site)
{
    const struct ao_norm_params *params = site->node->params;
    const struct ao_value *x = ao_delta_in(site, 0);
    struct ao_delta_step *step;
    for (int i = 1; i < site->node->n_out; i++)
        if (site->node->out[i] >= 0)
            return ao_delta_refuse(site, "gives its mean or deviation");
    for (int i = 1; i < site->node->n_in; i++)
        if (site->node->in[i] >= 0 && !ao_delta_in(site, i)->data)
            return ao_delta_refuse(site, "has parameters that depend on the clip");
    const bool alone = ao_delta_positions(site->in) == 1 && params->axis == x->shape.rank - 1;
    if (x->shape.dims[x->shape.rank - 1] != site->in->C ||
        !(alone || (site->last && params->axis == x->shape.rank - 1)))
        return ao_delta_refuse(site, "normalises other axes than the channels");
    return ao_delta_site_step(site, 0, AO_DELTA_LAYER_NORM, site->in, &step);
}

/* Mean and 1 / sqrt(variance + epsilon) of y + d. */
static void moments(const float *y, const float *d, size_t C, double epsilon, double *mean,
                    double *inverse)
{
    double sum = 0, squares = 0;
    for (size_t c = 0; c < C; c++)
        sum += (double)y[c] + (d ? (double)d[c] : 0);
    *mean = sum / (double)C;
    for (size_t c = 0; c < C; c++) {
        const double x = (double)y[c] + (d ? (double)d[c] : 0) - *mean;
        squares += x * x;
    }
    *inverse = 1 / sqrt(squares / (double)C + epsilon);
}

/* ((y + d - mean') / deviation' - (y - mean) / deviation) scale; the bias cancels. */
void ao_delta_run_layer_norm(struct ao_delta_session *session, const struct ao_delta_base *base,
                             const struct ao_delta_step *step)
{
    const struct ao_delta *delta = session->delta;
    const struct ao_norm_params *params = step->node->params;
    const struct ao_delta_value *in = &delta->values[step->in[0]];
    const struct ao_value *scale = &delta->graph->values[step->node->in[1]];
    const struct ao_delta_support *out = ao_delta_support_of(session, step->out);
    const uint32_t *positions = ao_delta_positions_of(session, out);
    const float *rows = ao_delta_rows(session, step->in[0]), *factor = scale->data;
    const size_t C = (size_t)in->extent.C, step_c = ao_shape_count(&scale->shape) == 1 ? 0 : 1;
    float *dst = ao_delta_rows(session, step->out);
    for (uint32_t r = 0; r < out->first[session->n]; r++) {
        const float *y = base->floats + in->keep + (size_t)positions[r] * C, *d = rows + r * C;
        double mean[2], inverse[2];
        moments(y, NULL, C, params->epsilon, &mean[0], &inverse[0]);
        moments(y, d, C, params->epsilon, &mean[1], &inverse[1]);
        for (size_t c = 0; c < C; c++) {
            const double before = ((double)y[c] - mean[0]) * inverse[0];
            const double after = ((double)y[c] + (double)d[c] - mean[1]) * inverse[1];
            dst[r * C + c] = (float)((after - before) * (double)factor[c * step_c]);
        }
    }
}
