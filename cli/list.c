/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"

int cli_list(const struct cli *cli)
{
    char *text;
    if (cli->n_paths > 1)
        return cli_usage_error("list takes one word; see aosa list --help");
    const aosa_status status = aosa_list(cli->n_paths ? cli->paths[0] : NULL, cli->json, &text);
    if (status != AOSA_OK)
        return cli_failure(status);
    printf("%s%s", text, cli->json ? "\n" : "");
    aosa_text_free(&text);
    return CLI_OK;
}
