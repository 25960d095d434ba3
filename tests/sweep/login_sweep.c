/* login_sweep.c: what a job shows to both services: tokens, passwords, certificates and credentials, from files and from
 * commands, read once and read again. A secret is taken whole or not at all, what is in use stays in use, and a change that could
 * not be read is read once it can be. No text of an error has a secret in it. librdkafka itself asserts that it has memory. */
#include "sweep/sweep.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kafka/token.h"
#include "util/clock.h"
#include "util/command.h"

#define WORD(text) ((char *)(uintptr_t)(text)) /* an argument list is not const, by an old habit of C */
/* {"sub":"me","exp":4102444800} */
#define TOKEN "h.eyJzdWIiOiJtZSIsImV4cCI6NDEwMjQ0NDgwMH0.secret"

enum { WAIT_MS = 20000 };

/* --- commands and tokens --- */

static bool command(struct error *error)
{
    char *arguments[] = {WORD("sh"), WORD("-c"), WORD("printf 'some words'; printf noise >&2"), NULL};
    int64_t end_ms = clock_monotonic_ms() + WAIT_MS;
    enum command_state state = COMMAND_FAILED;
    struct command *child = NULL;

    fault_on();
    if (command_start(&child, arguments, WAIT_MS, clock_monotonic_ms(), error)) {
        while ((state = command_step(child, clock_monotonic_ms(), error)) == COMMAND_RUNS && clock_monotonic_ms() < end_ms)
            poll(NULL, 0, 2);
        if (state == COMMAND_DONE)
            SWEEP_CHECK(str_is(command_output(child), "some words"));
        else
            SWEEP_CHECK(state == COMMAND_FAILED);
    }
    command_free(child);
    fault_off();
    return state == COMMAND_DONE;
}

static bool token(const struct job_token *from, struct error *error)
{
    struct kafka_token token = {0};
    atomic_bool stop = false;
    bool ok;

    fault_on();
    ok = kafka_token_read(from, &stop, &token, error);
    fault_off();
    SWEEP_CHECK(!ok || (strcmp(token.text, TOKEN) == 0 && strcmp(token.subject, "me") == 0));
    SWEEP_CHECK(ok || !strstr(error->text, "secret"));
    kafka_token_release(&token);
    return ok;
}

static bool token_file(struct error *error)
{
    return token(&(struct job_token){.file = WORD(sweep_file("token", TOKEN "\n"))}, error);
}

static bool token_command(struct error *error)
{
    char *arguments[] = {WORD("echo"), WORD(TOKEN), NULL};

    return token(&(struct job_token){.command = arguments}, error);
}

static const struct sweep_case cases[] = {
    {.name = "command", .run = command, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "command_io", .run = command, .flags = SWEEP_IO},
    {.name = "token_file", .run = token_file, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "token_file_io", .run = token_file, .flags = SWEEP_IO},
    {.name = "token_command", .run = token_command, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "token_command_io", .run = token_command, .flags = SWEEP_IO},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
