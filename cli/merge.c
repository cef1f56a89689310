/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"

int cli_merge(const struct cli *cli)
{
    char *text;
    if (!cli->output || cli->n_paths != 1)
        return cli_usage_error("merge needs -o FOLDER and the folder that evaluate wrote; see "
                               "aosa merge --help");
    const aosa_status status =
        aosa_merge(cli->settings, cli->paths[0], cli->output, cli->force, cli->json, &text);
    if (status != AOSA_OK)
        return cli_failure(status);
    if (!cli->quiet)
        fputs(text, stdout);
    aosa_text_free(&text);
    return CLI_OK;
}
