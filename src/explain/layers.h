/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EXPLAIN_LAYERS_H
#define AO_EXPLAIN_LAYERS_H

#include "explain/page.h"
#include "model/model.h"

/*
 * The feature maps that --layer can name (attribution/layer.h), an array of objects: index, node,
 * value, operator, shape [C,t,h,w], whole, default. NULL without memory.
 */
json_t *ao_layers_json(const struct aosa_model *model);

/* The same for people, one line each. */
void ao_layers_page(struct ao_page *page, const json_t *layers);

#endif
