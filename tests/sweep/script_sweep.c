/* script_sweep.c: Lua states, modules, stages and their rows, and everything around them that is made from a job file. Lua itself
 * copes with every failure: it must come out as an error that names the stage, never as a panic. */
#include "sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>

#include "job/job.h"
#include "job/report.h"
#include "local/orders.h"
#include "route/route.h"
#include "script/script.h"
#include "stages/chain.h"

enum { ROWS = 60 };

/* Something of every part of the API. */
static const char stage_text[] =
    "local luaduct = require 'luaduct'\n"
    "local stage = {}\n"
    "local known = {}\n"
    "function stage.open(ctx)\n"
    "  for i, v in ipairs(ctx.options.list or {}) do known[v] = i end\n"
    "  stage.limit = luaduct.decimal('12.50')\n"
    "end\n"
    "function stage.process(batch)\n"
    "  batch:set('whole', batch.n * 2 + 1)\n"
    "  batch:set('text', luaduct.choose(batch.n:gt(5), 'high', 'low') .. batch.t)\n"
    "  batch:set('cast', batch.n:cast('decimal(20,2)'))\n"
    "  batch:map({'n', 't'}, {'m string', 'd'}, function(n, t)\n"
    "    local parts = {}\n"
    "    for i = 1, 30 do parts[#parts + 1] = t .. i end\n"
    "    return table.concat(parts, ',') .. string.rep('x', 600), luaduct.decimal(tostring(n)) * stage.limit\n"
    "  end)\n"
    "  batch:add('note', 'string')\n"
    "  batch:add('list', 'bigint')\n"
    "  for row in batch:rows() do\n"
    "    local text = row.t:upper():gsub('E', 'e')\n"
    "    row.note = text .. tostring(row.d)\n"
    "    row.list = row.n + 1\n"
    "  end\n"
    "end\n"
    "function stage.partition(batch)\n"
    "  return { batch.text, batch.m }\n"
    "end\n"
    "return stage\n";

static struct column *numbered(struct batch *batch, const char *name, struct type type)
{
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, false);

    if (!column || !batch_set(batch, str_of(name), column))
        return NULL;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        if (type.kind == TYPE_BIGINT)
            column->bigint[i] = i;
        else
            column->text[i] = STR("text");
    }
    return column;
}

static bool stage(struct error *error)
{
    struct script_limits limits = {16 << 20, 50000000};
    struct script_module *module = NULL;
    struct column *columns[4];
    struct script_state *state;
    struct batch *batch;
    struct log *log;
    size_t count = 0;
    bool ok;
    struct script_source source = {.stage = "look", .path = sweep_file("stage.lua", stage_text)};

    fault_on();
    log = log_new(NULL, "j");
    batch = batch_new(16 << 20);
    for (int i = 0; i < ROWS; i++)
        batch_add_message(batch, &(struct message){.value = STR("{}"), .key = STR("k"), .offset = i}, NULL);
    state = script_state_new(&limits, log);
    ok = script_module_open(state, &source, &module, error);
    if (ok && (!batch_begin(batch, (1u << BUILTIN_COUNT) - 1) || !numbered(batch, "n", TYPE_OF(TYPE_BIGINT)) ||
               !numbered(batch, "t", TYPE_OF(TYPE_STRING))))
        ok = error_set(error, ERROR_DATA, "no room for a batch");
    batch->stage = "look";
    ok = ok && script_process(module, batch, error) && script_partition(module, batch, columns, 4, &count, error);
    fault_off();
    if (ok) {
        SWEEP_CHECK(batch->selected + batch->dirty_count == ROWS);
        SWEEP_CHECK(!batch->selected || count == 2);
        for (const struct dirty_row *row = batch->dirty; row; row = row->next)
            fprintf(stderr, "%.*s\n", STR_ARG(row->reason));
        /* A row that memory failed says so. */
        for (const struct dirty_row *row = batch->dirty; row; row = row->next)
            SWEEP_CHECK(fault_struck() && memmem(row->reason.data, row->reason.size, "memory", 6));
    }
    script_state_free(state);
    batch_free(batch);
    log_free(log);
    return ok;
}

/* From two YAML files over the checks and the stages to rows for the table partitions. */
static bool job(struct error *error)
{
    struct report *report;
    struct job *job = NULL;
    struct chain *chain = NULL;
    struct batch *batch = NULL;
    struct route *route = NULL;
    struct mc_schema schema = {0};
    struct routed routed = {0};
    struct buffer text;
    struct log *log;
    struct orders orders;
    struct buffer records;
    size_t ends[ROWS];
    char key[64];
    uint32_t rows = 0;
    bool ok;

    buffer_init(&records, 0);
    orders_init(&orders, 1, 0, false, 0, ROWS, 0);
    for (int i = 0; i < ROWS; i++) {
        orders_next(&orders, &records, key);
        ends[i] = records.size;
    }
    buffer_init(&text, 0);
    fault_on();
    report = report_new();
    log = log_new(NULL, "j");
    ok = job_load(&job, "tests/bench/columns.yaml", NULL, report) && chain_open(&chain, job, report, log, error);
    if (ok) {
        batch = batch_new(4 << 20);
        ok = chain_probe(chain, job, batch, report, error) && route_create_schema(job, batch, &schema, report) &&
             route_check(job, &schema, batch, report);
    }
    if (ok)
        route_describe(job, &schema, batch, &text);
    ok = ok && route_open(&route, job, &schema, chain_state(chain), log, error);
    if (ok) {
        batch_clear(batch);
        for (int i = 0; i < ROWS; i++)
            batch_add_message(
                batch,
                &(struct message){.value = str_make(records.data + (i ? ends[i - 1] : 0), ends[i] - (i ? ends[i - 1] : 0)),
                                  .offset = i,
                                  .timestamp_ms = 1700000000000},
                NULL);
        ok = (batch_begin(batch, job->source.fields) || error_set(error, ERROR_DATA, "no room for a batch")) &&
             chain_process(chain, batch, error) && route_batch(route, batch, &routed, error);
    }
    fault_off();
    if (!ok && !error->text[0]) {
        struct buffer mistakes;

        buffer_init(&mistakes, 0);
        report_print(report, &mistakes);
        error_set(error, ERROR_CONFIG, "%s", buffer_text(&mistakes));
        buffer_release(&mistakes);
    }
    for (size_t i = 0; ok && i < routed.group_count; i++)
        rows += routed.groups[i].count;
    if (ok) {
        SWEEP_CHECK(report_mistakes(report) == 0 && rows == batch->selected);
        SWEEP_CHECK(batch->selected + batch->dirty_count + batch->filtered_count == ROWS);
        for (const struct dirty_row *row = batch->dirty; row; row = row->next)
            SWEEP_CHECK(fault_struck() && memmem(row->reason.data, row->reason.size, "memory", 6));
    }
    route_free(route);
    chain_free(chain);
    batch_free(batch);
    mc_schema_release(&schema);
    job_free(job);
    report_free(report);
    log_free(log);
    buffer_release(&text);
    buffer_release(&records);
    return ok;
}

static const struct sweep_case cases[] = {
    {.name = "stage", .run = stage, .flags = SWEEP_STOPS, .points = 50},
    {.name = "job", .run = job, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 50},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
