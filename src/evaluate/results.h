/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_RESULTS_H
#define AO_EVALUATE_RESULTS_H

#include "core/json.h"
#include "evaluate/journal.h"
#include "explain/settings.h"

/* All records of a run, of all its shards. */

struct ao_result {
    char *clip, *label, *reason; /* reason: NULL where it is done */
    int method;                  /* in the run's order */
    double base, seconds, peak_bytes;
    int64_t forwards, backwards;
    struct ao_metric_answer answer;
};

struct ao_results {
    struct ao_run run;    /* of all shards together */
    json_t *identity;     /* the same as one object */
    const char **methods; /* [n_methods] names, in the run's order */
    int n_methods;
    int64_t clips;             /* of the whole dataset */
    struct ao_result *results; /* by method, then clip */
    size_t n, capacity;
    int64_t missing; /* items that no journal has, or not by every metric */
};

/*
 * Reads FOLDER/shard-*.db. AOSA_ERR_INPUT: there is none; a shard or an item is missing, unless
 * allow_missing. AOSA_ERR_ARGUMENT: they are of several runs, or of several builds, unless
 * allow_builds, or of several ways to shard one.
 * AOSA_ERR_FORMAT, AOSA_ERR_OUTPUT (a shard is being written), AOSA_ERR_NOMEM. Ends with
 * ao_results_fini, also after a failure.
 */
aosa_status ao_results_read(struct ao_results *results, const char *folder,
                            const struct ao_evaluation_options *options);
void ao_results_fini(struct ao_results *results);

#endif
