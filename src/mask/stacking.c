/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/stacking.h"

#include <math.h>

#include "core/alloc.h"

aosa_status ao_stack_begin(struct aosa_mask_set *set, size_t max_masks, size_t max_members)
{
    if (max_masks >= INT32_MAX || max_members > INT32_MAX)
        return ao_fail(AOSA_ERR_ARGUMENT, "stacking: %zu masks with %zu members are too many",
                       max_masks, max_members);
    set->M = 0;
    set->first = ao_alloc(max_masks + 1, sizeof *set->first);
    set->members = ao_alloc(max_members, sizeof *set->members);
    if (!set->first || !set->members)
        return ao_fail(AOSA_ERR_NOMEM, "stacking: no memory for %zu masks with %zu members",
                       max_masks, max_members);
    return AOSA_OK;
}

void ao_stack_add(struct aosa_mask_set *set, const int32_t *tracks, size_t n)
{
    int32_t *const members = set->members + set->first[set->M];
    int32_t n_members = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t k = 0;
        while (k < n_members && members[k] != tracks[i])
            k++;
        members[k] = tracks[i];
        n_members += k == n_members;
    }
    set->M++;
    set->first[set->M] = set->first[set->M - 1] + n_members;
}

static void describe(const float *motion, int n_steps, bool magnitudes, double *row)
{
    for (int t = 0; t < n_steps; t++) {
        const double dx = (double)motion[2 * t], dy = (double)motion[2 * t + 1];
        if (magnitudes) {
            row[t] = sqrt(dx * dx + dy * dy);
        } else {
            row[2 * t] = dx;
            row[2 * t + 1] = dy;
        }
    }
}

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

aosa_status ao_descriptors_create(const struct aosa_mask_set *set, bool magnitudes,
                                  struct ao_descriptors *descriptors)
{
    const int n_steps = set->T - 1;
    struct ao_descriptors made = { .N = set->N, .D = magnitudes ? n_steps : 2 * n_steps };
    size_t n_values;
    if (ao_size_mul((size_t)made.N, (size_t)made.D, &n_values))
        made.rows = ao_alloc_raw(n_values, sizeof *made.rows);
    made.norms = ao_alloc_raw((size_t)made.N, sizeof *made.norms);
    if (!made.rows || !made.norms) {
        ao_descriptors_fini(&made);
        return ao_fail(AOSA_ERR_NOMEM, "stacking: no memory for the motion of %d tracks", set->N);
    }
    for (int i = 0; i < made.N; i++) {
        double *row = made.rows + (size_t)i * (size_t)made.D;
        describe(set->motion + 2 * (size_t)i * (size_t)n_steps, n_steps, magnitudes, row);
        made.norms[i] = sqrt(dot(row, row, made.D));
    }
    *descriptors = made;
    return AOSA_OK;
}

void ao_descriptors_fini(struct ao_descriptors *descriptors)
{
    ao_free(descriptors->rows);
    ao_free(descriptors->norms);
    *descriptors = (struct ao_descriptors){ 0 };
}

bool ao_similarity_cosine(const struct ao_descriptors *descriptors, int i, double *similarity)
{
    const double *row = ao_descriptor(descriptors, i), *norms = descriptors->norms;
    for (int j = 0; j < descriptors->N; j++)
        similarity[j] = dot(ao_descriptor(descriptors, j), row, descriptors->D) /
                        (norms[j] + 1e-10) / (norms[i] + 1e-10);
    similarity[i] = 0;
    return norms[i] > 0;
}
