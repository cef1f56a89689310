/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

const struct cli_option cli_own_options[] = {
    { "model", 'm', "FILE", offsetof(struct cli, model), "the network, as ONNX" },
    { "output", 'o', "FOLDER", offsetof(struct cli, output), "where results go; made if needed" },
    { "save", 0, "LIST", offsetof(struct cli, save), "also write these of clip,flow,tracks,masks" },
    { "input", 0, "NAME=FILE", 0, "an array for an input of the model (run)" },
    { "methods", 0, "LIST", offsetof(struct cli, methods),
      "compare, evaluate: methods, or families as occlusions,gradients,cams,controls [all]" },
    { "metrics", 0, "LIST", offsetof(struct cli, metrics),
      "evaluate: metrics [all but those that take long]" },
    { "json", 0, NULL, offsetof(struct cli, json), "one JSON object on standard output" },
    { "quiet", 'q', NULL, offsetof(struct cli, quiet), "no progress, no summary" },
    { "dry-run", 'n', NULL, offsetof(struct cli, dry_run),
      "print masks, work, memory and time, then stop" },
    { "force", 'f', NULL, offsetof(struct cli, force), "replace an older result" },
    { "help", 'h', NULL, 0, "this text" },
    { NULL, 0, NULL, 0, NULL },
};
#define N_OWN (sizeof cli_own_options / sizeof cli_own_options[0] - 1)
#define MAX_OPTIONS 544

/* getopt_long's view of both tables, own options first; long names answer LONG + index. */
enum { LONG = 256 };
struct table {
    struct option longs[MAX_OPTIONS];
    char letters[2 * MAX_OPTIONS + 2];
    size_t n;
};

static void add_row(struct table *table, const char *name, char letter, bool takes_value)
{
    table->longs[table->n] = (struct option){
        .name = name,
        .has_arg = takes_value ? required_argument : no_argument,
        .val = LONG + (int)table->n,
    };
    if (letter) {
        const size_t used = strlen(table->letters);
        table->letters[used] = letter;
        table->letters[used + 1] = takes_value ? ':' : '\0';
    }
    table->n++;
}

static void build_table(struct table *table)
{
    struct aosa_option_info info;
    *table = (struct table){ .letters = ":" };
    for (size_t i = 0; i < N_OWN; i++)
        add_row(table, cli_own_options[i].name, cli_own_options[i].letter,
                cli_own_options[i].value != NULL);
    for (size_t i = 0; aosa_option_at(i, &info) && table->n < MAX_OPTIONS - 1; i++)
        add_row(table, info.name, info.letter, info.value != NULL);
}

/* Index in both tables of what getopt answered: LONG + index of a long name, or a letter. */
static size_t index_of(int answer)
{
    struct aosa_option_info info;
    if (answer >= LONG)
        return (size_t)(answer - LONG);
    for (size_t i = 0; i < N_OWN; i++)
        if (cli_own_options[i].letter == answer)
            return i;
    size_t i = 0;
    while (aosa_option_at(i, &info) && info.letter != answer)
        i++;
    return N_OWN + i;
}

static int set_own(struct cli *cli, const struct cli_option *row, const char *value, bool *help)
{
    if (!strcmp(row->name, "help")) {
        *help = true;
    } else if (!strcmp(row->name, "input")) {
        cli->inputs[cli->n_inputs++] = value;
    } else if (row->value) {
        const char **text = (const char **)(void *)((char *)cli + row->offset);
        *text = value;
    } else {
        bool *flag = (bool *)(void *)((char *)cli + row->offset);
        *flag = true;
    }
    return CLI_OK;
}

static int set_library(struct cli *cli, size_t index, const char *value)
{
    struct aosa_option_info info;
    if (!aosa_option_at(index, &info))
        return cli_usage_error("unknown option");
    const aosa_status status = aosa_settings_set(cli->settings, info.name, value);
    return status == AOSA_OK ? CLI_OK : cli_failure(status);
}

static int complain(const struct cli *cli, int answer, char **argv)
{
    const char *word = argv[optind - 1];
    if (answer == ':')
        return cli_usage_error("%s needs a value; see aosa %s --help", word, cli->command->name);
    if (optopt && optopt < 256 && word[1] != '-')
        return cli_usage_error("-%c is no option; see aosa %s --help", optopt, cli->command->name);
    return cli_usage_error("%s is no option; see aosa %s --help", word, cli->command->name);
}

int cli_parse(struct cli *cli, int argc, char **argv, bool *help)
{
    struct table table;
    build_table(&table);
    cli->inputs = calloc((size_t)argc, sizeof *cli->inputs);
    if (!cli->inputs || aosa_settings_create(&cli->settings) != AOSA_OK)
        return cli_failure(AOSA_ERR_NOMEM);

    opterr = 0;
    optind = 1;
    for (int answer; (answer = getopt_long(argc, argv, table.letters, table.longs, NULL)) != -1;) {
        if (answer == '?' || answer == ':')
            return complain(cli, answer, argv);
        const size_t index = index_of(answer);
        const int code = index < N_OWN ? set_own(cli, &cli_own_options[index], optarg, help)
                                       : set_library(cli, index - N_OWN, optarg);
        if (code != CLI_OK)
            return code;
    }
    cli->paths = argv + optind;
    cli->n_paths = argc - optind;
    return CLI_OK;
}

void cli_fini(struct cli *cli)
{
    aosa_settings_destroy(&cli->settings);
    free(cli->inputs);
}

int cli_usage_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("aosa: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return CLI_USAGE;
}

int cli_failure(aosa_status status)
{
    fprintf(stderr, "aosa: %s\n",
            status == AOSA_ERR_CANCELLED ? "interrupted; no partial result was left"
                                         : aosa_error_message());
    switch (status) {
    case AOSA_OK:
        return CLI_OK;
    case AOSA_ERR_ARGUMENT:
        return CLI_USAGE;
    case AOSA_ERR_INPUT:
    case AOSA_ERR_FORMAT:
    case AOSA_ERR_SHAPE:
        return CLI_UNREADABLE;
    case AOSA_ERR_UNSUPPORTED:
        return CLI_UNSUPPORTED;
    case AOSA_ERR_NOMEM:
        return CLI_MEMORY;
    case AOSA_ERR_CANCELLED:
        return cli_interrupted() ? cli_interrupted() : CLI_ERROR;
    case AOSA_ERR_NUMERIC:
    case AOSA_ERR_OUTPUT:
    case AOSA_ERR_INTERNAL:
        return CLI_ERROR;
    }
    return CLI_ERROR;
}
