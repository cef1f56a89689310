/* SPDX-License-Identifier: Apache-2.0 */
#include "data/flow_field.h"

#include "core/alloc.h"

aosa_status ao_flow_field_create(int T, int H, int W, struct ao_flow_field **field)
{
    if (T < 1 || H < 1 || W < 1)
        return ao_fail(AOSA_ERR_SHAPE, "flow field: %d frames of %d x %d pixels hold no motion", T,
                       H, W);
    const int64_t dims[] = { T - 1, H, W, 2 };
    int64_t count = 0;
    struct ao_flow_field *made = ao_alloc(1, sizeof *made);
    if (made && ao_count(dims, 4, &count))
        made->d = ao_alloc((size_t)count, sizeof *made->d);
    if (!made || !made->d) {
        ao_flow_field_destroy(&made);
        return ao_fail(AOSA_ERR_NOMEM, "flow field: no memory for %d pairs of %d x %d pixels",
                       T - 1, H, W);
    }
    made->T = T;
    made->H = H;
    made->W = W;
    *field = made;
    return AOSA_OK;
}

void ao_flow_field_destroy(struct ao_flow_field **field)
{
    if (!*field)
        return;
    ao_free((*field)->d);
    ao_free(*field);
    *field = NULL;
}
