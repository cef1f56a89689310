/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_ONEDNN_CONV_H
#define AO_ENGINE_ONEDNN_CONV_H

#include "engine/onednn/onednn.h"
#include "ops/conv.h"

/* A convolution, or the gradient of one, as oneDNN is asked for it. */
struct ao_dnnl_conv_form {
    const struct ao_node *node;
    struct ao_shape src, dst;
    struct ao_window window;
    struct ao_view weights; /* [M][C][kernel], or with groups [G][M][C][kernel] */
    int bias;               /* value or -1 */
    int source;   /* tensor that the primitive reads; -1: the node's input in its layout */
    bool flipped; /* the order of the taps is turned round */
    bool spreads; /* a deconvolution */
};

/*
 * conv_loops.c: the same by a loop of our own, where one is faster; *done tells. Winograd's works
 * in the layouts of the primitive `pd`.
 */
aosa_status ao_dnnl_try_winograd(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                                 const struct ao_dnnl_conv_form *conv,
                                 const_dnnl_primitive_desc_t pd, bool *done);
aosa_status ao_dnnl_try_lines(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                              const struct ao_dnnl_conv_form *conv, bool *done);
aosa_status ao_dnnl_try_spread(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                               const struct ao_dnnl_conv_form *conv, bool *done);

#endif
