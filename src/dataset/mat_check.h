/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATASET_MAT_CHECK_H
#define AO_DATASET_MAT_CHECK_H

#include "core/status.h"

/*
 * Whether a MAT-file may be handed to libmatio, whose reader has had many holes: version 5, little
 * endian, made of structs, characters and real numbers of rank 2 only, nested as deep as
 * annotations are, every length inside its parent, every array as many bytes as its dimensions
 * say, and sizes, also when inflated, within bounds. AOSA_ERR_FORMAT names path and byte;
 * AOSA_ERR_INPUT, AOSA_ERR_NOMEM.
 */
aosa_status ao_mat_check(const char *path);

#endif
