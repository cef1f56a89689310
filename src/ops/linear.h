/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_LINEAR_H
#define AO_OPS_LINEAR_H

#include <stdbool.h>

/* node->params of Gemm: y = alpha A' B' + beta C, primes are the transposes asked for. */
struct ao_gemm_params {
    double alpha, beta;
    bool trans_a, trans_b;
};

#endif
