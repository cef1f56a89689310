/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_RECORD_H
#define AO_EVALUATE_RECORD_H

#include "core/sha256.h"
#include "evaluate/sql.h"
#include "metric/metric.h"

/* The rows of a journal: clips x methods and what metrics found. */

/* One clip x method, done or failed. Texts are borrowed where a record is written, and live during
 * the callback where it is read. */
struct ao_record {
    const char *clip;    /* id of the item */
    const char *method;  /* its name */
    const char *content; /* digest of the video; "" when it could not be read */
    const char *stamp;   /* written: of the video, or "" */
    const char *label;
    const char *reason; /* NULL: done; else why it failed */
    const char *const
        *metrics;      /* written: [n_metrics] that the answer is of, none after a failure */
    int n_metrics;     /* read: as many as have an answer */
    double base;       /* score of the clip that curves start from, NaN when it failed before */
    double seconds;    /* of the explanation, wall clock */
    double peak_bytes; /* of the process so far */
    int64_t forwards, backwards;    /* of the explanation */
    struct ao_metric_answer answer; /* read: empty after a failure */
};

/* Tables "item", "score" (a metric's answer is there, and the build that gave it), "value",
 * "curve", "source" (the videos). They name rows of "build" and "part". */
extern const char ao_record_schema[];

/* Inside the caller's transaction, for ao_journal_put. */
aosa_status ao_record_write(const struct ao_sql *sql, int64_t build, const struct ao_record *r);

/* For ao_journal_each. */
typedef aosa_status (*ao_record_fn)(void *context, const struct ao_record *record);
aosa_status ao_record_each(const struct ao_sql *sql, ao_record_fn fn, void *context);

#endif
