/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static aosa_status open_and_call(const struct cli *cli, const aosa_model *model, const char *path,
                                 int index, cli_clip_fn each)
{
    aosa_clip *clip;
    aosa_status status = aosa_clip_open(path, model, cli->settings, index, &clip);
    if (status != AOSA_OK)
        return status;
    status = each(cli, model, clip, path, index);
    aosa_clip_close(&clip);
    return status;
}

int cli_each_clip(const struct cli *cli, cli_clip_fn each)
{
    const int clips = aosa_settings_clips(cli->settings);
    int done = 0, code = CLI_OK;
    aosa_model *model;
    const aosa_status opened = aosa_model_open(cli->model, cli->settings, &model);
    if (opened != AOSA_OK)
        return cli_failure(opened);
    for (int i = 0; i < cli->n_paths * clips && !cli_interrupted(); i++) {
        const aosa_status status =
            open_and_call(cli, model, cli->paths[i / clips], i % clips, each);
        if (status == AOSA_OK)
            done++;
        else
            code = cli_failure(status);
    }
    aosa_model_close(&model);
    if (cli_interrupted())
        return cli_interrupted();
    return code != CLI_OK && done > 0 ? CLI_SOME_FAILED : code;
}
