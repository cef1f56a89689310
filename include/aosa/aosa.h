/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_AOSA_H
#define AOSA_AOSA_H

/**
 * libaosa: see what a video classifier looks at.
 *
 * Adaptive occlusion sensitivity analysis (Uchiyama et al., arXiv 2207.12859): occlude a volume of
 * the clip that follows the motion, and measure how the class score changes.
 *
 *     aosa_settings_create -> aosa_model_open -> aosa_clip_open -> aosa_explain -> save
 */
#include "aosa/base.h"
#include "aosa/clip.h"
#include "aosa/evaluate.h"
#include "aosa/explain.h"
#include "aosa/mask.h"
#include "aosa/model.h"
#include "aosa/settings.h"
#include "aosa/version.h"

#endif
