/* target.c */
#include "cli/target.h"

static bool answer_read(struct engine *engine, struct client_call *answer, struct mc_schema *schema_out, bool *there_out,
                        struct error *error)
{
    *there_out = true;
    if (!answer) {
        engine_no_answer(engine, error);
        return false;
    }
    if (answer->status == 404 &&
        (!answer->code[0] || strcmp(answer->code, "NoSuchTable") == 0 || strcmp(answer->code, "NoSuchObject") == 0)) {
        *there_out = false;
        return engine->job->target.create == CREATE_IF_MISSING ||
               error_set(error, ERROR_FATAL, "table %s does not exist; create it, or say `create: if_missing` under target",
                         engine->table);
    }
    if (!answer->ok) {
        *error = answer->error;
        return false;
    }
    return mc_table_parse(schema_out, answer->response, error);
}

bool target_ask(struct engine *engine, struct mc_schema *schema_out, bool *there_out, struct error *error)
{
    struct client_call *answer;
    struct buffer resource;
    bool ok;

    buffer_init(&resource, 0);
    client_table_resource(engine->client, CLIENT_CONTROL, engine->job->target.table, &resource);
    answer = engine_ask(engine, client_call_new(CLIENT_CONTROL, "GET", buffer_take(&resource, NULL)));
    ok = answer_read(engine, answer, schema_out, there_out, error);
    client_call_free(answer);
    return ok || error_wrap(error, "target");
}
