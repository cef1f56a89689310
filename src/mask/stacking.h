/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MASK_STACKING_H
#define AO_MASK_STACKING_H

#include "mask/mask.h"

/* One way to choose which tracks are occluded together, one file, one row in stacks.def. */
struct ao_mask_stacking {
    const char *name;
    const char *summary;
    bool flow_one_only;
    /* Fills the masks of a set that has tracks with motion. options are resolved. */
    aosa_status (*stack)(const struct ao_mask_options *options, bool official,
                         struct aosa_mask_set *set);
};

/* The rows in the order of stacks.def, NULL at the end. */
const struct ao_mask_stacking *const *ao_mask_stackings(void);

/* Makes room for masks; then each add appends one, leaving out tracks it already has. */
aosa_status ao_stack_begin(struct aosa_mask_set *set, size_t max_masks, size_t max_members);
void ao_stack_add(struct aosa_mask_set *set, const int32_t *tracks, size_t n);

/* The motion along each track as a row of numbers: [N][D]. */
struct ao_descriptors {
    int N, D;
    double *rows;
    double *norms; /* [N] Euclidean */
};

/* magnitudes: D = T - 1 lengths |(dx, dy)|; else D = 2 (T - 1), dx and dy. */
aosa_status ao_descriptors_create(const struct aosa_mask_set *set, bool magnitudes,
                                  struct ao_descriptors *descriptors);
void ao_descriptors_fini(struct ao_descriptors *descriptors);

static inline const double *ao_descriptor(const struct ao_descriptors *descriptors, int i)
{
    return descriptors->rows + (size_t)i * (size_t)descriptors->D;
}

/* Similarity of track i to all N, larger is nearer; false when track i has nothing to compare. */
typedef bool (*ao_similarity_fn)(const struct ao_descriptors *descriptors, int i,
                                 double *similarity);

/* Cosine; that of a track to itself is 0, not 1 (Q5). */
bool ao_similarity_cosine(const struct ao_descriptors *descriptors, int i, double *similarity);

/*
 * One mask for each track: itself, then its options->partners nearest ones, nearest first. Among
 * equals the larger index wins if ties_to_larger. A track may be chosen as its own partner, which
 * leaves it one fewer, unless options->exclude_self (Q5).
 */
aosa_status ao_stack_nearest(const struct ao_mask_options *options,
                             const struct ao_descriptors *descriptors, ao_similarity_fn similarity,
                             bool ties_to_larger, struct aosa_mask_set *set);

#endif
