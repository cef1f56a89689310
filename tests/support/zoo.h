/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_ZOO_H
#define AO_TESTS_SUPPORT_ZOO_H

#include "onnx/onnx.h"

/*
 * The model zoo of the reference data: real exports without their weights. The metadata of a
 * skeleton says how each weight is filled with pseudo-random numbers, which every language repeats
 * bit by bit (zoo/fill.py).
 */

/* Folder of the reference data: AOSA_SHARED, else ../shared; NULL, after one printed line, if it
 * is not there: then the test skips. */
const char *zoo_shared(void);

/* CRC-32 of zlib, which seeds pseudo-random tensors by their names. */
uint32_t zoo_crc32(const char *text);

/* Opens "<shared>/zoo/<name>.skeleton.onnx" with its weights in. */
aosa_status zoo_open(const char *name, struct ao_onnx_model **model);

/* Value set k (0 or 1) of the input `name`, as zoo.py makes it: n normal-like numbers. */
void zoo_input(int k, const char *name, int64_t n, float *values);

#endif
