/* tryout.h: what the commands that try a job out do alike: they read their arguments, load the job without touching what it
 * writes, and read a sample.
 * Ownership: the struct starts as name, usage and the flags of what the command takes; tryout_close frees the rest.
 * Threads: the command's main thread. What is wrong is printed on standard error; exit statuses are cli.h's. */
#ifndef LUADUCT_CLI_TRYOUT_H
#define LUADUCT_CLI_TRYOUT_H

#include "cli/engine.h"
#include "cli/grid.h"
#include "sample/sample.h"

enum tryout_takes {
    TRYOUT_SAMPLE = 1 << 0,  /* --sample FILE, --any-topic */
    TRYOUT_STAGE = 1 << 1,   /* --stage NAME */
    TRYOUT_CONNECT = 1 << 2, /* --connect; only with it are the data sources and their secrets needed, */
    TRYOUT_ENDS = 1 << 3,    /* or with this one, in any case */
};

struct tryout {
    const char *name; /* as it is typed behind luaduct */
    const char *usage;
    unsigned takes; /* of enum tryout_takes */

    const char *job_path, *datasources_path, *sample_path, *stage_name;
    bool any_topic, connect, json, no_color;

    struct engine engine;
    struct sample *sample;
    size_t stage; /* of stage_name */
};

/* Whether an argument asks for help, which is then printed. */
bool tryout_help(const struct tryout *tryout, int argc, char **argv) MUST_USE;
/* Takes argv[*index], and its value behind it, if all these commands, or those that say so in `takes`, take it. False: it is none
 * of them. */
bool tryout_argument(struct tryout *tryout, int argc, char **argv, int *index) MUST_USE;
/* Prints the sentence, and the usage behind it if told so. Returns EXIT_CONFIG. */
int tryout_refuse(const struct tryout *tryout, bool usage, const char *format, ...) PRINTF_LIKE(3, 4);
/* A number of an option, from `least` on. False: it has been refused. */
bool tryout_number(const struct tryout *tryout, const char *option, const char *text, size_t least, size_t *number_out) MUST_USE;

/* Loads the job with its stages, finds the stage, and reads the sample, as far as they were named. Returns the exit status. */
int tryout_open(struct tryout *tryout) MUST_USE;
void tryout_close(struct tryout *tryout);
/* Whether the job lists the table's columns with their types, so that they are known without asking. */
bool tryout_has_columns(const struct job *job) MUST_USE;
/* Prints mistakes and warnings of the report; the exit status, at least `status`. */
int tryout_report(struct tryout *tryout, int status);
/* Prints the error; its exit status. */
int tryout_failed(const struct tryout *tryout, struct error *error);

/* A grid as these commands print it: to the terminal's width, with colours where they may be. */
void tryout_grid(const struct tryout *tryout, struct grid *grid, size_t columns);
/* Prints the text on standard output, as it is, and clears it. */
void tryout_print(struct buffer *text);

#endif
