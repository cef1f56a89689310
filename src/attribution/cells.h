/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_CELLS_H
#define AO_ATTRIBUTION_CELLS_H

#include "attribution/method.h"

/*
 * Parses --cells, "4x7x7": cells along t, y and x of the clip (before there is one, of what the
 * model takes). NULL or "": `usual`, cut to the clip's size. AOSA_ERR_ARGUMENT for what is not
 * three numbers or, on an axis, not from 1 to the clip's size.
 */
aosa_status ao_cells_parse(const struct ao_attribution *attribution, const int usual[3],
                           int cells[3]);

#endif
