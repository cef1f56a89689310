/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_MODEL_H
#define AOSA_MODEL_H

#include "aosa/settings.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A network, its labels and its card. Thread class: immutable. */
typedef struct aosa_model aosa_model;

/**
 * Loads an ONNX file with its external data, folds it at fixed sizes and checks all of it.
 *
 * @param path      Borrowed. A card PATH.json beside it is read.
 * @param settings  Borrowed; NULL for defaults. Uses labels, frame sizes of free axes.
 * @param model     Owned by the caller; written on success only.
 * @return AOSA_ERR_INPUT, AOSA_ERR_FORMAT, AOSA_ERR_UNSUPPORTED (operator and node named),
 *         AOSA_ERR_NUMERIC (a weight that is no finite number), AOSA_ERR_SHAPE (labels),
 *         AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_model_open(const char *path,
                                                     const aosa_settings *settings,
                                                     aosa_model **model);

/** Accepts NULL inside; sets *model to NULL. Close clips' explanations first. */
AOSA_API void aosa_model_close(aosa_model **model);

/** Number of classes; 0 when the network is no clip classifier. */
AOSA_API int aosa_model_classes(const aosa_model *model);

/**
 * A page about a model file, also one that cannot run: inputs and outputs, operators, GMACs,
 * memory, what is unsupported and why. With the setting layer=list, the feature maps that the
 * setting can name instead.
 *
 * @param json  One JSON object instead of text for people.
 * @param text  Owned by the caller (aosa_text_free).
 * @return AOSA_ERR_INPUT, AOSA_ERR_FORMAT for files that are no ONNX models, AOSA_ERR_NOMEM;
 *         AOSA_ERR_UNSUPPORTED with *text written when the page lists what is missing.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_inspect(const char *path, const aosa_settings *settings,
                                                  bool json, char **text);

/**
 * One forward pass on arrays: reads `NAME=FILE.npy` bindings of every input (the name may be left
 * out when there is one input) and writes output0.npy, output1.npy, ... in the graph's order.
 *
 * @param bindings  Borrowed, n texts.
 * @param folder    Made if needed; old outputs are kept unless `force`.
 * @return AOSA_ERR_ARGUMENT (unknown or missing name), AOSA_ERR_SHAPE, AOSA_ERR_FORMAT,
 *         AOSA_ERR_INPUT, AOSA_ERR_OUTPUT, AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_run(const aosa_model *model,
                                              const aosa_settings *settings,
                                              const char *const *bindings, size_t n,
                                              const char *folder, bool force);

#ifdef __cplusplus
}
#endif
#endif
