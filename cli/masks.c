/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"

static aosa_status make_and_save(const struct cli *cli, const aosa_clip *clip)
{
    aosa_mask_set *masks;
    aosa_status status = aosa_masks_create(clip, cli->settings, &masks);
    if (status != AOSA_OK)
        return status;
    if (!cli->dry_run)
        status = aosa_masks_save(masks, clip, cli->settings, cli->output, cli->save, cli->force);
    if (status == AOSA_OK && !cli->quiet)
        printf("%d masks%s%s%s\n", aosa_masks_count(masks), cli->dry_run ? "" : "; ",
               cli->dry_run ? "" : cli->output,
               cli->dry_run ? "" : "/tracks.png, tracks.mp4, masks.json");
    aosa_masks_destroy(&masks);
    return status;
}

int cli_masks(const struct cli *cli)
{
    aosa_model *model = NULL;
    aosa_clip *clip = NULL;
    aosa_status status = AOSA_OK;
    if (cli->n_paths != 1 || (!cli->output && !cli->dry_run))
        return cli_usage_error("masks needs -o FOLDER and one clip; see aosa masks --help");
    if (cli->model)
        status = aosa_model_open(cli->model, cli->settings, &model);
    if (status == AOSA_OK)
        status = aosa_clip_open(cli->paths[0], model, cli->settings, 0, &clip);
    if (status == AOSA_OK)
        status = make_and_save(cli, clip);
    aosa_clip_close(&clip);
    aosa_model_close(&model);
    if (cli_interrupted())
        return cli_interrupted();
    return status == AOSA_OK ? CLI_OK : cli_failure(status);
}
