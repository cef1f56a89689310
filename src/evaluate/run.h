/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_RUN_H
#define AO_EVALUATE_RUN_H

#include "dataset/dataset.h"
#include "explain/settings.h"
#include "metric/metric.h"

/*
 * What an evaluation is of: everything that its numbers depend on. All items share the model and
 * the dataset; a method and a metric each bring their own options, so that others can join a run
 * later; and each result is of one build. Results of different runs are never mixed.
 */

#define AO_RUN_SCHEMA 2

struct ao_run_plan {
    const struct aosa_model *model;
    const struct ao_dataset *dataset;
    const aosa_settings *settings; /* resolved */
    const struct ao_method **methods;
    aosa_settings *const *own; /* [n_methods] settings of each, resolved */
    int n_methods;
    const struct ao_metric **metrics;
    int n_metrics;
};

/* A method or a metric with every option that it reads. */
struct ao_ingredient {
    char *name;
    char *options; /* JSON */
};

/* BUILDS: versions and instruction set, JSON, in `name`; without options. */
enum ao_run_kind { AO_RUN_METHODS, AO_RUN_METRICS, AO_RUN_BUILDS, AO_RUN_KINDS };

/* The identity. A zeroed one is empty and takes the first that joins it. */
struct ao_run {
    char *shared; /* JSON: schema, hashes of model and dataset list, seed */
    struct ao_ingredients {
        struct ao_ingredient
            *items; /* in the order of methods.def and metrics.def, builds by text */
        size_t n, capacity;
    } parts[AO_RUN_KINDS];
};

/*
 * The identity of a plan on this machine. Not in it is what leaves the numbers alone: paths,
 * threads, shards, limits. AOSA_ERR_NOMEM. Ends with ao_run_fini, also after a failure.
 */
aosa_status ao_run_init(const struct ao_run_plan *plan, struct ao_run *run);
void ao_run_fini(struct ao_run *run);

/*
 * Adds what only `other` has: the whole, or its methods, metrics and builds.
 *
 * @param path    Where one of them was found, for messages.
 * @param remedy  What a user can do then.
 * @return AOSA_ERR_ARGUMENT when both have a thing and differ in it; the first difference is named.
 */
aosa_status ao_run_join(struct ao_run *run, const struct ao_run *other, const char *path,
                        const char *remedy);

/* One part more, in its place; one of that name stays. AOSA_ERR_NOMEM. */
aosa_status ao_run_add(struct ao_run *run, enum ao_run_kind kind, const char *name,
                       const char *options);

/* The whole as one object, "methods": [{"name", "options"}, ...]; NULL without memory. */
json_t *ao_run_json(const struct ao_run *run);

/*
 * Name of the first thing in which two JSON objects differ, "model.sha256"; "" when they are equal.
 */
void ao_run_difference(const char *a, const char *b, char *text, size_t bytes);

/*
 * How two builds differ: not at all; in the instruction set, so that numbers differ in the last
 * bits; or in versions, so that they may differ in anything.
 */
enum ao_build_relation { AO_BUILD_SAME, AO_BUILD_OTHER_ISA, AO_BUILD_OTHER_VERSION };
enum ao_build_relation ao_build_compare(const char *a, const char *b);

/*
 * AOSA_ERR_ARGUMENT when one of the run's builds is of another version than `own`: it may have
 * given other numbers; another instruction set gives other last bits, which merge asks about.
 */
aosa_status ao_run_check_builds(const struct ao_run *run, const char *own, const char *path);

#endif
