/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_TABLE_H
#define AO_EVALUATE_TABLE_H

#include "evaluate/bootstrap.h"
#include "evaluate/curves.h"
#include "evaluate/paired.h"
#include "evaluate/results.h"
#include "explain/page.h"

/*
 * Results summed up, in an order that the shards have no part in: methods as the run names them,
 * values by metrics.def and as they are met, clips and classes by their bytes.
 *
 * A value that is not a number is one that is not defined for the clip (no boxes, a constant map).
 * It is left out of the method's mean, interval and number of clips, of its class, and of the tests
 * against other methods, which compare the clips that both have. So are clips that failed.
 */

struct ao_cell {
    struct ao_interval interval; /* over clips */
    size_t n;                    /* clips for which the value is defined */
    double macro;                /* mean over classes of their means; NaN for none */
    size_t n_classes;            /* classes with such a clip */
};

struct ao_class_cell {
    size_t n;
    double mean; /* NaN for n = 0 */
};

/* Two methods on one value. */
struct ao_test {
    size_t value;
    int a, b;                      /* methods, a before b */
    size_t n;                      /* clips for which both have it */
    struct ao_interval difference; /* of a - b, over clips */
    struct ao_wilcoxon wilcoxon;
    double p_holm; /* over the pairs of methods of this value */
};

struct ao_table {
    const struct ao_results *results;
    char (*values)[AO_METRIC_NAME]; /* [n_values] */
    size_t n_values, capacity;
    const char **clips; /* [n_clips] that any method has a record of, done or failed */
    size_t n_clips;
    const char **classes; /* [n_classes] their labels */
    size_t n_classes;
    size_t *class_of;               /* [n_clips] */
    double *data;                   /* [n_methods][n_values][n_clips], NaN where not defined */
    struct ao_cell *cells;          /* [n_methods][n_values] */
    struct ao_class_cell *by_class; /* [n_methods][n_values][n_classes] */
    struct ao_test *tests;          /* [n_tests] by value, a, b */
    size_t n_tests;
    struct ao_mean_curves curves;
    size_t *done, *failed; /* [n_methods] */
};

/* Borrows the results. Ends with ao_table_fini, also after a failure. AOSA_ERR_NOMEM. */
aosa_status ao_table_init(struct ao_table *table, const struct ao_results *results, int resamples,
                          uint64_t seed);
void ao_table_fini(struct ao_table *table);

const struct ao_cell *ao_table_cell(const struct ao_table *table, int m, size_t v);

/* Items of a method that no journal has. */
int64_t ao_table_missing(const struct ao_table *table, int m);

/* The test of two methods in either order; NULL for a method and itself. */
const struct ao_test *ao_table_test(const struct ao_table *table, size_t v, int a, int b);

/* The method with the best mean of a value, the first of several; -1 where neither is better. */
int ao_table_best(const struct ao_table *table, size_t v);

/* As CSV: a row for each method and value; for each class too; for each pair of methods and value;
 * for each point of a curve; for each method what it cost. */
void ao_table_csv(const struct ao_table *table, struct ao_page *page);
void ao_table_classes_csv(const struct ao_table *table, struct ao_page *page);
void ao_table_tests_csv(const struct ao_table *table, struct ao_page *page);
void ao_table_curves_csv(const struct ao_table *table, struct ao_page *page);
void ao_table_cost_csv(const struct ao_table *table, struct ao_page *page);

/* The page that people read. */
void ao_table_markdown(const struct ao_table *table, struct ao_page *page);

/* All of it but curves and costs; NULL without memory. */
json_t *ao_table_json(const struct ao_table *table);

#endif
