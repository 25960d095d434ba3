/* code.c */
#include "pipeline/code.h"

#include <stdlib.h>

struct code *code_new(const struct job *job, bool borrowed)
{
    struct code *code = xcalloc(1, sizeof(*code));

    code->job = job;
    code->borrowed = borrowed;
    code->references = 1;
    return code;
}

struct code *code_keep(struct code *code)
{
    atomic_fetch_add_explicit(&code->references, 1, memory_order_relaxed);
    return code;
}

void code_drop(struct code *code)
{
    if (!code || atomic_fetch_sub_explicit(&code->references, 1, memory_order_acq_rel) > 1)
        return;
    if (!code->borrowed)
        job_free((struct job *)(uintptr_t)code->job);
    free(code);
}

bool runner_open(struct runner **runner_out, struct code *code, const struct mc_schema *schema, struct str saved, struct log *log,
                 struct error *error)
{
    struct runner *runner = xcalloc(1, sizeof(*runner));
    bool ok = false;

    runner->code = code_keep(code);
    if (!chain_open_saved(&runner->chain, code->job, saved, NULL, log, error) ||
        !route_open_saved(&runner->route, code->job, schema, chain_state(runner->chain), saved, log, error))
        goto out;
    *runner_out = runner;
    runner = NULL;
    ok = true;
out:
    runner_free(runner);
    return ok;
}

void runner_free(struct runner *runner)
{
    if (!runner)
        return;
    route_free(runner->route);
    chain_free(runner->chain);
    code_drop(runner->code);
    free(runner);
}

bool runner_keeps_state(const struct runner *runner)
{
    return chain_keeps_state(runner->chain) || route_keeps_state(runner->route);
}

bool runner_save(struct runner *runner, struct buffer *saved, struct error *error)
{
    return chain_save(runner->chain, saved, error) && route_save(runner->route, saved, error);
}

bool runner_run(struct runner *runner, struct batch *batch, struct routed *routed, struct error *error)
{
    if (!batch_begin(batch, runner->code->job->source.fields))
        return error_set(error, ERROR_FATAL,
                         "a batch of %u records (%lld bytes) does not fit into its memory; lower runtime.batch_rows",
                         batch->message_count, (long long)batch->bytes);
    return chain_process(runner->chain, batch, error) && route_batch(runner->route, batch, routed, error);
}
