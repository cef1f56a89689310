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

/*
 * gradient[k] = dscore / doutput_k, float [classes], written whole. For logits, with p the softmax,
 *     prob      p_c (1 - p_c) at c, -p_c p_k elsewhere
 *     log-odds  1 at c, -p_k / (1 - p_c) elsewhere
 * where 1 - p_c is summed over the other classes, so it keeps its digits at p_c near 1. For
 * probabilities that cannot be: prob 1, logit 1 / p_c, log-odds 1 / p_c and -1 / sum_{k != c} p_k.
 */
void ao_score_gradient(enum ao_score_kind kind, const float *outputs, int classes,
                       bool probabilities, struct ao_target target, float *gradient);

#endif
