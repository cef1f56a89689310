/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/score.h"

#include <math.h>

/* Largest of z and sum_k exp(z_k - largest), both over k != skip (-1: all). */
static double sum_exp(const float *z, int classes, int skip, double *top)
{
    double sum = 0;
    *top = -HUGE_VAL;
    for (int k = 0; k < classes; k++)
        if (k != skip && (double)z[k] > *top)
            *top = (double)z[k];
    for (int k = 0; k < classes; k++)
        if (k != skip)
            sum += exp((double)z[k] - *top);
    return sum;
}

static double of_logits(enum ao_score_kind kind, const float *z, int classes, int c)
{
    double top, sum;
    switch (kind) {
    case AO_SCORE_PROB:
        sum = sum_exp(z, classes, -1, &top);
        return exp((double)z[c] - top) / sum;
    case AO_SCORE_LOGIT:
        return (double)z[c];
    case AO_SCORE_LOG_ODDS:
        sum = sum_exp(z, classes, c, &top);
        return (double)z[c] - top - log(sum);
    }
    return 0;
}

static double of_probabilities(enum ao_score_kind kind, const float *p, int classes, int c)
{
    double others = 0;
    switch (kind) {
    case AO_SCORE_PROB:
        return (double)p[c];
    case AO_SCORE_LOGIT:
        return log((double)p[c]);
    case AO_SCORE_LOG_ODDS:
        for (int k = 0; k < classes; k++)
            if (k != c)
                others += (double)p[k];
        return log((double)p[c]) - log(others);
    }
    return 0;
}

double ao_score(enum ao_score_kind kind, const float *outputs, int classes, bool probabilities,
                struct ao_target target)
{
    double (*const of)(enum ao_score_kind, const float *, int, int) =
        probabilities ? of_probabilities : of_logits;
    const double a = of(kind, outputs, classes, target.a);
    return target.b < 0 ? a : a - of(kind, outputs, classes, target.b);
}

/* Adds sign * dscore_c / dz_k for logits z. */
static void add_logits(enum ao_score_kind kind, const float *z, int classes, int c, double sign,
                       float *gradient)
{
    double top, others_top;
    const double sum = sum_exp(z, classes, -1, &top);
    const double others = sum_exp(z, classes, c, &others_top);
    if (kind == AO_SCORE_LOGIT) {
        gradient[c] += (float)sign;
        return;
    }
    const double p = exp((double)z[c] - top) / sum;
    const double q = exp(others_top - top) * others / sum; /* 1 - p */
    for (int k = 0; k < classes; k++) {
        const double share = k == c ? -1 : exp((double)z[k] - others_top) / others; /* p_k / q */
        gradient[k] -= (float)(sign * share * (kind == AO_SCORE_PROB ? p * q : 1));
    }
}

/* The same where the outputs are probabilities p. */
static void add_probabilities(enum ao_score_kind kind, const float *p, int classes, int c,
                              double sign, float *gradient)
{
    double others = 0;
    for (int k = 0; k < classes; k++)
        if (k != c)
            others += (double)p[k];
    gradient[c] += (float)(kind == AO_SCORE_PROB ? sign : sign / (double)p[c]);
    for (int k = 0; k < classes && kind == AO_SCORE_LOG_ODDS; k++)
        if (k != c)
            gradient[k] -= (float)(sign / others);
}

void ao_score_gradient(enum ao_score_kind kind, const float *outputs, int classes,
                       bool probabilities, struct ao_target target, float *gradient)
{
    void (*const add)(enum ao_score_kind, const float *, int, int, double, float *) =
        probabilities ? add_probabilities : add_logits;
    for (int k = 0; k < classes; k++)
        gradient[k] = 0;
    add(kind, outputs, classes, target.a, 1, gradient);
    if (target.b >= 0)
        add(kind, outputs, classes, target.b, -1, gradient);
}
