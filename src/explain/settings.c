/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/settings.h"

#include <string.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "engine/engine.h"

static const struct ao_option explain_options[] = {
    AO_OPT_TEXT(ao_explain_options, target, "target", "top1", "CLASS",
                "what to explain: 21, CliffDiving, top1, top3, or A-B for A rather than B"),
    { "method", 0, AO_OPTION_CHOICE, offsetof(struct ao_explain_options, method), "aosa", 0, 0,
      AO_METHOD_CHOICES, "METHOD", "how it is explained, one of the methods below" },
    AO_OPT_TEXT(ao_explain_options, fill, "fill", "zero", "FILL",
                "what hides: zero (the training mean), black, mean, blur, local, or a number after "
                "normalisation"),
    AO_OPT_CHOICE(ao_explain_options, score, "score", "prob", AO_SCORE_CHOICES,
                  "what is measured; gradient and cam methods take the logit unless told"),
    AO_OPT_CHOICE(ao_explain_options, compat, "compat", "none", "none|official",
                  "official reproduces the authors' code, quirks included"),
    AO_OPT_END,
};

static const struct ao_option run_options[] = {
    { "threads", 't', AO_OPTION_INT, offsetof(struct ao_run_options, threads), "0", 0, 1024, NULL,
      "N", "threads, 0 for every processor this process may use" },
    AO_OPT_CHOICE(ao_run_options, engine, "engine", "auto", AO_ENGINE_CHOICES,
                  "delta computes only what a mask changes, dense the whole network"),
    AO_OPT_CHOICE(ao_run_options, backend, "backend", "onednn", AO_BACKEND_CHOICES,
                  "what computes the whole network"),
    AO_OPT_INT(ao_run_options, batch, "batch", "1", 1, 1024, "N",
               "dense: occluded clips per forward; more gain little and take memory"),
    AO_OPT_TEXT(ao_run_options, labels, "labels", NULL, "FILE", "class names, one a line"),
    AO_OPT_INT(ao_run_options, frame_height, "frame-height", "0", 0, 8192, "PIXELS",
               "height, for a model that leaves it free"),
    AO_OPT_INT(ao_run_options, frame_width, "frame-width", "0", 0, 8192, "PIXELS",
               "width, for a model that leaves it free"),
    AO_OPT_FLAG(ao_run_options, allow_nonfinite, "allow-nonfinite",
                "load a model whose weights hold NaN or infinity"),
    AO_OPT_FLAG(ao_run_options, allow_traced, "allow-traced",
                "explain a model that carries feature maps of the clip it was traced with"),
    AO_OPT_REAL(ao_run_options, max_gmacs, "max-gmacs", "10000", 0.001, 1e9, "GMACS",
                "refuse a model that takes more than this many 10^9 multiply-accumulates a clip"),
    AO_OPT_INT(ao_run_options, max_memory, "max-memory", "0", 0, 100000000, "MB",
               "most memory for the network; 0 is 3/4 of the machine's or the container's"),
    AO_OPT_END,
};

static const struct ao_option evaluation_options[] = {
    AO_OPT_TEXT(ao_evaluation_options, shard, "shard", NULL, "I/N|auto",
                "do the I-th of N parts; auto reads what Slurm, MPI, Kubernetes or AWS Batch set"),
    AO_OPT_INT(ao_evaluation_options, shards, "shards", "0", 0, 1000000, "N",
               "parts of an indexed job that does not tell it, for --shard auto"),
    AO_OPT_FLAG(ao_evaluation_options, retry_failed, "retry-failed",
                "try again what failed before"),
    AO_OPT_FLAG(ao_evaluation_options, trust_mtime, "trust-mtime",
                "do not read again videos whose size and time of change are as recorded"),
    AO_OPT_FLAG(ao_evaluation_options, redo_builds, "redo-builds",
                "do again what another version or instruction set computed"),
    AO_OPT_FLAG(ao_evaluation_options, allow_missing, "allow-missing",
                "merge: make the table of what there is"),
    AO_OPT_FLAG(ao_evaluation_options, allow_builds, "allow-builds",
                "results of several versions together; merge: or instruction sets, whose last bits "
                "differ"),
    AO_OPT_INT(ao_evaluation_options, resamples, "resamples", "1000", 1, 1000000, "N",
               "merge: resamples of the bootstrap behind the confidence intervals"),
    AO_OPT_END,
};

