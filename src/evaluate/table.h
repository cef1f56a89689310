/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_TABLE_H
#define AO_EVALUATE_TABLE_H

#include "evaluate/bootstrap.h"
#include "evaluate/results.h"
#include "explain/page.h"

/* Results summed up: one cell for each method and value, in a fixed order. */

struct ao_cell {
    struct ao_interval interval;
    size_t n; /* clips for which the value is defined */
};

struct ao_table {
    const struct ao_results *results;
    char (*values)[AO_METRIC_NAME]; /* [n_values] names, in the order they are met */
    size_t n_values, capacity;
    struct ao_cell *cells; /* [n_methods][n_values] */
    size_t *done, *failed; /* [n_methods] */
};

/* Borrows the results. Ends with ao_table_fini, also after a failure. AOSA_ERR_NOMEM. */
aosa_status ao_table_init(struct ao_table *table, const struct ao_results *results, int resamples,
                          uint64_t seed);
void ao_table_fini(struct ao_table *table);

/* "lower", "higher" or "", by the metric of a value's name. */
const char *ao_table_better(const char *value);

/* As files: one row a method and value; a Markdown page; an object; mean curves; costs. */
void ao_table_csv(const struct ao_table *table, struct ao_page *page);
void ao_table_markdown(const struct ao_table *table, struct ao_page *page);
json_t *ao_table_json(const struct ao_table *table); /* NULL without memory */
aosa_status ao_table_curves(const struct ao_table *table, struct ao_page *page);
void ao_table_cost(const struct ao_table *table, struct ao_page *page);

#endif
