/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EXPLAIN_SETTINGS_H
#define AO_EXPLAIN_SETTINGS_H

#include "aosa/settings.h"
#include "attribution/method.h"
#include "core/json.h"
#include "core/options.h"
#include "dataset/dataset.h"
#include "flow/flow.h"
#include "mask/mask.h"
#include "metric/options.h"
#include "model/model.h"
#include "video/video.h"

/* What is explained and how the effect is measured. */
struct ao_explain_options {
    char *target; /* see ao_targets_resolve */
    char *fill;   /* see ao_fill_create */
    int score;    /* enum ao_score_kind; the method's own once resolved */
    int method;   /* row of methods.def */
    int compat;   /* enum ao_compat */
};

enum ao_compat { AO_COMPAT_NONE, AO_COMPAT_OFFICIAL };

/* With what it is computed. */
struct ao_run_options {
    int threads; /* 0: as many as the process may use */
    int engine;  /* enum ao_engine */
    int backend; /* index in AO_BACKEND_CHOICES, which is enum ao_backend */
    int batch;   /* clips per forward of the dense engine */
    char *labels;
    int frame_height, frame_width; /* of free axes of the model, 0: not given */
    bool allow_nonfinite;
    bool allow_traced;
    double max_gmacs; /* most work of one clip that a model may take */
    int max_memory;   /* MB for the network and what runs it; 0: see ao_budget_init */
};

/* How a dataset is gone through and summed up. */
struct ao_evaluation_options {
    char *shard;        /* see ao_shard_parse */
    int shards;         /* of an indexed job that does not know its size */
    bool retry_failed;  /* items that failed before are tried again */
    bool allow_missing; /* merge what there is */
    bool trust_mtime;   /* a video of the same size and time of change is the same */
    bool allow_builds;  /* results of several versions (merge: or instruction sets) together */
    bool redo_builds;   /* results of another build are not done */
    int resamples;      /* of the bootstrap */
};

#define AO_MAX_OPTIONS 512

struct aosa_settings {
    struct ao_video_options clip;
    struct ao_flow_options flow;
    struct ao_mask_options mask;
    struct ao_explain_options explain;
    struct ao_method_options method;
    struct ao_run_options run;
    struct ao_dataset_options dataset;
    struct ao_metric_options metric;
    struct ao_evaluation_options evaluation;
    bool given[AO_MAX_OPTIONS]; /* set by the user, in the order of aosa_option_at */
};

/* Row of methods.def that --method names. */
const struct ao_method *ao_settings_method(const aosa_settings *settings);

/* Whether that method's result depends on an option, by its name and group. */
bool ao_method_uses(const struct ao_method *method, const char *group, const char *option);

/* AOSA_ERR_ARGUMENT when the user set an option that the named method does not use. */
aosa_status ao_settings_check_method(const aosa_settings *settings);

/*
 * A copy in which the named method's own choices (methods.def) stand where the user set nothing,
 * and threads are resolved. NULL gives all defaults. Free with aosa_settings_destroy.
 */
aosa_status ao_settings_resolve(const aosa_settings *settings, aosa_settings **resolved);

/* What the user set (NULL: nothing) as far as that method uses it, and the method. Free with
 * aosa_settings_destroy. */
aosa_status ao_settings_for_method(const aosa_settings *settings, const struct ao_method *method,
                                   aosa_settings **own);

/*
 * The methods that a comma list names, themselves or by family in the plural ("aosa,cams"; NULL:
 * all), in the order of methods.def.
 *
 * @param dataset Whether options of datasets, metrics and evaluations have a use too.
 * @param chosen  [*n], owned by the caller (ao_free).
 * @return AOSA_ERR_ARGUMENT for a word that is neither, and for an option that the user set and
 *         none of the methods uses, or --method; AOSA_ERR_NOMEM.
 */
aosa_status ao_settings_choose_methods(const aosa_settings *settings, const char *list,
                                       bool dataset, const struct ao_method ***chosen, int *n);

/* What opening a model takes from the settings. */
struct ao_model_options ao_settings_model_options(const aosa_settings *settings);

/* What computes the occluded clips. */
struct ao_occluder_options ao_settings_occluder(const aosa_settings *settings);

/* Every option that the method uses (NULL: every one) and its value as one JSON object, or NULL
 * without memory. */
json_t *ao_settings_json(const aosa_settings *settings, const struct ao_method *method);

/* Every option of one group; NULL without memory. */
json_t *ao_settings_group_json(const aosa_settings *settings, const char *group);

/* Whether the user set that option. */
bool ao_settings_has(const aosa_settings *settings, const char *name);

#endif
