/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_EXPLAIN_H
#define AOSA_EXPLAIN_H

#include "aosa/mask.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Scores of every mask and the maps made of them. Thread class: immutable. */
typedef struct aosa_explanation aosa_explanation;

/**
 * Explains why the model gives a clip its class: flow, masks, one forward per mask, map
 * (arXiv 2207.12859, section 3).
 *
 * @param model, clip  Borrowed for the explanation's life.
 * @param settings     Borrowed for the call; NULL for all defaults.
 * @param progress     Called from this thread; may be NULL.
 * @param explanation  Owned by the caller; written on success only.
 * @return AOSA_ERR_ARGUMENT (target, masks), AOSA_ERR_SHAPE (clip and model), AOSA_ERR_NUMERIC,
 *         AOSA_ERR_UNSUPPORTED, AOSA_ERR_CANCELLED, AOSA_ERR_NOMEM, AOSA_ERR_INTERNAL.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_explain(const aosa_model *model, const aosa_clip *clip,
                                                  const aosa_settings *settings,
                                                  aosa_progress_fn progress, void *user,
                                                  aosa_explanation **explanation);

/** Accepts NULL inside; sets *explanation to NULL. */
AOSA_API void aosa_explanation_destroy(aosa_explanation **explanation);

/** Number of targets: 1 unless --target asked for several (top3). */
AOSA_API int aosa_explanation_targets(const aosa_explanation *explanation);

/** Score of the clip itself for target k: f(x). */
AOSA_API double aosa_explanation_base(const aosa_explanation *explanation, int k);

/** Score under each mask, float [N], f(x m_i); *n gets N. */
AOSA_API const float *aosa_explanation_scores(const aosa_explanation *explanation, int k,
                                              size_t *n);

/** Raw signed map A of target k, float [T][H][W]: high where the class is seen. */
AOSA_API const float *aosa_explanation_map(const aosa_explanation *explanation, int k);

/** The same for display: 0 to 255, 127.5 neutral. */
AOSA_API const float *aosa_explanation_normalised(const aosa_explanation *explanation, int k);

/**
 * Writes map.npy, map_normalised.npy, scores.npy, result.json, overlay.mp4 and grid.png, and the
 * arrays named in `save`, all or nothing.
 *
 * @param folder  Made if needed.
 * @param save    "clip,flow,tracks,masks" or part of it, or NULL.
 * @param force   Replace an older result.
 * @return AOSA_ERR_OUTPUT, AOSA_ERR_ARGUMENT, AOSA_ERR_NOMEM; nothing is left behind then.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_explanation_save(const aosa_explanation *explanation,
                                                           const char *folder, const char *save,
                                                           bool force);

/**
 * Whether a result could be written to a folder now: it can be made and written, and holds no
 * older result unless `force`. Leaves nothing behind. AOSA_ERR_OUTPUT, AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_output_check(const char *folder, bool force);

/**
 * An explanation as text: the object of result.json, or one line a target for people.
 *
 * @param text  Owned by the caller (aosa_text_free). AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_explanation_text(const aosa_explanation *explanation,
                                                           bool json, char **text);

/**
 * What aosa_explain would do and cost: masks, GMACs, memory, and the time estimated from one
 * measured batch. Same errors as aosa_explain.
 *
 * @param json  One JSON object instead of text for people.
 * @param text  Owned by the caller (aosa_text_free).
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_explain_plan(const aosa_model *model,
                                                       const aosa_clip *clip,
                                                       const aosa_settings *settings, bool json,
                                                       char **text);

/**
 * Class probabilities of a clip.
 *
 * @param probabilities  Caller's buffer, float [classes], softmax of the outputs.
 * @return As aosa_explain.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_predict(const aosa_model *model, const aosa_clip *clip,
                                                  const aosa_settings *settings,
                                                  float *probabilities);

/**
 * A prediction as a page: the top 5 with labels, and how the clip was fed.
 *
 * @param text  Owned by the caller (aosa_text_free).
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_prediction_text(const aosa_model *model,
                                                          const aosa_clip *clip,
                                                          const float *probabilities, bool json,
                                                          char **text);

#ifdef __cplusplus
}
#endif
#endif
