/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_SCORE_H
#define AO_ATTRIBUTION_SCORE_H

#include <stdbool.h>

/* What of the network's answer is explained. */
enum ao_score_kind {
    AO_SCORE_PROB,     /* softmax probability p_c: the paper's */
    AO_SCORE_LOGIT,    /* z_c; log p_c for a network that ends in softmax */
    AO_SCORE_LOG_ODDS, /* log(p_c / (1 - p_c)) */
};
#define AO_SCORE_CHOICES "prob|logit|log-odds"

/* A class, or the contrast "a rather than b": score(a) - score(b). */
struct ao_target {
    int a;
    int b; /* -1: no contrast */
};

/*
 * Score of a target from one row of class outputs, in double. `probabilities` tells that the
 * outputs already are a softmax's; else they are logits, and
 *     prob     = exp(z_c - m) / sum_k exp(z_k - m),  m = max z
 *     log-odds = z_c - log sum_{k != c} exp(z_k)
 * which needs no 1 - p and so keeps its digits near 0 and 1.
 */
double ao_score(enum ao_score_kind kind, const float *outputs, int classes, bool probabilities,
                struct ao_target target);

#endif
