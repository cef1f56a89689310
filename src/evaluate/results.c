/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* scandir */
#include "evaluate/results.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "evaluate/run.h"

/* The journals of a folder while they are read: once for what they are of, once for the records. */
struct reading {
    struct ao_results *results;
    const char *path; /* of the journal */
    const struct ao_evaluation_options *options;
    int shards;       /* as the first journal says; 0 before */
    bool *seen;       /* [shards] */
    int64_t complete; /* items of the journal with every metric */
};

static int find_method(const struct ao_results *r, const char *name)
{
    int i = 0;
    while (i < r->n_methods && strcmp(r->methods[i], name))
        i++;
    return i;
}

/* --- what they are of ---------------------------------------------------------------------------
 */

static aosa_status check_shard(struct reading *reading, struct ao_shard shard)
{
    const char *path = reading->path;
    if (shard.count < 1 || shard.count > AO_MAX_SHARDS || shard.index < 0 ||
        shard.index >= shard.count)
        return ao_fail(AOSA_ERR_FORMAT, "%s: is of shard %d/%d", path, shard.index + 1,
                       shard.count);
    if (reading->shards == 0) {
        reading->shards = shard.count;
        reading->seen = ao_alloc((size_t)shard.count, sizeof *reading->seen);
        if (!reading->seen)
            return ao_fail(AOSA_ERR_NOMEM, "merge: no memory for %d shards", shard.count);
    }
    if (shard.count != reading->shards || reading->seen[shard.index])
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "%s: is of shard %d/%d, beside others of %d; remove those that are not "
                       "meant",
                       path, shard.index + 1, shard.count, reading->shards);
    reading->seen[shard.index] = true;
    return AOSA_OK;
}

static aosa_status read_head(struct reading *reading, struct ao_journal *journal,
                             const struct ao_journal_head *head)
{
    (void)journal;
    AO_TRY(
        ao_run_join(&reading->results->run, head->run, reading->path, "merge the runs one by one"));
    return check_shard(reading, head->shard);
}

/* What one key of a build says. */
static void read_build(const struct ao_ingredient *build, const char *key, char *text, size_t bytes)
{
    json_t *object = json_loads(build->name, 0, NULL);
    const char *value = json_string_value(json_object_get(object, key));
    snprintf(text, bytes, "%s", value ? value : "none");
    json_decref(object);
}

static aosa_status check_builds(const struct reading *reading, const char *folder)
{
    char key[64], a[64], b[64];
    const struct ao_ingredients *builds = &reading->results->run.parts[AO_RUN_BUILDS];
    if (builds->n < 2 || reading->options->allow_builds)
        return AOSA_OK;
    ao_run_difference(builds->items[0].name, builds->items[1].name, key, sizeof key);
    read_build(&builds->items[0], key, a, sizeof a);
    read_build(&builds->items[1], key, b, sizeof b);
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "%s: results of %zu builds, of which '%s' is %s and %s; take them together with "
                   "--allow-builds, or do one of them again with aosa evaluate --redo-builds",
                   folder, builds->n, key, a, b);
}

/* Methods and number of clips, out of the identity. */
static aosa_status read_identity(struct ao_results *r, const char *folder)
{
    const struct ao_ingredients *methods = &r->run.parts[AO_RUN_METHODS];
    r->identity = ao_run_json(&r->run);
    if (!r->identity)
        return ao_fail(AOSA_ERR_FORMAT, "%s: its run is not readable", folder);
    const json_t *dataset = json_object_get(r->identity, "dataset");
    r->clips = json_integer_value(json_object_get(dataset, "clips"));
    if (methods->n == 0 || methods->n > 1000 || r->clips < 1)
        return ao_fail(AOSA_ERR_FORMAT, "%s: its run names no methods or clips", folder);
    r->methods = ao_alloc(methods->n, sizeof *r->methods);
    if (!r->methods)
        return ao_fail(AOSA_ERR_NOMEM, "merge: no memory");
    r->n_methods = (int)methods->n;
    for (int i = 0; i < r->n_methods; i++)
        r->methods[i] = methods->items[i].name;
    return AOSA_OK;
}

/* --- records ------------------------------------------------------------------------------------
 */

static aosa_status copy_answer(const struct ao_metric_answer *from, struct ao_metric_answer *to)
{
    to->forwards = from->forwards;
    to->backwards = from->backwards;
    for (size_t i = 0; i < from->n_values; i++)
        AO_TRY(ao_metric_add_value(to, from->values[i].name, NULL, from->values[i].value));
    for (size_t i = 0; i < from->n_curves; i++)
        AO_TRY(ao_metric_add_curve(to, from->curves[i].name, from->curves[i].n, from->curves[i].x,
                                   from->curves[i].y));
    return AOSA_OK;
}

