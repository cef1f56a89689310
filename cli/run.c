/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"

int cli_run(const struct cli *cli)
{
    aosa_model *model;
    if (!cli->model || !cli->output || cli->n_inputs == 0)
        return cli_usage_error("run needs -m MODEL.onnx, --input NAME=ARRAY.npy and -o FOLDER; see "
                               "aosa run --help");
    if (cli->n_paths)
        return cli_usage_error("run takes arrays by --input NAME=FILE, not '%s'", cli->paths[0]);
    aosa_status status = aosa_model_open(cli->model, cli->settings, &model);
    if (status != AOSA_OK)
        return cli_failure(status);
    status =
        aosa_run(model, cli->settings, cli->inputs, (size_t)cli->n_inputs, cli->output, cli->force);
    aosa_model_close(&model);
    return status == AOSA_OK ? CLI_OK : cli_failure(status);
}
