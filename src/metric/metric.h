/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_METRIC_H
#define AO_METRIC_METRIC_H

#include "attribution/method.h"
#include "data/clip.h"
#include "data/truth.h"
#include "metric/options.h"
#include "model/scorer.h"

/*
 * How good an explanation is: one file with `run`, one row in metrics.def. A metric reads the raw
 * map of one clip and target and adds named numbers, and curves where it has them. Metrics know
 * nothing of methods, datasets and each other; curves that several read are measured once
 * (metric/removal.h).
 */

enum ao_metric_need {
    AO_METRIC_NEEDS_SCORES = 1,    /* forward passes of changed clips */
    AO_METRIC_NEEDS_TRUTH = 2,     /* boxes; without any the metric is left out for the clip */
    AO_METRIC_NEEDS_EXPLAINER = 4, /* explains changed clips or models again */
    AO_METRIC_NEEDS_PARTNER = 8,   /* a clip of another class; not defined without one */
    AO_METRIC_WHEN_NAMED = 16      /* takes long: left out where the user names no metrics */
};

/*
 * Explains again what made a map: the same method, settings and target on another clip of the same
 * size, or another model of the same inputs and classes.
 *
 * @param map     Caller's buffer, float [T][H][W], as the map of a call.
 * @param passes  Forwards and backwards that it took are added.
 * @return Whatever the method answers; AOSA_ERR_NUMERIC for a map that is not finite.
 */
struct ao_explainer {
    aosa_status (*explain)(void *context, const struct aosa_model *model,
                           const struct aosa_clip *clip, float *map, struct ao_passes *passes);
    void *context;
};

struct ao_metric_call;
struct ao_removals;

struct ao_metric {
    const char *name;
    unsigned needs;
    const char *better;  /* "higher", "lower" or "" where neither is better; then parts that differ:
                            "lower abpc:higher" */
    const char *options; /* those of metric/options.h that it reads */
    const char *summary, *source;
    aosa_status (*run)(struct ao_metric_call *call);
};

/* All rows of metrics.def in order, *n of them. */
const struct ao_metric *ao_metrics(int *n);
const struct ao_metric *ao_metric_find(const char *name); /* NULL: none */

/* "higher", "lower" or "" of a value such as "deletion.abpc". */
const char *ao_metric_better(const char *value);

#define AO_METRIC_NAME 48

/* "deletion.auc" 0.31; NaN: not defined for this clip, and left out of means. */
struct ao_metric_value {
    char name[AO_METRIC_NAME]; /* metric.part */
    double value;
};

/* y[k] = score after step k at x[k], the fraction changed; "deletion". */
struct ao_metric_curve {
    char name[AO_METRIC_NAME];
    size_t n;
    double *x, *y; /* owned by the answer */
};

/* Ends with ao_metric_answer_fini; a zeroed one is empty. */
struct ao_metric_answer {
    struct ao_metric_value *values;
    size_t n_values, values_capacity;
    struct ao_metric_curve *curves;
    size_t n_curves, curves_capacity;
    int64_t forwards, backwards; /* passes that were run */
};

/* Adds to the answer; AOSA_ERR_NOMEM. A part of NULL names the metric alone. */
aosa_status ao_metric_add_value(struct ao_metric_answer *answer, const char *metric,
                                const char *part, double value);

/* The arrays, n doubles each, are copied. */
aosa_status ao_metric_add_curve(struct ao_metric_answer *answer, const char *name, size_t n,
                                const double *x, const double *y);
void ao_metric_answer_fini(struct ao_metric_answer *answer);

struct ao_metric_call {
    const struct ao_metric *metric;
    const struct aosa_model *model;
    struct ao_scorer *scorer;             /* NULL unless AO_METRIC_NEEDS_SCORES */
    const struct ao_explainer *explainer; /* NULL unless AO_METRIC_NEEDS_EXPLAINER */
    const struct aosa_clip *clip;
    const struct aosa_clip *partner; /* of another class, for AO_METRIC_NEEDS_PARTNER; or NULL */
    const float *map; /* [T][H][W] signed and finite, high where the class is seen, 0 where the
                         clip does not matter */
    struct ao_target target;
    const struct ao_truth *truth; /* with boxes where AO_METRIC_NEEDS_TRUTH, else may be NULL */
    const struct ao_metric_options *options;
    uint64_t seed;
    const struct ao_progress *progress;
    struct ao_metric_answer *answer;
    struct ao_removals *removals; /* what metrics of the same map share (metric/removal.h) */
};

/*
 * Runs metrics on the call's map, one after another; those that need boxes are left out where
 * there are none. Sets the call's metric and removals.
 */
aosa_status ao_metrics_run(struct ao_metric_call *call, const struct ao_metric *const *metrics,
                           int n);

#define METRIC(run, ...) aosa_status ao_metric_##run(struct ao_metric_call *call);
#include "metric/metrics.def"
#undef METRIC

#endif
