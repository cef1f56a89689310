/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

/* --- columns: names, clips, classes --------------------------------------------------------------
 */

/* Index of a name; `guess` is looked at first, since records mostly hold the same names. */
static size_t find_value(const struct ao_table *table, const char *name, size_t guess)
{
    if (guess < table->n_values && !strcmp(table->values[guess], name))
        return guess;
    size_t i = 0;
    while (i < table->n_values && strcmp(table->values[i], name))
        i++;
    return i;
}

/* Row of metrics.def that a value is of, or one beyond the last. */
static int metric_of(const char *value)
{
    int n, i = 0;
    const struct ao_metric *rows = ao_metrics(&n);
    const size_t length = strcspn(value, ".");
    while (i < n && (strncmp(rows[i].name, value, length) || rows[i].name[length]))
        i++;
    return i;
}

/* Into the order of metrics.def; values of one metric stay as they were met. */
static void sort_names(struct ao_table *table)
{
    for (size_t i = 1; i < table->n_values; i++)
        for (size_t k = i; k > 0; k--) {
            char *before = table->values[k - 1], *after = table->values[k], kept[AO_METRIC_NAME];
            if (metric_of(before) <= metric_of(after))
                break;
            memcpy(kept, before, sizeof kept);
            memcpy(before, after, sizeof kept);
            memcpy(after, kept, sizeof kept);
        }
}

static aosa_status collect_names(struct ao_table *table)
{
    const struct ao_results *r = table->results;
    for (size_t i = 0; i < r->n; i++)
        for (size_t v = 0; v < r->results[i].answer.n_values; v++) {
            const char *name = r->results[i].answer.values[v].name;
            if (find_value(table, name, v) < table->n_values)
                continue;
            void *names = table->values;
            if (!ao_grow(&names, &table->capacity, table->n_values, sizeof *table->values))
                return ao_fail(AOSA_ERR_NOMEM, "table: no memory for its columns");
            table->values = names;
            memcpy(table->values[table->n_values++], name, AO_METRIC_NAME);
        }
    sort_names(table);
    return AOSA_OK;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts n texts by their bytes and drops those that are there twice; answers how many are left. */
static size_t sort_unique(const char **texts, size_t n)
{
    size_t kept = 0;
    qsort(texts, n, sizeof *texts, compare_texts);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(texts[i], texts[kept - 1]))
            texts[kept++] = texts[i];
    return kept;
}

static size_t find_text(const char *const *texts, size_t n, const char *text)
{
    const char *const *found = bsearch(&text, texts, n, sizeof *texts, compare_texts);
    return (size_t)(found - texts);
}

static aosa_status collect_clips(struct ao_table *table)
{
    const struct ao_results *r = table->results;
    table->clips = ao_alloc(r->n + 1, sizeof *table->clips);
    table->classes = ao_alloc(r->n + 1, sizeof *table->classes);
    table->class_of = ao_alloc(r->n + 1, sizeof *table->class_of);
    if (!table->clips || !table->classes || !table->class_of)
        return ao_fail(AOSA_ERR_NOMEM, "table: no memory for %zu records", r->n);
    for (size_t i = 0; i < r->n; i++) {
        table->clips[i] = r->results[i].clip;
        table->classes[i] = r->results[i].label;
    }
    table->n_clips = sort_unique(table->clips, r->n);
    table->n_classes = sort_unique(table->classes, r->n);
    for (size_t i = 0; i < r->n; i++)
        table->class_of[find_text(table->clips, table->n_clips, r->results[i].clip)] =
            find_text(table->classes, table->n_classes, r->results[i].label);
    return AOSA_OK;
}

/* --- data ----------------------------------------------------------------------------------------
 */

/* [n_clips] of a method and value. */
static double *row_at(const struct ao_table *table, int m, size_t v)
{
    return table->data + ((size_t)m * table->n_values + v) * table->n_clips;
}

