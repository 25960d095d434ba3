/* token.c: see token.h. */
#include "kafka/token.h"

#include <stdlib.h>
#include <time.h>
#include <yyjson.h>

#include "util/clock.h"
#include "util/command.h"
#include "util/file.h"

enum { TOKEN_BYTES_MAX = 64 << 10 };

static int base64url_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '-'             ? 62
           : c == '_'             ? 63
                                  : -1;
}

/* RFC 7515, appendix C: no padding. */
static bool base64url_decode(struct str text, struct buffer *bytes)
{
    unsigned bits = 0, count = 0;

    for (size_t i = 0; i < text.size; i++) {
        int value = base64url_value(text.data[i]);

        if (value < 0)
            return false;
        bits = bits << 6 | (unsigned)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buffer_append_char(bytes, (char)(bits >> count));
        }
    }
    return true;
}

bool kafka_token_parse(struct str text, struct kafka_token *token_out, struct error *error)
{
    struct str head, claims, signature;
    struct buffer json;
    yyjson_doc *document = NULL;
    yyjson_val *root, *expires;
    const char *subject;
    bool ok = false;

    memset(token_out, 0, sizeof(*token_out));
    buffer_init(&json, 0);
    text = str_trim(text);
    if (!text.size) {
        error_set(error, ERROR_RETRY, "there is no token in it");
        goto out;
    }
    if (!str_cut(text, '.', &head, &claims) || !str_cut(claims, '.', &claims, &signature) || !base64url_decode(claims, &json)) {
        error_set(error, ERROR_CONFIG, "what it holds is no signed token (JWT: three parts with points between)");
        goto out;
    }
    document = yyjson_read(buffer_text(&json), json.size, 0);
    root = yyjson_doc_get_root(document);
    expires = yyjson_obj_get(root, "exp");
    if (!yyjson_is_num(expires) || yyjson_get_num(expires) < 1 || yyjson_get_num(expires) > 1e11) {
        error_set(error, ERROR_CONFIG, "the token has no claim \"exp\", so it is not known how long it lives");
        goto out;
    }
    subject = yyjson_get_str(yyjson_obj_get(root, "sub"));
    token_out->expires_ms = (int64_t)(yyjson_get_num(expires) * 1000);
    token_out->subject = xstrdup(subject ? subject : "");
    token_out->text = str_dup(text);
    ok = true;
out:
    yyjson_doc_free(document);
    buffer_release(&json);
    return ok;
}

static bool command_run(char *const *arguments, const atomic_bool *stop, struct buffer *text, struct error *error)
{
    static const struct timespec pause = {.tv_nsec = COMMAND_LOOK_MS * 1000000L};
    enum command_state state;
    struct command *command;

    if (!command_start(&command, arguments, KAFKA_TOKEN_COMMAND_MS, clock_monotonic_ms(), error))
        return false;
    while ((state = command_step(command, clock_monotonic_ms(), error)) == COMMAND_RUNS && !atomic_load(stop))
        nanosleep(&pause, NULL);
    if (state == COMMAND_DONE)
        buffer_append_str(text, command_output(command));
    else if (state == COMMAND_RUNS)
        error_set(error, ERROR_RETRY, "the command was ended, because the job stops");
    command_free(command);
    return state == COMMAND_DONE;
}

bool kafka_token_read(const struct job_token *from, const atomic_bool *stop, struct kafka_token *token_out, struct error *error)
{
    struct buffer text;
    bool ok;

    buffer_init(&text, TOKEN_BYTES_MAX);
    ok = from->file ? file_read(&text, from->file, TOKEN_BYTES_MAX, NULL, error) : command_run(from->command, stop, &text, error);
    if (!ok) {
        error->kind = ERROR_RETRY;
    } else if (!kafka_token_parse(buffer_str(&text), token_out, error)) {
        ok = error_wrap(error, "%s", from->file ? from->file : from->command[0]);
    } else if (token_out->expires_ms <= clock_wall_ms()) {
        error_set(error, ERROR_RETRY, "the token of %s has expired; renew it (or correct this machine's clock)",
                  from->file ? from->file : from->command[0]);
        kafka_token_release(token_out);
        ok = false;
    }
    buffer_release(&text);
    return ok;
}

void kafka_token_release(struct kafka_token *token)
{
    free(token->text);
    free(token->subject);
    memset(token, 0, sizeof(*token));
}
