/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* FOLDER/STEM or FOLDER/STEM.K when there are several results, FOLDER itself for one. */
static char *result_folder(const struct cli *cli, const char *path, int index)
{
    const int clips = aosa_settings_clips(cli->settings);
    const char *slash = strrchr(path, '/');
    const char *base = slash && slash[1] ? slash + 1 : path;
    const size_t n = strlen(cli->output) + strlen(base) + 32;
    char *folder = malloc(n);
    if (!folder)
        return NULL;
    if (cli->n_paths == 1 && clips == 1)
        snprintf(folder, n, "%s", cli->output);
    else if (clips == 1)
        snprintf(folder, n, "%s/%s", cli->output, base);
    else
        snprintf(folder, n, "%s/%s.%d", cli->output, base, index);
    return folder;
}

static aosa_status print_plan(const struct cli *cli, const aosa_model *model, const aosa_clip *clip)
{
    char *text;
    const aosa_status status = aosa_explain_plan(model, clip, cli->settings, cli->json, &text);
    if (status == AOSA_OK) {
        printf("%s%s", text, cli->json ? "\n" : "");
        aosa_text_free(&text);
    }
    return status;
}

static aosa_status save_and_print(const struct cli *cli, const aosa_explanation *explanation,
                                  const char *path, const char *folder)
{
    char *text;
    const char *warning = aosa_explanation_warning(explanation);
    aosa_status status = aosa_explanation_save(explanation, folder, cli->save, cli->force);
    if (status == AOSA_OK)
        status = aosa_explanation_text(explanation, cli->json, &text);
    if (status != AOSA_OK)
        return status;
    if (*warning)
        fprintf(stderr, "aosa: warning: %s: %s\n", path, warning);
    if (cli->json)
        printf("%s\n", text);
    else if (!cli->quiet)
        printf("%s\n%s%s/grid.png, overlay.mp4, map.npy, result.json\n", path, text, folder);
    aosa_text_free(&text);
    return AOSA_OK;
}

static aosa_status explain_into(const struct cli *cli, const aosa_model *model,
                                const aosa_clip *clip, const char *path, const char *folder)
{
    struct cli_progress progress = { .quiet = cli->quiet };
    aosa_explanation *explanation;
    /* Not after minutes of work: */
    aosa_status status = aosa_output_check(folder, cli->force);
    if (status != AOSA_OK)
        return status;
    status = aosa_explain(model, clip, cli->settings, cli_progress_report, &progress, &explanation);
    cli_progress_end(&progress);
    if (status != AOSA_OK)
        return status;
    status = save_and_print(cli, explanation, path, folder);
    aosa_explanation_destroy(&explanation);
    return status;
}

static aosa_status explain_clip(const struct cli *cli, const aosa_model *model,
                                const aosa_clip *clip, const char *path, int index)
{
    if (cli->dry_run)
        return print_plan(cli, model, clip);
    char *folder = result_folder(cli, path, index);
    const aosa_status status =
        folder ? explain_into(cli, model, clip, path, folder) : AOSA_ERR_NOMEM;
    free(folder);
    return status;
}

int cli_explain(const struct cli *cli)
{
    if (!cli->model || cli->n_paths == 0 || (!cli->output && !cli->dry_run))
        return cli_usage_error(
            "explain needs -m MODEL.onnx, -o FOLDER and a clip; see aosa explain "
            "--help");
    return cli_each_clip(cli, explain_clip);
}
