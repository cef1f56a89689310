/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_EVALUATION_H
#define AO_EVALUATE_EVALUATION_H

#include "aosa/model.h"
#include "evaluate/run.h"
#include "evaluate/shard.h"

/* What a command line of aosa evaluate is about, before anything is done. */
struct ao_evaluation {
    struct ao_run_plan plan;
    struct ao_run run; /* its identity */
    struct ao_shard shard;
    struct ao_dataset *dataset;
    aosa_settings *settings;   /* resolved */
    aosa_settings **own;       /* [plan.n_methods] */
    const char **metric_names; /* [plan.n_metrics] */
    size_t clips;              /* of the shard */
};

/*
 * Checks methods, metrics, options and shard, and reads the dataset's lists. Ends with
 * ao_evaluation_fini, also after a failure. AOSA_ERR_ARGUMENT, AOSA_ERR_INPUT, AOSA_ERR_FORMAT,
 * AOSA_ERR_UNSUPPORTED (the model takes no clip), AOSA_ERR_NOMEM.
 *
 * @param methods, metrics  Lists with commas, NULL for all.
 */
aosa_status ao_evaluation_init(struct ao_evaluation *e, const aosa_model *model,
                               const aosa_settings *settings, const char *methods,
                               const char *metrics);
void ao_evaluation_fini(struct ao_evaluation *e);

/* Whether the clip belongs to the shard. Whole clips do, so that each is decoded once. */
bool ao_evaluation_has(const struct ao_evaluation *e, const struct ao_item *item);

/*
 * FOLDER/shard-I-of-N.db. AOSA_ERR_ARGUMENT: the folder holds shards of another N, which would do
 * the same work once more; AOSA_ERR_OUTPUT: too long.
 */
aosa_status ao_evaluation_path(const struct ao_evaluation *e, const char *folder, char *path,
                               size_t bytes);

#endif
