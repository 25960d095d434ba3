/* cli.h: the command line: one function a command, each in a file of its own.
 * They return the exit status: 0 done, 1 failed at run time, 2 a mistake in the command line or in a person's file. A run without
 * a supervisor may also end with EXIT_RECOVERABLE (supervisor.h).
 * Ownership: argv is borrowed. Threads: the main thread. */
#ifndef LUADUCT_CLI_CLI_H
#define LUADUCT_CLI_CLI_H

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_CONFIG = 2 };

struct cli_command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the name */
};
/* By its name; NULL: there is none. */
const struct cli_command *cli_command_find(const char *name);
/* The name nearest to the word; NULL: none is near. */
const char *cli_command_nearest(const char *word);

int cli_run(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_columns(int argc, char **argv);
int cli_preview(int argc, char **argv);
int cli_simulate(int argc, char **argv);
int cli_plan(int argc, char **argv);
int cli_dirty(int argc, char **argv);
int cli_demo(int argc, char **argv);
int cli_epoch(int argc, char **argv);
int cli_reset(int argc, char **argv);
int cli_sample(int argc, char **argv);
int cli_infer(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_help(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_local(int argc, char **argv);

#endif
