/* survey_command.h: what `luaduct epoch show`, `epoch resolve` and `reset` do alike: they read their arguments, survey the job at
 * both ends, and the last two move its position.
 * Ownership: the struct starts as name, usage and moves; survey_command_close frees what survey_command_open made. Threads: the
 * command's main thread. What is wrong is printed on standard error; an exit status is EXIT_OK, EXIT_CONFIG or EXIT_FAILED. */
#ifndef LUADUCT_CLI_SURVEY_COMMAND_H
#define LUADUCT_CLI_SURVEY_COMMAND_H

#include "cli/survey.h"

struct survey_command {
    const char *name; /* as it is typed behind luaduct */
    const char *usage;
    bool moves; /* takes --force and --yes too */

    const char *job_path, *datasources_path;
    bool force, yes;

    struct engine engine;
    struct ends ends; /* points to engine */
    struct survey survey;
};

/* Whether an argument asks for help, which is then printed. */
bool survey_command_help(const struct survey_command *command, const char *word) MUST_USE;
/* Takes argv[*index], and its value behind it, if all these commands take it. False: it is not understood, which has been
 * printed. */
bool survey_command_argument(struct survey_command *command, int argc, char **argv, int *index) MUST_USE;
/* Behind the last argument: whether a job was named. */
bool survey_command_has_job(const struct survey_command *command) MUST_USE;

/* Asks both ends and reads what is stored. False: *status_out is the exit status. Close in any case. */
bool survey_command_open(struct survey_command *command, int *status_out) MUST_USE;
void survey_command_close(struct survey_command *command);
/* Prints the error; the exit status. */
int survey_command_refuse(const struct survey_command *command, const struct error *error);

/* Whether no process is in the job's group. */
bool survey_command_is_alone(const struct survey_command *command, struct error *error) MUST_USE;
/* Prints the plan and asks whether to go on, unless with --yes; then reads everything once more (the sessions' states only
 * `with_sessions`) and stores the moves if nothing has changed. The exit status. */
int survey_command_move(struct survey_command *command, const struct buffer *plan, const struct survey_move *moves, size_t count,
                        bool with_sessions);

#endif
