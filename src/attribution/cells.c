/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/cells.h"

#include <stdlib.h>

/* "4x7x7": three whole numbers without sign or space. */
static bool parse(const char *text, int cells[3])
{
    for (int d = 0; d < 3; d++) {
        char *end;
        if (*text < '0' || *text > '9')
            return false;
        const long value = strtol(text, &end, 10);
        if (value > 1000000 || *end != (d < 2 ? 'x' : '\0'))
            return false;
        cells[d] = (int)value;
        text = end + 1;
    }
    return true;
}

aosa_status ao_cells_parse(const struct ao_attribution *a, const int usual[3], int cells[3])
{
    const int size[3] = { a->model->T, a->model->H, a->model->W };
    const char *text = a->options->cells;
    if (!text || !*text) {
        for (int d = 0; d < 3; d++)
            cells[d] = usual[d] < size[d] ? usual[d] : size[d];
        return AOSA_OK;
    }
    if (!parse(text, cells))
        return ao_fail(AOSA_ERR_ARGUMENT, "--cells: '%s' is not frames x rows x columns, as 4x7x7",
                       text);
    for (int d = 0; d < 3; d++)
        if (cells[d] < 1 || cells[d] > size[d])
            return ao_fail(AOSA_ERR_ARGUMENT, "--cells: %s, the clip is %dx%dx%d; take 1 to that",
                           text, size[0], size[1], size[2]);
    return AOSA_OK;
}
