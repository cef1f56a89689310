/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

const struct cli_command cli_commands[] = {
#define COMMAND(run, name, usage, summary, groups) { name, usage, summary, groups, cli_##run },
#include "commands.def"
#undef COMMAND
    { NULL, NULL, NULL, NULL, NULL },
};

static const struct cli_command *find_command(const char *name)
{
    for (const struct cli_command *c = cli_commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
    struct cli cli = { .command = command };
    bool help = false;
    int code = cli_parse(&cli, argc, argv, &help);
    if (help)
        cli_help(command);
    else if (code == CLI_OK)
        code = command->run(&cli);
    cli_fini(&cli);
    /* A closed pipe or a full disk under stdout must not look like success. */
    if (code == CLI_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        fputs("aosa: cannot write to standard output\n", stderr);
        return CLI_ERROR;
    }
    return code;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    cli_catch_signals();
    if (!strcmp(name, "--version")) {
        printf("aosa %s\n", aosa_version());
        return CLI_OK;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        const struct cli_command *asked = argc > 2 ? find_command(argv[2]) : NULL;
        cli_help(asked);
        return argc > 1 ? CLI_OK : CLI_USAGE;
    }
    const struct cli_command *command = find_command(name);
    if (!command)
        return cli_usage_error("'%s' is no command; see aosa --help", name);
    return run_command(command, argc - 1, argv + 1);
}