static void read_answers(struct ao_table *table)
{
    const struct ao_results *r = table->results;
    const size_t n = (size_t)r->n_methods * table->n_values * table->n_clips;
    for (size_t i = 0; i < n; i++)
        table->data[i] = (double)NAN;
    for (size_t i = 0; i < r->n; i++) {
        const struct ao_result *result = &r->results[i];
        const size_t clip = find_text(table->clips, table->n_clips, result->clip);
        for (size_t v = 0; v < result->answer.n_values; v++) {
            const struct ao_metric_value *value = &result->answer.values[v];
            if (isfinite(value->value))
                row_at(table, result->method, find_value(table, value->name, v))[clip] =
                    value->value;
        }
    }
}

static void sum_up_classes(const struct ao_table *table, const double *row, struct ao_cell *cell,
                           struct ao_class_cell *classes)
{
    for (size_t i = 0; i < table->n_clips; i++)
        if (!isnan(row[i])) {
            struct ao_class_cell *class = &classes[table->class_of[i]];
            class->mean += row[i];
            class->n++;
        }
    for (size_t c = 0; c < table->n_classes; c++) {
        classes[c].mean = classes[c].n ? classes[c].mean / (double)classes[c].n : (double)NAN;
        if (classes[c].n) {
            cell->macro += classes[c].mean;
            cell->n_classes++;
        }
    }
    cell->macro = cell->n_classes ? cell->macro / (double)cell->n_classes : (double)NAN;
}

/* Numbers among a row, less those of another where it is given and has one too. */
static size_t gather(const double *row, const double *less, size_t n, double *values)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(row[i]) && !(less && isnan(less[i])))
            values[kept++] = row[i] - (less ? less[i] : 0);
    return kept;
}

struct resampling {
    int resamples;
    uint64_t seed;
    double *values; /* [n_clips] */
};

static aosa_status fill_cells(struct ao_table *table, const struct resampling *r)
{
    for (int m = 0; m < table->results->n_methods; m++)
        for (size_t v = 0; v < table->n_values; v++) {
            const size_t at = (size_t)m * table->n_values + v;
            struct ao_cell *cell = &table->cells[at];
            sum_up_classes(table, row_at(table, m, v), cell,
                           &table->by_class[at * table->n_classes]);
            cell->n = gather(row_at(table, m, v), NULL, table->n_clips, r->values);
            AO_TRY(ao_bootstrap_mean(r->values, cell->n, r->resamples, r->seed, &cell->interval));
        }
    return AOSA_OK;
}

/* The pairs of one value. */
static aosa_status test_value(struct ao_table *table, const struct resampling *r, size_t v,
                              struct ao_test *tests, double *p)
{
    const int n_methods = table->results->n_methods;
    size_t n = 0;
    for (int a = 0; a < n_methods; a++)
        for (int b = a + 1; b < n_methods; b++) {
            struct ao_test *test = &tests[n];
            *test = (struct ao_test){ .value = v, .a = a, .b = b };
            test->n = gather(row_at(table, a, v), row_at(table, b, v), table->n_clips, r->values);
            AO_TRY(ao_bootstrap_mean(r->values, test->n, r->resamples, r->seed, &test->difference));
            AO_TRY(ao_wilcoxon_test(r->values, test->n, &test->wilcoxon));
            p[n++] = test->wilcoxon.p;
        }
    AO_TRY(ao_holm_adjust(p, n, p));
    for (size_t i = 0; i < n; i++)
        tests[i].p_holm = p[i];
    return AOSA_OK;
}

static size_t pairs_of(const struct ao_table *table)
{
    const size_t n = (size_t)table->results->n_methods;
    return n * (n - 1) / 2;
}

static aosa_status run_tests(struct ao_table *table, const struct resampling *r)
{
    const size_t pairs = pairs_of(table);
    double *p = ao_alloc(pairs + 1, sizeof *p);
    aosa_status status =
        p ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "table: no memory for %zu pairs", pairs);
    for (size_t v = 0; status == AOSA_OK && v < table->n_values; v++)
        status = test_value(table, r, v, table->tests + v * pairs, p);
    ao_free(p);
    return status;
}

