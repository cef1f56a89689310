/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_CARD_H
#define AO_MODEL_CARD_H

#include "model/model.h"
#include "video/preprocess.h"

/*
 * A model card says how a network wants its clips. It is the file MODEL.onnx.json beside the
 * model, or the same JSON text in the ONNX metadata property "aosa_model_card":
 *
 *     { "aosa_model_card": 1, "preset": "kenshohara", "mean": [r, g, b], "std": [r, g, b],
 *       "range": 1, "bgr": false, "resize": "112", "step": 1, "labels": "labels.txt",
 *       "inputs": [{ "name": "slow", "frames": "every 4th", "layout": "NCTHW" }] }
 *
 * All keys but the first may be left out or null; a given value beats the preset's. title,
 * trained_on, accuracy, command, licence and source are for people; any other key is refused, so
 * that a misspelt one cannot pass unseen. Cards are untrusted: `labels` is a file below the
 * model's own folder.
 */

/* Reads and checks the card into model->card (NULL when there is none). AOSA_ERR_FORMAT. */
aosa_status ao_card_load(struct aosa_model *model);

/* Path of the card's label file in *path (ao_free), or NULL. AOSA_ERR_FORMAT, AOSA_ERR_NOMEM. */
aosa_status ao_card_labels_path(const struct aosa_model *model, char **path);

/* Name of the card's preset, or NULL. */
const char *ao_card_preset(const struct aosa_model *model);

/* Puts the card's own values (not its preset's) into `pre`. AOSA_ERR_FORMAT. */
aosa_status ao_card_apply(const struct aosa_model *model, struct ao_preprocess *pre);

#endif
