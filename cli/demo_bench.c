/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"

int cli_demo_bench(const struct cli *cli)
{
    struct cli_progress progress = { .quiet = cli->quiet };
    if (!cli->output || cli->n_paths != 0)
        return cli_usage_error("demo-bench needs -o FOLDER; see aosa demo-bench --help");
    const aosa_status status =
        aosa_demo_bench(cli->settings, cli->output, cli->force, cli_progress_report, &progress);
    cli_progress_end(&progress);
    if (status != AOSA_OK)
        return cli_failure(status);
    if (!cli->quiet)
        printf("aosa evaluate -m MODEL.onnx --dataset ucf101 --root %s --lists "
               "%s/ucfTrainTestlist --boxes %s/boxes.csv -o RUN\n",
               cli->output, cli->output, cli->output);
    return CLI_OK;
}
