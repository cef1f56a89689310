/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EXPLAIN_INSPECT_H
#define AO_EXPLAIN_INSPECT_H

#include "core/json.h"
#include "explain/page.h"
#include "model/model.h"

/* Parts of aosa_inspect: the JSON of each and its lines on the page. */

/* [{"name": "slow", "shape": [1,3,8,224,224], "layout": "[N,3,T,H,W]", "frames": [0, 4, ...]}] */
json_t *ao_feeds_json(const struct aosa_model *model);
void ao_page_feeds(struct ao_page *page, const json_t *feeds);

/* [{"extents": "16x56x56", "nodes": 4, "gmacs": 24.1}]: the work where feature maps have one size,
 * in order of appearance; "other" for values without positions. */
json_t *ao_resolutions_json(const struct ao_graph *graph);
void ao_page_resolutions(struct ao_page *page, const json_t *resolutions);

#endif
