/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_RUN_H
#define AO_EVALUATE_RUN_H

#include "core/sha256.h"
#include "dataset/dataset.h"
#include "explain/settings.h"
#include "metric/metric.h"

/*
 * What an evaluation is of: everything that its numbers depend on. Shards of one run have the same
 * identity; results of different runs are never mixed.
 */

#define AO_RUN_SCHEMA 1

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

/*
 * The identity as JSON text: schema, versions and instruction set, hashes of model and dataset
 * list, how clips are made, methods and metrics with every option. Not what leaves the numbers
 * alone: paths, threads, shards.
 *
 * @param run  Owned by the caller (ao_free). AOSA_ERR_NOMEM.
 */
aosa_status ao_run_identity(const struct ao_run_plan *plan, char **run);

/* AOSA_OK when both are the same, else AOSA_ERR_ARGUMENT that names the first difference; `path` is
 * where `run` was found. With `any_build` they may be of different versions and instruction sets.
 */
aosa_status ao_run_compare(const char *path, const char *run, const char *other, bool any_build);

/*
 * SHA-256 of what a video holds: the file's bytes, or of a folder the names and digests of its
 * files in order. AOSA_ERR_INPUT, AOSA_ERR_NOMEM.
 */
aosa_status ao_content_digest(const char *path, char text[AO_SHA256_TEXT]);

/* Key of a clip x method: the digest of run, item, content and method. */
aosa_status ao_run_key(const char *run, const char *clip, const char *content, const char *method,
                       char key[AO_SHA256_TEXT]);

#endif
