/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ONNX_CANONICAL_H
#define AO_ONNX_CANONICAL_H

#include "onnx/import.h"

/* Inside of canonical.c and compose.c. */

/* Removes an attribute; false, or `initial`, if it is not there. */
bool ao_onnx_take_attr(struct ao_node *node, const char *name, struct ao_attr *attr);
int64_t ao_onnx_take_int(struct ao_node *node, const char *name, int64_t initial);

/* Makes a value the input of that index; those between are absent. AOSA_ERR_NOMEM. */
aosa_status ao_onnx_set_input(struct ao_onnx_import *import, struct ao_node *node, int index,
                              int32_t value);

/* Attribute `axes` becomes input 1. */
aosa_status ao_onnx_move_axes(struct ao_onnx_import *import, struct ao_node *node);

/* compose.c: each gives a node the form of set 21, perhaps with others in front of it. */
aosa_status ao_onnx_align_broadcast(struct ao_onnx_import *import, struct ao_node *node);
aosa_status ao_onnx_flatten_softmax(struct ao_onnx_import *import, struct ao_node *node);
aosa_status ao_onnx_chain_sum(struct ao_onnx_import *import, struct ao_node *node);
aosa_status ao_onnx_log_of_sum(struct ao_onnx_import *import, struct ao_node *node);
aosa_status ao_onnx_old_resize(struct ao_onnx_import *import, struct ao_node *node);
aosa_status ao_onnx_upsample(struct ao_onnx_import *import, struct ao_node *node);
aosa_status ao_onnx_old_group_norm(struct ao_onnx_import *import, struct ao_node *node);

#endif
