/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/stacking.h"

#include "core/alloc.h"

/* Keeps `best`, track indices from the nearest on, sorted while candidate j joins it. */
static int insert(const double *similarity, bool ties_to_larger, int j, int most, int n,
                  int32_t *best)
{
    int at = n;
    while (at > 0 && (similarity[j] > similarity[best[at - 1]] ||
                      (ties_to_larger && similarity[j] >= similarity[best[at - 1]])))
        at--;
    if (at == most)
        return n;
    const int last = n < most ? n : most - 1;
    for (int k = last; k > at; k--)
        best[k] = best[k - 1];
    best[at] = j;
    return last + 1;
}

static int choose(const double *similarity, const struct ao_mask_options *options, int i, int N,
                  bool ties_to_larger, int32_t *best)
{
    int n = 0;
    for (int j = 0; j < N; j++)
        if (j != i || !options->exclude_self)
            n = insert(similarity, ties_to_larger, j, options->partners, n, best);
    return n;
}

aosa_status ao_stack_nearest(const struct ao_mask_options *options,
                             const struct ao_descriptors *descriptors, ao_similarity_fn similarity,
                             bool ties_to_larger, struct aosa_mask_set *set)
{
    const size_t N = (size_t)set->N, width = (size_t)options->partners + 1;
    AO_TRY(ao_stack_begin(set, N, N * width));
    double *row = ao_alloc_raw(N, sizeof *row);
    int32_t *tracks = ao_alloc_raw(width, sizeof *tracks);
    if (!row || !tracks) {
        ao_free(row);
        ao_free(tracks);
        return ao_fail(AOSA_ERR_NOMEM, "stacking: no memory for %zu similarities", N);
    }
    for (int32_t i = 0; i < set->N; i++) {
        tracks[0] = i;
        int n = 0;
        if (similarity(descriptors, i, row) || !options->exclude_self)
            n = choose(row, options, i, set->N, ties_to_larger, tracks + 1);
        ao_stack_add(set, tracks, (size_t)n + 1);
    }
    ao_free(row);
    ao_free(tracks);
    return AOSA_OK;
}
