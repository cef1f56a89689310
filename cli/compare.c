/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"

static aosa_status compare_clip(const struct cli *cli, const aosa_model *model,
                                const aosa_clip *clip, const char *path, int index)
{
    struct cli_progress progress = { .quiet = cli->quiet };
    char *text;
    (void)path, (void)index;
    const aosa_status status =
        aosa_compare(model, clip, cli->settings, cli->methods, cli_progress_report, &progress,
                     cli->output, cli->json, cli->force, &text);
    cli_progress_end(&progress);
    if (status != AOSA_OK)
        return status;
    if (cli->json)
        printf("%s\n", text);
    else if (!cli->quiet)
        printf("%s%s/sheet.png\n", text, cli->output);
    aosa_text_free(&text);
    return AOSA_OK;
}

int cli_compare(const struct cli *cli)
{
    if (!cli->model || cli->n_paths != 1 || !cli->output)
        return cli_usage_error("compare needs -m MODEL.onnx, -o FOLDER and one clip; see aosa "
                               "compare --help");
    if (aosa_settings_clips(cli->settings) != 1)
        return cli_usage_error("compare takes one clip, --clips asks for %d",
                               aosa_settings_clips(cli->settings));
    return cli_each_clip(cli, compare_clip);
}