static aosa_status keep(void *context, const struct ao_record *record)
{
    struct reading *reading = context;
    struct ao_results *r = reading->results;
    const int method = find_method(r, record->method);
    if (method == r->n_methods)
        return ao_fail(AOSA_ERR_FORMAT, "%s: holds method '%s', which its run has not",
                       reading->path, record->method);
    void *items = r->results;
    if (!ao_grow(&items, &r->capacity, r->n, sizeof *r->results))
        return ao_fail(AOSA_ERR_NOMEM, "merge: no memory for record %zu", r->n);
    r->results = items;
    struct ao_result *kept = &r->results[r->n++];
    *kept = (struct ao_result){
        .clip = ao_strdup(record->clip),
        .label = ao_strdup(record->label),
        .reason = ao_strdup(record->reason),
        .method = method,
        .base = record->base,
        .seconds = record->seconds,
        .peak_bytes = record->peak_bytes,
        .forwards = record->forwards,
        .backwards = record->backwards,
    };
    if (!kept->clip || !kept->label || (record->reason && !kept->reason))
        return ao_fail(AOSA_ERR_NOMEM, "merge: no memory for record %zu", r->n - 1);
    reading->complete +=
        record->reason || (size_t)record->n_metrics == r->run.parts[AO_RUN_METRICS].n;
    return copy_answer(&record->answer, &kept->answer);
}

static aosa_status read_records(struct reading *reading, struct ao_journal *journal,
                                const struct ao_journal_head *head)
{
    reading->complete = 0;
    AO_TRY(ao_journal_each(journal, keep, reading));
    struct ao_results *r = reading->results;
    const int64_t planned = head->clips * r->n_methods, missing = planned - reading->complete;
    r->missing -= reading->complete;
    if (missing <= 0 || reading->options->allow_missing)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_INPUT,
                   "%s: %lld of %lld items are missing; run aosa evaluate again, or give "
                   "--allow-missing",
                   reading->path, (long long)missing, (long long)planned);
}

/* --- folders ------------------------------------------------------------------------------------
 */

/* What is done with each journal. */
typedef aosa_status (*journal_fn)(struct reading *reading, struct ao_journal *journal,
                                  const struct ao_journal_head *head);

static aosa_status read_journal(struct reading *reading, journal_fn fn)
{
    struct ao_journal *journal;
    struct ao_journal_head head;
    AO_TRY(ao_journal_read(reading->path, &journal, &head));
    const aosa_status status = fn(reading, journal, &head);
    ao_journal_close(&journal);
    return status;
}

static int is_journal(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);
    return !strncmp(entry->d_name, "shard-", 6) && n > 9 && !strcmp(entry->d_name + n - 3, ".db");
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static aosa_status read_all(struct reading *reading, const char *folder, journal_fn fn)
{
    char path[4096];
    struct dirent **entries;
    const int n = scandir(folder, &entries, is_journal, compare_names);
    if (n < 0)
        return ao_fail(AOSA_ERR_INPUT, "%s: %s", folder, strerror(errno));
    aosa_status status =
        n ? AOSA_OK
          : ao_fail(AOSA_ERR_INPUT, "%s: holds no shard-I-of-N.db of aosa evaluate", folder);
    for (int i = 0; i < n; i++) {
        if (snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) >= (int)sizeof path)
            status = ao_fail(AOSA_ERR_INPUT, "%.200s...: the path is too long", folder);
        reading->path = path;
        if (status == AOSA_OK)
            status = read_journal(reading, fn);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* "2, 5 and 9 more" */
static aosa_status check_shards(const struct reading *reading, const char *folder)
{
    char list[128] = "";
    int n = 0;
    for (int i = 0; i < reading->shards; i++) {
        const size_t used = strlen(list);
        if (!reading->seen[i] && n++ < 5)
            snprintf(list + used, sizeof list - used, "%s%d", used ? ", " : "", i + 1);
    }
    if (n == 0 || reading->options->allow_missing)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_INPUT,
                   "%s: %d of %d shards are missing (%s%s); run them, or give --allow-missing",
                   folder, n, reading->shards, list, n > 5 ? ", ..." : "");
}

static int compare_results(const void *a, const void *b)
{
    const struct ao_result *p = a, *q = b;
    return p->method != q->method ? (p->method < q->method ? -1 : 1) : strcmp(p->clip, q->clip);
}

static aosa_status sort(struct ao_results *r)
{
    if (r->n > 0)
        qsort(r->results, r->n, sizeof *r->results, compare_results);
    for (size_t i = 1; i < r->n; i++)
        if (!compare_results(&r->results[i - 1], &r->results[i]))
            return ao_fail(AOSA_ERR_FORMAT, "merge: two shards hold '%s' by %s", r->results[i].clip,
                           r->methods[r->results[i].method]);
    return AOSA_OK;
}

aosa_status ao_results_read(struct ao_results *results, const char *folder,
                            const struct ao_evaluation_options *options)
{
    *results = (struct ao_results){ 0 };
    struct reading reading = { .results = results, .options = options };
    aosa_status status = read_all(&reading, folder, read_head);
    if (status == AOSA_OK)
        status = check_shards(&reading, folder);
    if (status == AOSA_OK)
        status = check_builds(&reading, folder);
    if (status == AOSA_OK)
        status = read_identity(results, folder);
    results->missing = results->clips * results->n_methods;
    if (status == AOSA_OK)
        status = read_all(&reading, folder, read_records);
    ao_free(reading.seen);
    return status == AOSA_OK ? sort(results) : status;
}

void ao_results_fini(struct ao_results *r)
{
    for (size_t i = 0; i < r->n; i++) {
        ao_free(r->results[i].clip);
        ao_free(r->results[i].label);
        ao_free(r->results[i].reason);
        ao_metric_answer_fini(&r->results[i].answer);
    }
    ao_free(r->results);
    ao_free(r->methods);
    json_decref(r->identity);
    ao_run_fini(&r->run);
    *r = (struct ao_results){ 0 };
}