static const struct group {
    const char *name;
    const struct ao_option *table;
    size_t offset;
} groups[] = {
    { "clip", ao_video_option_table, offsetof(struct aosa_settings, clip) },
    { "flow", ao_flow_option_table, offsetof(struct aosa_settings, flow) },
    { "masks", ao_mask_option_table, offsetof(struct aosa_settings, mask) },
    { "explanation", explain_options, offsetof(struct aosa_settings, explain) },
    { "method", ao_method_option_table, offsetof(struct aosa_settings, method) },
    { "run", run_options, offsetof(struct aosa_settings, run) },
    { "dataset", ao_dataset_option_table, offsetof(struct aosa_settings, dataset) },
    { "metrics", ao_metric_option_table, offsetof(struct aosa_settings, metric) },
    { "evaluation", evaluation_options, offsetof(struct aosa_settings, evaluation) },
};
#define N_GROUPS (sizeof groups / sizeof groups[0])

static void *part(const aosa_settings *settings, const struct group *group)
{
    return (char *)(uintptr_t)settings + group->offset;
}

/* Group and row of the index-th option over all groups; NULL past the last. */
static const struct ao_option *option_at(size_t index, const struct group **group)
{
    for (*group = groups; *group < groups + N_GROUPS; ++*group) {
        const struct ao_option *row = (*group)->table;
        for (; row->name && index > 0; index--)
            row++;
        if (row->name)
            return row;
    }
    return NULL;
}

static int find_option(const char *name, const struct ao_option **row, const struct group **group)
{
    for (int i = 0; (*row = option_at((size_t)i, group)); i++)
        if (!strcmp((*row)->name, name))
            return i;
    return -1;
}

bool aosa_option_at(size_t index, struct aosa_option_info *info)
{
    const struct group *group;
    const struct ao_option *row = option_at(index, &group);
    if (!row)
        return false;
    *info = (struct aosa_option_info){
        .group = group->name,
        .name = row->name,
        .letter = row->letter,
        .value = row->type == AO_OPTION_CHOICE && !row->value ? "CHOICE" : row->value,
        .choices = row->choices,
        .initial = row->initial,
        .help = row->help,
    };
    return true;
}

aosa_status aosa_settings_create(aosa_settings **settings)
{
    aosa_settings *s = ao_alloc(1, sizeof *s);
    if (!s)
        return ao_fail(AOSA_ERR_NOMEM, "settings: no memory");
    for (size_t i = 0; i < N_GROUPS; i++) {
        const aosa_status status = ao_options_init(groups[i].table, part(s, &groups[i]));
        if (status != AOSA_OK) {
            aosa_settings_destroy(&s);
            return status;
        }
    }
    *settings = s;
    return AOSA_OK;
}

void aosa_settings_destroy(aosa_settings **settings)
{
    if (!*settings)
        return;
    for (size_t i = 0; i < N_GROUPS; i++)
        ao_options_fini(groups[i].table, part(*settings, &groups[i]));
    ao_free(*settings);
    *settings = NULL;
}

aosa_status aosa_settings_set(aosa_settings *settings, const char *name, const char *value)
{
    const struct ao_option *row;
    const struct group *group;
    const int index = find_option(name, &row, &group);
    if (index < 0)
        return ao_fail(AOSA_ERR_ARGUMENT, "--%s: unknown option", name);
    AO_TRY(ao_option_set(row, part(settings, group), value));
    settings->given[index] = true;
    return AOSA_OK;
}

bool ao_settings_has(const aosa_settings *settings, const char *name)
{
    const struct ao_option *row;
    const struct group *group;
    const int index = find_option(name, &row, &group);
    return index >= 0 && settings->given[index];
}

/* Copies what a method (NULL: any) uses through text, the form every value has for a user. */
static aosa_status copy_values(const aosa_settings *from, const struct ao_method *method,
                               aosa_settings *to)
{
    char text[4096];
    const struct group *group;
    const struct ao_option *row;
    for (size_t i = 0; (row = option_at(i, &group)); i++) {
        if (!from->given[i] || (method && !ao_method_uses(method, group->name, row->name)))
            continue;
        ao_option_print(row, part(from, group), text, sizeof text);
        AO_TRY(ao_option_set(row, part(to, group), text));
        to->given[i] = true;
    }
    return AOSA_OK;
}

