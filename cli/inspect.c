/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"

int cli_inspect(const struct cli *cli)
{
    const char *path = cli->model ? cli->model : cli->n_paths == 1 ? cli->paths[0] : NULL;
    char *text = NULL;
    if (!path || cli->n_paths > (cli->model ? 0 : 1))
        return cli_usage_error("inspect needs one -m MODEL.onnx; see aosa inspect --help");
    const aosa_status status = aosa_inspect(path, cli->settings, cli->json, &text);
    if (text)
        printf("%s%s", text, cli->json ? "\n" : "");
    aosa_text_free(&text);
    return status == AOSA_OK ? CLI_OK : cli_failure(status);
}
