/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ONNX_MESSAGE_H
#define AO_ONNX_MESSAGE_H

#include <stdbool.h>

#include "core/arena.h"
#include "core/status.h"
#include "onnx/field.h"
#include "onnx/onnx_subset.pb.h"

#define AO_ONNX_MAX_NAME 4096
#define AO_ONNX_MAX_DEPTH 32 /* messages inside messages; If branches count three each */

/*
 * Reads the bytes of a model into the messages of onnx_subset.proto. Nothing is copied but
 * packed numbers: texts and raw tensor data point into `bytes`, which must outlive the messages.
 * Guaranteed afterwards: nesting and number of messages are bounded, singular fields are given
 * once, every string is valid UTF-8 of at most AO_ONNX_MAX_NAME bytes without control characters.
 * AOSA_ERR_FORMAT when that does not hold, AOSA_ERR_NOMEM over the arena's budget.
 */
aosa_status ao_onnx_read_model(struct ao_arena *arena, const void *bytes, size_t size,
                               const ao_onnx_Model **model);

bool ao_onnx_text_is(const struct ao_onnx_text *text, const char *word);
bool ao_onnx_text_equal(const struct ao_onnx_text *a, const struct ao_onnx_text *b);

/* Valid UTF-8 without control characters: fit for messages and as a C string. */
bool ao_onnx_text_is_plain(const struct ao_onnx_text *text);

/* For printf's "%.*s": at most 200 bytes of the text, "" when absent. */
#define AO_ONNX_TEXT(t) (int)((t)->size < 200 ? (t)->size : 200), (t)->bytes ? (t)->bytes : ""

#endif
