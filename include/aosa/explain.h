/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_EXPLAIN_H
#define AOSA_EXPLAIN_H

#include "aosa/mask.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An attribution method, what --method names. All strings are static. */
struct aosa_method_info {
    const char *name;
    const char *family;  /**< "occlusion", "gradient", "cam" or "control" */
    const char *summary; /**< one line */
    const char *source;  /**< where it is from */
    const char *mask;    /**< mask generator unless --mask names one; NULL: uses no masks */
};

/** Row `index` in *info; false past the last. Rows of a family follow each other. Thread class:
 * any. */
AOSA_API bool aosa_method_at(size_t index, struct aosa_method_info *info);

/** Whether method `index` makes use of an option, so that giving it to another is an error. */
AOSA_API bool aosa_method_uses(size_t index, const struct aosa_option_info *option);

/**
 * What can be chosen, as text: "methods", "masks", "stacks", "flows", "presets", "colormaps",
 * "metrics" or "datasets".
 *
 * @param topic  NULL for all of them.
 * @param json   One JSON object instead of text for people.
 * @param text   Owned by the caller (aosa_text_free). AOSA_ERR_ARGUMENT, AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_list(const char *topic, bool json, char **text);

/** The maps of every target, and the scores of every mask. Thread class: immutable. */
typedef struct aosa_explanation aosa_explanation;

/**
 * Explains why the model gives a clip its class, by the method that the settings name: flow and
 * masks where it needs them, its forward and backward passes, maps.
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

/**
 * Score under each mask, float [N], f(x m_i), exact or estimated as the method does; *n gets N.
 * NULL and 0 for a method without masks.
 */
AOSA_API const float *aosa_explanation_scores(const aosa_explanation *explanation, int k,
                                              size_t *n);

/** Raw signed map A of target k, float [T][H][W]: high where the class is seen. */
AOSA_API const float *aosa_explanation_map(const aosa_explanation *explanation, int k);

/** The same for display: 0 to 255, 127.5 neutral. */
AOSA_API const float *aosa_explanation_normalised(const aosa_explanation *explanation, int k);

/** What the user should know about the result, one line; "" for nothing. Lives with it. */
AOSA_API const char *aosa_explanation_warning(const aosa_explanation *explanation);

/**
 * Writes map.npy, map_normalised.npy, scores.npy (with masks), result.json, overlay.mp4 and
 * grid.png, and the arrays named in `save`, all or nothing.
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
 * Explains a clip by several methods and puts them side by side: the result of each in
 * FOLDER/METHOD as aosa_explanation_save writes it, sheet.png (sheet.0.png, ... for several
 * targets) with a row for each, compare.json with their passes and seconds. Methods share the
 * optical flow. An option that some of them do not use is left out for those.
 *
 * Results of methods that are done stay when a later one fails or is stopped; one that the model
 * cannot be explained by (an operator without a backward) is listed with the reason.
 *
 * @param methods  Names of methods, or of families in the plural: "aosa,cams"; NULL for all.
 * @param json     *text gets the object of compare.json instead of a line a method.
 * @param text     Owned by the caller (aosa_text_free).
 * @return As aosa_explain and aosa_explanation_save; AOSA_ERR_UNSUPPORTED when no method works.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_compare(const aosa_model *model, const aosa_clip *clip,
                                                  const aosa_settings *settings,
                                                  const char *methods, aosa_progress_fn progress,
                                                  void *user, const char *folder, bool json,
                                                  bool force, char **text);

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
