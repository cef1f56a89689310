/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

/* Sum over the rows of mask m, in their order, so that its bits depend on nothing else. */
static double project(const struct ao_delta_session *session, int m, const float *gradient)
{
    const int32_t output = session->delta->graph->outputs[0];
    const struct ao_delta_support *support = ao_delta_support_of(session, output);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    const float *rows = ao_delta_rows(session, output);
    const size_t C = (size_t)session->delta->values[output].extent.C;
    double sum = 0;
    for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++) {
        const float *row = rows + r * C, *slope = gradient + positions[r] * C;
        for (size_t c = 0; c < C; c++)
            sum += (double)row[c] * (double)slope[c];
    }
    return sum;
}

aosa_status ao_delta_project(const struct ao_delta *delta, const struct ao_delta_base *base,
                             struct ao_delta_session *session, const struct ao_delta_mask *masks,
                             int n, const struct ao_delta_fill *fill, const float *gradients,
                             int n_gradients, double *products)
{
    const int32_t output = delta->graph->outputs[0];
    const size_t size = (size_t)ao_delta_outputs(delta);
    if (!delta->values[output].changed)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "delta walk: changes of its output are not tracked");
    for (int m = 0; m < n; m += session->n) {
        session->n = ao_delta_batch(n - m);
        AO_TRY(ao_delta_walk(session, base, masks + m, fill));
        for (int i = 0; i < session->n; i++)
            for (int k = 0; k < n_gradients; k++)
                *products++ = project(session, i, gradients + (size_t)k * size);
    }
    return AOSA_OK;
}
