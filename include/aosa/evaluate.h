/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_EVALUATE_H
#define AOSA_EVALUATE_H

#include "aosa/model.h"
#include "aosa/settings.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a call of aosa_evaluate did. */
struct aosa_evaluation {
    size_t items;        /**< clips x methods of this shard */
    size_t skipped;      /**< that were done, or had failed, before */
    size_t done;         /**< now */
    size_t failed;       /**< now; the journal holds the reasons */
    size_t boxes_unused; /**< boxes of videos that are not in the list, or of other classes */
    size_t other_builds; /**< scores that another version or instruction set gave before */
};

/**
 * Scores explanations over a dataset: every clip by every method, every map by every metric. The
 * settings name the dataset and the shard.
 *
 * Results go into FOLDER/shard-I-of-N.db, an SQLite file, one transaction for each clip and method.
 * A run that was stopped or killed goes on where it was, also on another machine; methods and
 * metrics may join it later. An item that fails is recorded with the reason and does not end the
 * run.
 *
 * @param methods     Names of methods, or of families in the plural; NULL for all.
 * @param metrics     Names of metrics with commas; NULL for all but those that take long.
 * @param folder      Made if needed.
 * @param force       Replaces a journal that cannot be gone on with: of another run or version, or
 *                    damaged. One that fits is kept.
 * @param progress    Called with stage "items" between items, with another within one. To answer
 *                    false between items loses nothing; within one, that item starts again.
 * @param evaluation  Caller's; written also when the run stops early.
 * @return AOSA_ERR_ARGUMENT (options; the folder holds another run, results of another version, or
 *         another number of shards), AOSA_ERR_INPUT and
 *         AOSA_ERR_FORMAT (lists and boxes, a damaged journal), AOSA_ERR_OUTPUT (another process
 *         has the shard, a full disk), AOSA_ERR_CANCELLED, AOSA_ERR_UNSUPPORTED, AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_evaluate(const aosa_model *model,
                                                   const aosa_settings *settings,
                                                   const char *methods, const char *metrics,
                                                   const char *folder, bool force,
                                                   aosa_progress_fn progress, void *user,
                                                   struct aosa_evaluation *evaluation);

/**
 * What aosa_evaluate would do: clips, items that are done and to be done, and the passes that each
 * method takes on the first clip. Writes nothing and looks at no other video.
 *
 * @param folder  May be NULL: nothing is done yet.
 * @param json    *text gets one JSON object instead of lines.
 * @param text    Owned by the caller (aosa_text_free).
 * @return As aosa_evaluate.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_evaluate_plan(const aosa_model *model,
                                                        const aosa_settings *settings,
                                                        const char *methods, const char *metrics,
                                                        const char *folder, bool json, char **text);

/**
 * One table of all shards of a run: table.md for people, table.csv, classes.csv, tests.csv,
 * curves.csv, table.json (with failures, without curves) and a picture of every mean curve,
 * curve.NAME.png. Their bytes do not depend on the number of shards; those of cost.csv (seconds,
 * memory, passes) do. All or nothing.
 *
 * Every value gets its mean over clips with a bootstrap confidence interval of 95 %, the number of
 * clips it is defined for and the mean over classes of their means; every pair of methods gets
 * Wilcoxon's signed-rank test over the clips that both have, with Holm's correction.
 *
 * @param settings  Borrowed; NULL for defaults. Uses resamples, seed, allow-missing.
 * @param folder    Where aosa_evaluate wrote.
 * @param output    Made if needed; an older table is kept unless `force`.
 * @param json      *text gets table.json instead of table.md.
 * @param text      Owned by the caller (aosa_text_free).
 * @return AOSA_ERR_INPUT (no journals; shards or items missing, unless allow-missing),
 *         AOSA_ERR_FORMAT, AOSA_ERR_ARGUMENT (journals of several runs), AOSA_ERR_OUTPUT (a shard
 *         is being written), AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_merge(const aosa_settings *settings, const char *folder,
                                                const char *output, bool force, bool json,
                                                char **text);

/** Clips that aosa_demo_bench writes where the settings do not say. */
#define AOSA_DEMO_BENCH_CLIPS 200

/**
 * Writes rendered clips with true boxes as a dataset in UCF-101's layout, on which a whole
 * comparison runs offline with the bundled network: FOLDER/CLASS/v_CLASS_gGG_c01.mp4 (224 x 224, 16
 * frames), FOLDER/ucfTrainTestlist and FOLDER/boxes.csv, all or nothing. Ten classes of motion in
 * turn; the same seed gives the same clips, and a larger number of clips continues a smaller one.
 *
 * @param settings  Borrowed; NULL for defaults. Uses clips and seed (of the first clip; the next
 *                  ones follow it).
 * @param folder    Made if needed; an older dataset is kept unless `force`.
 * @param progress  Called with stage "clips"; may be NULL.
 * @return AOSA_ERR_OUTPUT, AOSA_ERR_UNSUPPORTED (no encoder), AOSA_ERR_CANCELLED, AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_demo_bench(const aosa_settings *settings,
                                                     const char *folder, bool force,
                                                     aosa_progress_fn progress, void *user);

#ifdef __cplusplus
}
#endif
#endif
