/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_HEAT_MAP_H
#define AO_ATTRIBUTION_HEAT_MAP_H

#include "data/mask_set.h"

/*
 * The raw signed map of spec A.9 from the effect X_i of every mask,
 *     A(v) = (1/M) sum_i w_i m_i(v),   w_i = X_i / mean(m_i),
 * summed in its cheap form (sum_i w_i - sum over the masks that occlude v) / M. X_i = f(x m_i) -
 * f(x) is negative where occlusion hurts, so A is highest where the class is seen. A mask that
 * hides everything has mean 0 and no weight: it says nothing about where.
 *
 * @param effects  [M].
 * @param map      Caller's buffer, float [T][H][W].
 * @param zero     Gets sum_i w_i / M: A of a voxel that no mask occludes, or whose masks have no
 *                 effect. Above it occlusion hurts, below it helps. Comparisons do not need it;
 *                 what sums or scales A does.
 */
aosa_status ao_heat_map(const struct aosa_mask_set *masks, const double *effects, float *map,
                        double *zero);

/*
 * A(v) = mean of value_i over the masks i that occlude v, 0 where none does. Sums over masks grow
 * where masks crowd or are large; a mean does not, so masks of several sizes can be read together.
 *
 * @param values  [M].
 * @param map     Caller's buffer, float [T][H][W].
 */
aosa_status ao_heat_map_mean(const struct aosa_mask_set *masks, const double *values, float *map);

/*
 * The coverage-normalised form (spec A.12, Q17): the mean above of -X_i / |O_i|, the drop under a
 * mask for each voxel that it occludes. Its zero is 0.
 */
aosa_status ao_heat_map_coverage(const struct aosa_mask_set *masks, const double *effects,
                                 float *map);

/*
 * The authors' display form of A: B = (A - min) / (max - min) (maxX - minX) - maxX, then
 * 127.5 + 127.5 B / max|B| over the whole clip. 127.5 is neutral; 0 or 255 is reached on the side
 * of the larger effect. A flat map gives 127.5 everywhere (Q11, Q20).
 */
void ao_heat_map_normalise(const struct aosa_mask_set *masks, const double *effects,
                           const float *map, float *normalised);

#endif
