/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/table.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"

static size_t find_value(const struct ao_table *table, const char *name)
{
    size_t i = 0;
    while (i < table->n_values && strcmp(table->values[i], name))
        i++;
    return i;
}

static aosa_status collect_names(struct ao_table *table)
{
    const struct ao_results *r = table->results;
    for (size_t i = 0; i < r->n; i++)
        for (size_t v = 0; v < r->results[i].answer.n_values; v++) {
            const char *name = r->results[i].answer.values[v].name;
            if (find_value(table, name) < table->n_values)
                continue;
            void *names = table->values;
            if (!ao_grow(&names, &table->capacity, table->n_values, sizeof *table->values))
                return ao_fail(AOSA_ERR_NOMEM, "table: no memory for its columns");
            table->values = names;
            memcpy(table->values[table->n_values++], name, AO_METRIC_NAME);
        }
    return AOSA_OK;
}

/* Values of that name by that method that are numbers, in the order of the clips. */
static size_t gather(const struct ao_results *r, int method, const char *name, double *values)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct ao_metric_answer *answer = &r->results[i].answer;
        for (size_t v = 0; r->results[i].method == method && v < answer->n_values; v++)
            if (!strcmp(answer->values[v].name, name) && !isnan(answer->values[v].value))
                values[n++] = answer->values[v].value;
    }
    return n;
}

static aosa_status fill_cells(struct ao_table *table, int resamples, uint64_t seed)
{
    const struct ao_results *r = table->results;
    double *values = ao_alloc(r->n + 1, sizeof *values);
    aosa_status status = values ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "table: no memory");
    for (int m = 0; m < r->n_methods; m++)
        for (size_t v = 0; status == AOSA_OK && v < table->n_values; v++) {
            struct ao_cell *cell = &table->cells[(size_t)m * table->n_values + v];
            cell->n = gather(r, m, table->values[v], values);
            status = ao_bootstrap_mean(values, cell->n, resamples, seed, &cell->interval);
        }
    ao_free(values);
    return status;
}

aosa_status ao_table_init(struct ao_table *table, const struct ao_results *results, int resamples,
                          uint64_t seed)
{
    *table = (struct ao_table){ .results = results };
    const size_t n = (size_t)results->n_methods;
    AO_TRY(collect_names(table));
    table->cells = ao_alloc(n * table->n_values + 1, sizeof *table->cells);
    table->done = ao_alloc(n, sizeof *table->done);
    table->failed = ao_alloc(n, sizeof *table->failed);
    if (!table->cells || !table->done || !table->failed)
        return ao_fail(AOSA_ERR_NOMEM, "table: no memory for %zu methods", n);
    for (size_t i = 0; i < results->n; i++)
        ++*(results->results[i].reason ? &table->failed[results->results[i].method]
                                       : &table->done[results->results[i].method]);
    return fill_cells(table, resamples, seed);
}

void ao_table_fini(struct ao_table *table)
{
    ao_free(table->values);
    ao_free(table->cells);
    ao_free(table->done);
    ao_free(table->failed);
    *table = (struct ao_table){ 0 };
}

const char *ao_table_better(const char *value)
{
    char metric[AO_METRIC_NAME];
    snprintf(metric, sizeof metric, "%.*s", (int)strcspn(value, "."), value);
    const struct ao_metric *found = ao_metric_find(metric);
    return found ? found->better : "";
}
