/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* A scheduler's signal lets the item that runs finish; Ctrl-C does not. */
static bool report(void *user, const char *stage, size_t done, size_t total)
{
    if (!strcmp(stage, "items"))
        return cli_progress_report(user, stage, done, total);
    return cli_interrupted() != 128 + SIGINT;
}

static void print(const struct cli *cli, const struct aosa_evaluation *e)
{
    if (cli->json)
        printf("{\"items\": %zu, \"skipped\": %zu, \"done\": %zu, \"failed\": %zu, "
               "\"boxes_unused\": %zu, \"other_builds\": %zu}\n",
               e->items, e->skipped, e->done, e->failed, e->boxes_unused, e->other_builds);
    else if (!cli->quiet)
        printf("%zu items: %zu done now, %zu before, %zu failed\n", e->items, e->done, e->skipped,
               e->failed);
    if (e->boxes_unused)
        fprintf(stderr, "aosa: warning: %zu boxes are of other videos or classes\n",
                e->boxes_unused);
    if (e->other_builds)
        fprintf(stderr,
                "aosa: warning: %zu scores in this journal are of another version or instruction "
                "set; merge wants --allow-builds, evaluate --redo-builds does them again\n",
                e->other_builds);
}

static int finish(const struct cli *cli, const struct aosa_evaluation *e, aosa_status status)
{
    if (status != AOSA_OK && status != AOSA_ERR_CANCELLED)
        return cli_failure(status);
    print(cli, e);
    if (status == AOSA_ERR_CANCELLED) {
        fprintf(stderr, "aosa: stopped after %zu of %zu items; run it again to go on\n",
                e->skipped + e->done + e->failed, e->items);
        return cli_interrupted() == 128 + SIGINT ? cli_interrupted() : CLI_AGAIN;
    }
    return e->failed ? CLI_SOME_FAILED : CLI_OK;
}

static int evaluate(const struct cli *cli, const aosa_model *model)
{
    struct cli_progress progress = { .quiet = cli->quiet };
    struct aosa_evaluation evaluation;
    const aosa_status status =
        aosa_evaluate(model, cli->settings, cli->methods, cli->metrics, cli->output, cli->force,
                      report, &progress, &evaluation);
    cli_progress_end(&progress);
    return finish(cli, &evaluation, status);
}

static int print_plan(const struct cli *cli, const aosa_model *model)
{
    char *text;
    const aosa_status status = aosa_evaluate_plan(model, cli->settings, cli->methods, cli->metrics,
                                                  cli->output, cli->json, &text);
    if (status != AOSA_OK)
        return cli_failure(status);
    printf("%s%s", text, cli->json ? "\n" : "");
    aosa_text_free(&text);
    return CLI_OK;
}

int cli_evaluate(const struct cli *cli)
{
    aosa_model *model;
    if (!cli->model || (!cli->output && !cli->dry_run) || cli->n_paths != 0)
        return cli_usage_error("evaluate needs -m MODEL.onnx, --root FOLDER and -o RUN; see aosa "
                               "evaluate --help");
    if (cli->save)
        return cli_usage_error("evaluate keeps numbers, not maps: --save is of explain");
    const aosa_status status = aosa_model_open(cli->model, cli->settings, &model);
    if (status != AOSA_OK)
        return cli_failure(status);
    const int code = cli->dry_run ? print_plan(cli, model) : evaluate(cli, model);
    aosa_model_close(&model);
    return code;
}