/* A choice of the method's, where the user made none. */
static aosa_status set_default(aosa_settings *settings, const char *name, const char *value)
{
    const struct ao_option *row;
    const struct group *group;
    if (ao_settings_has(settings, name))
        return AOSA_OK;
    if (find_option(name, &row, &group) < 0)
        return ao_fail(AOSA_ERR_INTERNAL, "method: there is no option --%s", name);
    return ao_option_set(row, part(settings, group), value);
}

static aosa_status apply_method(aosa_settings *settings)
{
    const struct ao_method *method = ao_settings_method(settings);
    if (method->mask)
        AO_TRY(set_default(settings, "mask", method->mask));
    if (!ao_settings_has(settings, "score"))
        settings->explain.score = (int)ao_method_score(method);
    if (settings->explain.compat != AO_COMPAT_OFFICIAL)
        return AOSA_OK;
    AO_TRY(set_default(settings, "accumulate", "visible"));
    return set_default(settings, "smooth", "0");
}

aosa_status ao_settings_resolve(const aosa_settings *settings, aosa_settings **resolved)
{
    aosa_settings *copy;
    AO_TRY(aosa_settings_create(&copy));
    aosa_status status = settings ? copy_values(settings, NULL, copy) : AOSA_OK;
    if (status == AOSA_OK)
        status = apply_method(copy);
    if (status != AOSA_OK) {
        aosa_settings_destroy(&copy);
        return status;
    }
    if (copy->run.threads == 0)
        copy->run.threads = ao_default_threads();
    *resolved = copy;
    return AOSA_OK;
}

aosa_status ao_settings_for_method(const aosa_settings *settings, const struct ao_method *method,
                                   aosa_settings **own)
{
    aosa_settings *copy;
    AO_TRY(aosa_settings_create(&copy));
    aosa_status status = settings ? copy_values(settings, method, copy) : AOSA_OK;
    if (status == AOSA_OK)
        status = aosa_settings_set(copy, "method", method->name);
    if (status != AOSA_OK) {
        aosa_settings_destroy(&copy);
        return status;
    }
    *own = copy;
    return AOSA_OK;
}

struct ao_occluder_options ao_settings_occluder(const aosa_settings *settings)
{
    return (struct ao_occluder_options){
        .engine = (enum ao_engine)settings->run.engine,
        .backend = (enum ao_backend)settings->run.backend,
        .threads = settings->run.threads,
        .batch = settings->run.batch,
    };
}

static json_t *value_json(const struct ao_option *row, const void *object)
{
    char text[4096];
    const void *value = (const char *)object + row->offset;
    switch (row->type) {
    case AO_OPTION_INT:
        return json_integer(*(const int *)value);
    case AO_OPTION_REAL:
        return json_real(*(const double *)value);
    case AO_OPTION_FLAG:
        return json_boolean(*(const bool *)value);
    case AO_OPTION_REALS3: {
        const double *v = value;
        return json_pack("[f,f,f]", v[0], v[1], v[2]);
    }
    case AO_OPTION_TEXT:
        if (!*(char *const *)value)
            return json_null();
        break;
    case AO_OPTION_CHOICE:
        break;
    }
    ao_option_print(row, object, text, sizeof text);
    return ao_json_text(text);
}

/* The options for which `method` (NULL: any) and `wanted` (NULL: any) hold, as one object. */
static json_t *options_json(const aosa_settings *settings, const struct ao_method *method,
                            const char *wanted)
{
    json_t *object = json_object();
    const struct group *group;
    const struct ao_option *row;
    for (size_t i = 0; object && (row = option_at(i, &group)); i++) {
        if ((method && !ao_method_uses(method, group->name, row->name)) ||
            (wanted && strcmp(wanted, group->name)))
            continue;
        if (json_object_set_new(object, row->name, value_json(row, part(settings, group))) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *ao_settings_json(const aosa_settings *settings, const struct ao_method *method)
{
    return options_json(settings, method, NULL);
}

json_t *ao_settings_group_json(const aosa_settings *settings, const char *group)
{
    return options_json(settings, NULL, group);
}

void aosa_text_free(char **text)
{
    ao_free(*text);
    *text = NULL;
}
