/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

static aosa_status predict_clip(const struct cli *cli, const aosa_model *model,
                                const aosa_clip *clip, const char *path, int index)
{
    char *text = NULL;
    (void)index;
    /* One more, so that a network without classes still gets its own error below. */
    float *probabilities = calloc((size_t)aosa_model_classes(model) + 1, sizeof *probabilities);
    if (!probabilities)
        return AOSA_ERR_NOMEM;
    aosa_status status = aosa_predict(model, clip, cli->settings, probabilities);
    if (status == AOSA_OK)
        status = aosa_prediction_text(model, clip, probabilities, cli->json, &text);
    if (status == AOSA_OK && cli->json)
        printf("%s\n", text);
    else if (status == AOSA_OK)
        printf("%s\n%s", path, text);
    aosa_text_free(&text);
    free(probabilities);
    return status;
}

int cli_predict(const struct cli *cli)
{
    if (!cli->model || cli->n_paths == 0)
        return cli_usage_error("predict needs -m MODEL.onnx and a clip; see aosa predict --help");
    return cli_each_clip(cli, predict_clip);
}
