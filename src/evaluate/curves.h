/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_CURVES_H
#define AO_EVALUATE_CURVES_H

#include "core/file.h"
#include "evaluate/bootstrap.h"
#include "evaluate/results.h"

/*
 * Mean curves over clips. Where all clips have the same x these are kept. Where they differ (ties
 * that are not parted), each clip's curve is read at evenly spaced x from the smallest to the
 * largest, as many as the longest curve has, linearly between its points and constant beyond its
 * ends. A curve that holds a NaN or an infinity is left out.
 */
struct ao_mean_curve {
    char name[AO_METRIC_NAME];
    int method;
    size_t n_clips, n;
    double *x;                     /* [n] */
    struct ao_interval *intervals; /* [n], of each point by itself */
};

struct ao_mean_curves {
    struct ao_mean_curve *curves; /* by method, then as they are met */
    size_t n, capacity;
};

/* Ends with ao_mean_curves_fini, also after a failure. AOSA_ERR_NOMEM. */
aosa_status ao_mean_curves_init(struct ao_mean_curves *curves, const struct ao_results *results,
                                int resamples, uint64_t seed);
void ao_mean_curves_fini(struct ao_mean_curves *curves);

/* A picture for each name, curve.NAME.png, with a line for each method. AOSA_ERR_NOMEM,
 * AOSA_ERR_OUTPUT. */
aosa_status ao_mean_curves_draw(const struct ao_mean_curves *curves,
                                const struct ao_results *results, struct ao_outdir *dir);

#endif
