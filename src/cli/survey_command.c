/* survey_command.c */
#include "cli/survey_command.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/word.h"

/* --- arguments --- */

bool survey_command_help(const struct survey_command *command, const char *word)
{
    if (strcmp(word, "--help") != 0 && strcmp(word, "-h") != 0)
        return false;
    fputs(command->usage, stdout);
    return true;
}

bool survey_command_argument(struct survey_command *command, int argc, char **argv, int *index)
{
    const char *word = argv[*index];

    if (strcmp(word, "--datasources") == 0 && *index + 1 < argc) {
        command->datasources_path = argv[++*index];
    } else if (command->moves && strcmp(word, "--force") == 0) {
        command->force = true;
    } else if (command->moves && strcmp(word, "--yes") == 0) {
        command->yes = true;
    } else if (word[0] != '-' && !command->job_path) {
        command->job_path = word;
    } else {
        (void)word_refuse(command->name, argv + *index, command->usage);
        return false;
    }
    return true;
}

bool survey_command_has_job(const struct survey_command *command)
{
    if (!command->job_path)
        fprintf(stderr, "luaduct %s: which job?\n%s", command->name, command->usage);
    return command->job_path;
}

/* --- both ends --- */

bool survey_command_open(struct survey_command *command, int *status_out)
{
    struct error error = {0};

    if (!ends_open(&command->ends, &command->engine, command->name, command->job_path, command->datasources_path, status_out))
        return false;
    if (!survey_read(&command->survey, &command->ends, &error)) {
        *status_out = survey_command_refuse(command, &error);
        return false;
    }
    return true;
}

void survey_command_close(struct survey_command *command)
{
    survey_release(&command->survey);
    ends_close(&command->ends);
    engine_free(&command->engine);
}

int survey_command_refuse(const struct survey_command *command, const struct error *error)
{
    fflush(stdout);
    fprintf(stderr, "luaduct %s: %s\n", command->name, error->text);
    return error->kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

/* --- moving --- */

bool survey_command_is_alone(const struct survey_command *command, struct error *error)
{
    struct buffer members;

    if (!command->survey.group.member_count)
        return true;
    buffer_init(&members, 0);
    survey_members(&command->survey, &members);
    error_set(error, ERROR_FENCED, "group %s is in use by %s; stop the job on all machines first",
              command->engine.job->source.group, buffer_text(&members));
    buffer_release(&members);
    return false;
}

/* On a terminal a person has to type "yes"; elsewhere it says what to do. */
static bool confirm(const struct survey_command *command)
{
    char line[16];

    fflush(stdout);
    if (command->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "luaduct %s: nothing was changed; say --yes to do it without a terminal to ask at\n", command->name);
        return false;
    }
    printf("Type \"yes\" to do it: ");
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin) && strcmp(line, "yes\n") == 0)
        return true;
    fprintf(stderr, "luaduct %s: nothing was changed\n", command->name);
    return false;
}

int survey_command_move(struct survey_command *command, const struct buffer *plan, const struct survey_move *moves, size_t count,
                        bool with_sessions)
{
    struct survey now = {0};
    struct error error = {0};
    bool ok;

    fwrite(plan->data, 1, plan->size, stdout);
    if (!confirm(command))
        return EXIT_CONFIG;
    ok = survey_read(&now, &command->ends, &error);
    if (ok && with_sessions)
        survey_ask(&now, &command->ends, false);
    ok = ok && survey_same(&command->survey, &now, &error) && survey_store(&command->ends, moves, count, &error);
    survey_release(&now);
    if (!ok)
        return survey_command_refuse(command, &error);
    printf("done: %zu position%s stored and read back; start the job\n", count, count == 1 ? "" : "s");
    return EXIT_OK;
}
