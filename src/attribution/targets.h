/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_TARGETS_H
#define AO_ATTRIBUTION_TARGETS_H

#include "attribution/score.h"
#include "model/model.h"

#define AO_MAX_TARGETS 64

/*
 * Resolves --target against a model and the class outputs of the clip:
 *     21, CliffDiving        a class
 *     top1, top3, topK       the K classes with the largest outputs (ties: smaller index first)
 *     A-B                    the contrast of two classes, each a number or a label
 *     A,B,...                several of these
 * A label that itself holds '-' or ',' is tried whole first.
 *
 * @param outputs  float [classes]; NULL only checks, and counts topK as K targets of class 0.
 * @param targets  Room for AO_MAX_TARGETS.
 * @return AOSA_ERR_ARGUMENT with what would be right.
 */
aosa_status ao_targets_resolve(const struct aosa_model *model, const char *text,
                               const float *outputs, struct ao_target *targets, int *n);

/* "CliffDiving" or "CliffDiving-ApplyEyeMakeup"; answers `text`. */
const char *ao_target_name(const struct aosa_model *model, struct ao_target target, char *text,
                           size_t bytes);

/* Indices of the k largest outputs, largest first; ties: smaller index first. */
void ao_top_classes(const float *outputs, int classes, int k, int *top);

#endif
