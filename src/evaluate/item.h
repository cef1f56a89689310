/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_ITEM_H
#define AO_EVALUATE_ITEM_H

#include "evaluate/journal.h"
#include "evaluate/run.h"
#include "explain/explanation.h"

/* One clip of a run while methods go over it. */
struct ao_clip_work {
    const struct ao_run_plan *plan;
    const struct ao_item *item;
    const struct ao_metric *const *metrics; /* [n_metrics] those that the next map is scored by */
    int n_metrics;
    struct ao_scorer *scorer; /* NULL where no metric needs one */
    struct aosa_clip *clip;   /* NULL until it is opened */
    struct ao_truth truth;
    struct ao_flow_field *flow; /* of the first method that needed it, for the next ones */
    struct aosa_clip *partner;  /* of another class; NULL: none, or not needed */
    bool partner_sought;
    char target[256]; /* --target, with the class where that is `label` */
    const struct ao_progress *progress;
};

/* Reads the clip and its boxes, and finds its target. */
aosa_status ao_clip_work_open(struct ao_clip_work *work);
void ao_clip_work_close(struct ao_clip_work *work);

/*
 * Explains the clip by method `m` of the plan and scores the map by the metrics.
 *
 * @param record  Gets base, seconds, passes, memory and answer (ao_metric_answer_fini).
 * @return What went wrong; ao_item_can_fail tells whether that is this item's failure.
 */
aosa_status ao_clip_work_run(struct ao_clip_work *work, int m, struct ao_record *record);

/* Passes that method `m` would take on the clip, without those of metrics. */
aosa_status ao_clip_work_passes(struct ao_clip_work *work, int m, struct ao_passes *passes);

/* Whether a failure is of one item, to be recorded, or ends the run (memory, a wrong option). */
bool ao_item_can_fail(aosa_status status);

#endif
