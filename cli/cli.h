/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_CLI_H
#define AOSA_CLI_H

#include <aosa/aosa.h>

/* Exit codes; part of the interface (doc/cli.md). */
enum cli_exit {
    CLI_OK = 0,
    CLI_ERROR = 1,
    CLI_USAGE = 2,
    CLI_SOME_FAILED = 3,
    CLI_UNSUPPORTED = 4,
    CLI_UNREADABLE = 5,
    CLI_MEMORY = 6,
    CLI_AGAIN = 75, /* evaluate was asked to stop; run it again to go on */
};

/* What a command line said. Strings point into argv. */
struct cli {
    const struct cli_command *command;
    aosa_settings *settings;
    const char *model, *output, *save, *methods, *metrics;
    bool json, quiet, dry_run, force;
    const char **inputs; /* --input of run */
    int n_inputs;
    char **paths; /* what is no option */
    int n_paths;
};

/* One row of commands.def. */
struct cli_command {
    const char *name;
    const char *usage;   /* after the name */
    const char *summary; /* one line */
    const char *groups;  /* option groups that --help shows, with spaces */
    int (*run)(const struct cli *cli);
};
extern const struct cli_command cli_commands[]; /* ended by a NULL name */

int cli_compare(const struct cli *cli);
int cli_demo_bench(const struct cli *cli);
int cli_evaluate(const struct cli *cli);
int cli_explain(const struct cli *cli);
int cli_predict(const struct cli *cli);
int cli_inspect(const struct cli *cli);
int cli_list(const struct cli *cli);
int cli_masks(const struct cli *cli);
int cli_merge(const struct cli *cli);
int cli_run(const struct cli *cli);

/* Options of the program itself; those of the library come from aosa_option_at. */
struct cli_option {
    const char *name; /* NULL ends the table */
    char letter;
    const char *value; /* NULL for a flag */
    size_t offset;     /* of a const char * or a bool in struct cli */
    const char *help;
};
extern const struct cli_option cli_own_options[];

/*
 * Fills *cli from argv (argv[0] is the command's name). Answers CLI_OK, or CLI_USAGE after writing
 * one line to stderr. *help is set by --help.
 */
int cli_parse(struct cli *cli, int argc, char **argv, bool *help);
void cli_fini(struct cli *cli);

/* --help of a command, or of the program when it is NULL, to stdout. */
void cli_help(const struct cli_command *command);

/* Writes "aosa: TEXT" to stderr and answers `code`. */
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes the library's error text to stderr and answers the exit code of the status. */
int cli_failure(aosa_status status);

/*
 * Opens the model and every clip of the command line and calls `each`; a failure is reported and
 * the next clip goes on. Answers the command's exit code: CLI_SOME_FAILED when only some failed.
 */
typedef aosa_status (*cli_clip_fn)(const struct cli *cli, const aosa_model *model,
                                   const aosa_clip *clip, const char *path, int index);
int cli_each_clip(const struct cli *cli, cli_clip_fn each);

/* SIGINT, SIGTERM and SIGUSR1 (of schedulers) ask running work to stop; a second one ends the
 * process at once. */
void cli_catch_signals(void);

/* 0, or 128 + the signal that came. */
int cli_interrupted(void);

/*
 * Progress on stderr: a bar with the time left on a terminal, a line every ten seconds elsewhere,
 * nothing with --quiet. `user` is a zeroed struct cli_progress.
 */
struct cli_progress {
    bool quiet;
    char stage[64];
    double started, shown; /* of this stage */
    bool drawn;
};
bool cli_progress_report(void *user, const char *stage, size_t done, size_t total);
void cli_progress_end(struct cli_progress *progress);

#endif