static aosa_status allocate(struct ao_table *table)
{
    const size_t n = (size_t)table->results->n_methods, cells = n * table->n_values;
    size_t count, classes;
    table->n_tests = pairs_of(table) * table->n_values;
    if (!ao_size_mul(cells, table->n_clips, &count) ||
        !ao_size_mul(cells, table->n_classes, &classes))
        return ao_fail(AOSA_ERR_NOMEM, "table: %zu values of %zu clips are too many", cells,
                       table->n_clips);
    table->data = ao_alloc_raw(count + 1, sizeof *table->data);
    table->cells = ao_alloc(cells + 1, sizeof *table->cells);
    table->by_class = ao_alloc(classes + 1, sizeof *table->by_class);
    table->tests = ao_alloc(table->n_tests + 1, sizeof *table->tests);
    table->done = ao_alloc(n, sizeof *table->done);
    table->failed = ao_alloc(n, sizeof *table->failed);
    if (!table->data || !table->cells || !table->by_class || !table->tests || !table->done ||
        !table->failed)
        return ao_fail(AOSA_ERR_NOMEM, "table: no memory for %zu values of %zu clips", cells,
                       table->n_clips);
    return AOSA_OK;
}

aosa_status ao_table_init(struct ao_table *table, const struct ao_results *results, int resamples,
                          uint64_t seed)
{
    *table = (struct ao_table){ .results = results };
    AO_TRY(collect_names(table));
    AO_TRY(collect_clips(table));
    AO_TRY(allocate(table));
    for (size_t i = 0; i < results->n; i++)
        ++*(results->results[i].reason ? &table->failed[results->results[i].method]
                                       : &table->done[results->results[i].method]);
    read_answers(table);
    struct resampling r = { resamples, seed, ao_alloc(table->n_clips + 1, sizeof(double)) };
    aosa_status status = r.values ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "table: no memory");
    if (status == AOSA_OK)
        status = fill_cells(table, &r);
    if (status == AOSA_OK)
        status = run_tests(table, &r);
    ao_free(r.values);
    return status == AOSA_OK ? ao_mean_curves_init(&table->curves, results, resamples, seed)
                             : status;
}

void ao_table_fini(struct ao_table *table)
{
    ao_mean_curves_fini(&table->curves);
    ao_free(table->values);
    ao_free(table->clips);
    ao_free(table->classes);
    ao_free(table->class_of);
    ao_free(table->data);
    ao_free(table->cells);
    ao_free(table->by_class);
    ao_free(table->tests);
    ao_free(table->done);
    ao_free(table->failed);
    *table = (struct ao_table){ 0 };
}

/* --- questions -----------------------------------------------------------------------------------
 */

const struct ao_cell *ao_table_cell(const struct ao_table *table, int m, size_t v)
{
    return &table->cells[(size_t)m * table->n_values + v];
}

int64_t ao_table_missing(const struct ao_table *table, int m)
{
    return table->results->clips - (int64_t)(table->done[m] + table->failed[m]);
}

const struct ao_test *ao_table_test(const struct ao_table *table, size_t v, int a, int b)
{
    const size_t pairs = pairs_of(table);
    for (size_t i = 0; i < pairs; i++) {
        const struct ao_test *test = &table->tests[v * pairs + i];
        if ((test->a == a && test->b == b) || (test->a == b && test->b == a))
            return test;
    }
    return NULL;
}

int ao_table_best(const struct ao_table *table, size_t v)
{
    const char *better = ao_metric_better(table->values[v]);
    const double sign = *better == 'l' ? -1 : 1;
    int best = -1;
    double most = 0;
    for (int m = 0; *better && m < table->results->n_methods; m++) {
        const double mean = sign * ao_table_cell(table, m, v)->interval.mean;
        if (!isnan(mean) && (best < 0 || mean > most)) {
            best = m;
            most = mean;
        }
    }
    return best;
}
