/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_LABELS_H
#define AO_MODEL_LABELS_H

#include "core/status.h"

/*
 * Class names, one a line, in the order of the network's outputs; a trailing empty line and
 * carriage returns are ignored. AOSA_ERR_INPUT, AOSA_ERR_FORMAT (over 1 MiB, an empty or over-long
 * name, a zero byte). The caller frees with ao_labels_destroy.
 */
aosa_status ao_labels_read(const char *path, char ***labels, int *n);
void ao_labels_destroy(char ***labels, int n);

/* Index of a name: exact first, then ignoring case, spaces, '_' and '-' (Q25); -1 if there is none.
 */
int ao_labels_find(char *const *labels, int n, const char *name);

#endif
