/* script_sweep.c: Lua states, modules, stages and their rows, and everything around them that is made from a job file. Lua itself
 * copes with every failure: it must come out as an error that names the stage, never as a panic. */
#include "sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

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

/* --- the kinds, and the Lua library --- */

static const char datasources[] =
    "kafka:\n  k: {brokers: \"127.0.0.1:9\"}\n"
    "maxcompute:\n  m: {endpoint: \"http://127.0.0.1:9/api\", project: p, access_id: i, access_key: kkkkkkkk}\n";
/* Clear text is seen by nobody behind `hide`. One row in ten is too young, and filtered. */
static const char kinds_text[] =
    "name: j\n"
    "source: {kafka: k, topic: t}\n"
    "stages:\n"
    "  - name: parse\n"
    "    kind: json\n"
    "    columns:\n"
    "      - {name: id, path: $.id, type: bigint, required: true}\n"
    "      - {name: phone, path: $.phone, type: string}\n"
    "      - {name: mail, path: $.mail, type: string}\n"
    "      - {name: user, path: $.user, type: string}\n"
    "      - {name: card, path: $.card, type: string}\n"
    "      - {name: age, path: $.age, type: bigint}\n"
    "      - {name: pay, path: $.pay, type: \"decimal(10,2)\"}\n"
    "      - {name: city, path: $.city, type: string}\n"
    "      - {name: at, path: $.at, type: string}\n"
    "  - name: adult\n"
    "    kind: filter\n"
    "    condition: age >= 18 and city in ('Shanghai', 'Beijing') and not (user like 'x%') and mail ~ '^[a-z0-9]+@'\n"
    "  - name: hide\n"
    "    kind: mask\n"
    "    when_error: WHEN\n"
    "    rules:\n"
    "      - {field: phone, rule: phone}\n"
    "      - {field: mail, rule: hash, algo: sha256, salt: s}\n"
    "      - {field: user, rule: pseudonym, domain: a-key}\n"
    "      - {field: card, rule: segments, segments: [{show: 4}, {cover: rest}], with: 上}\n"
    "      - {field: age, rule: interval, intervals: [{to: 30, value: young}, {from: 30, value: old}]}\n"
    "      - {field: pay, rule: round, digits: -2}\n"
    "  - name: tidy\n"
    "    kind: replace\n"
    "    rules:\n"
    "      - {field: city, find: HAI, with: '\\u6d77'}\n"
    "      - {field: at, find: '(\\d+)-(?<m>\\d+)-(\\d+)', with: '$1/${m}/$3', regex: true}\n"
    "  - name: shape\n"
    "    kind: assign\n"
    "    rename: {pay: salary}\n"
    "    cast: {id: string}\n"
    "    set:\n"
    "      - {field: kind, value: bench}\n"
    "      - {field: text, expression: \"case when salary > 100 then coalesce(nullif(city, '-'), 'none') || '-' || cast(salary "
    "as string) else 'none' end\"}\n"
    "      - {field: job, expression: \"${job}\"}\n"
    "    drop: [__key__]\n"
    "target: {maxcompute: m, table: t, create: if_missing}\n"
    "dirty: {directory: dirty}\n";

/* Zones are offsets, for named ones are GLib's, which ends the process when it has no memory. */
static const char library_text[] =
    "local luaduct = require 'luaduct'\n"
    "local stage = {}\n"
    "local regions, seen, last\n"
    "function stage.open(ctx)\n"
    "  regions = luaduct.lookup{file = 'regions.csv', key = 'city', value = 'region'}\n"
    "  seen = luaduct.counter('rows_seen', {by = 'kind'}, 'Rows.')\n"
    "  last = luaduct.gauge('row_last')\n"
    "  stage.saved = ctx.saved or {}\n"
    "end\n"
    "function stage.process(batch)\n"
    "  batch:set('masked', batch.phone:sub(1, 3):pad_right(5, 'x') .. batch.mail:hash('sm3', 's'))\n"
    "  batch:set('parts', batch.mail:upper():split_part('@', 1):replace('A', 'bb'))\n"
    "  batch:drop(batch.city:like('x%') | batch.city:matches('^(a|b)+$'))\n"
    "  batch:set('found', batch.city:extract('([a-z]+)', 1):coalesce('none'))\n"
    "  batch:map({'__value__', 'at', 'city'}, {'again string', 'day string', 'region string'}, function(value, at, city)\n"
    "    local document = luaduct.json.decode(value)\n"
    "    local time = luaduct.time.parse(at, 'yyyy/MM/dd', '+08:00'):add(1, 'month', '+08:00')\n"
    "    document.list = luaduct.json.array{1, luaduct.decimal('1.50'), luaduct.text.reverse(luaduct.text.normalize(city, "
    "'NFC'))}\n"
    "    document.phone = nil\n"
    "    seen:add(1)\n"
    "    last:set(document.id)\n"
    "    return luaduct.json.encode(document), time:format('yyyy-MM-dd EEE', '+00:00'),\n"
    "      (regions:get(city) or 'none') .. luaduct.hash('md5', city)\n"
    "  end)\n"
    "end\n"
    "function stage.save() return {list = {1, 2.5, 'x', [luaduct.decimal('1.5')] = true}} end\n"
    "return stage\n";

static void add_person(struct batch *batch, struct buffer *text, int i)
{
    buffer_clear(text);
    buffer_print(text,
                 "{\"id\":%d,\"phone\":\"1380013%04d\",\"mail\":\"ann%d@example.com\",\"user\":\"Ann%d\",\"card\":\"62220212%d\","
                 "\"age\":%d,"
                 "\"pay\":\"12%d.50\",\"city\":\"Shanghai\",\"at\":\"2024-01-%02d\"}",
                 i, i, i, i, i, i % 10 ? 18 + i : 9, i, 1 + i % 30);
    batch_add_message(
        batch, &(struct message){.value = arena_try_copy(&batch->arena, buffer_str(text)), .key = STR("k"), .offset = i}, NULL);
}

static struct str text_of(struct batch *batch, const char *field, uint32_t row)
{
    struct column *column = batch_column(batch, batch_field(batch, str_of(field)));

    SWEEP_CHECK(column && column->type.kind == TYPE_STRING);
    return column_is_null(column, row) ? STR_NONE : column->text[row];
}

/* Of a row that goes on. Where errors become NULL a field may be that. */
static void check_person(struct batch *batch, uint32_t row, bool or_null)
{
    static const char *const hidden[] = {"phone", "mail", "user", "card", "age"};
    int i = (int)batch_message(batch, row)->offset;
    char clear[5][32];

    snprintf(clear[0], sizeof(clear[0]), "1380013%04d", i);
    snprintf(clear[1], sizeof(clear[1]), "ann%d@example.com", i);
    snprintf(clear[2], sizeof(clear[2]), "Ann%d", i);
    snprintf(clear[3], sizeof(clear[3]), "62220212%d", i);
    snprintf(clear[4], sizeof(clear[4]), "%d", 18 + i);
    for (size_t k = 0; k < COUNT_OF(hidden); k++) {
        struct str text = text_of(batch, hidden[k], row);

        SWEEP_CHECK(text.data ? !str_is(text, clear[k]) : or_null);
        if (!text.data)
            continue;
        SWEEP_CHECK(k != 0 || memmem(text.data, text.size, "****", 4));
        SWEEP_CHECK(k != 1 || text.size == 64);
        SWEEP_CHECK(k != 3 || (str_starts_with(text, STR("6222上上"))));
        SWEEP_CHECK(k != 4 || str_is(text, 18 + i < 30 ? "young" : "old"));
    }
}

static bool kinds(const char *when_error, bool library, struct error *error)
{
    static const char *const digests[] = {"sha256", "sm3", "md5"};
    struct report *report;
    struct job *job = NULL;
    struct chain *chain = NULL, *next = NULL;
    struct batch *batch = NULL;
    struct metrics *metrics = NULL;
    struct buffer text, records, saved;
    struct log *log;
    const char *at = strstr(kinds_text, "WHEN"), *path;
    bool ok;

    buffer_init(&records, 0);
    buffer_init(&saved, 0);
    buffer_init(&text, 0);
    buffer_append(&text, kinds_text, (size_t)(at - kinds_text));
    buffer_print(&text, "%s", when_error);
    for (at += 4; *at && strncmp(at, "target:", 7) != 0; at++)
        buffer_append_char(&text, *at);
    if (library)
        buffer_append_str(&text, STR("  - {name: look, kind: lua, file: stage.lua}\n"));
    buffer_append_str(&text, str_of(at));
    (void)sweep_file("regions.csv", "city,region\nShang海,east\nBeijing,north\n");
    (void)sweep_file("stage.lua", library_text);
    (void)sweep_file("datasources.yaml", datasources);
    path = sweep_file("job.yaml", buffer_text(&text));
    buffer_clear(&text);
    /* OpenSSL does not get over a failure of its own set-up, which a process goes through once for each method. */
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        EVP_MD_free(EVP_MD_fetch(NULL, digests[i], NULL));
    EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL));

    fault_on();
    report = report_new();
    log = log_new(NULL, "j");
    metrics = metrics_new("j");
    ok = job_load(&job, path, NULL, report) && chain_open(&chain, job, report, log, error);
    if (ok) {
        batch = batch_new(4 << 20);
        ok = chain_probe(chain, job, batch, report, error);
    }
    if (ok) {
        script_state_count(chain_state(chain), metrics);
        batch_clear(batch);
        fault_off();
        for (int i = 0; i < ROWS; i++)
            add_person(batch, &records, i);
        fault_on();
        ok = (batch_begin(batch, job->source.fields) || error_set(error, ERROR_DATA, "no room for a batch")) &&
             chain_process(chain, batch, error) && chain_save(chain, &saved, error) &&
             chain_open_saved(&next, job, buffer_str(&saved), NULL, log, error);
    }
    fault_off();
    if (!ok && !error->text[0]) {
        report_print(report, &text);
        error_set(error, ERROR_CONFIG, "%s", buffer_text(&text));
    }
    if (ok) {
        SWEEP_CHECK(report_mistakes(report) == 0);
        SWEEP_CHECK(batch->selected + batch->dirty_count + batch->filtered_count == ROWS && batch->filtered_count <= ROWS / 10);
        SWEEP_CHECK(fault_struck() || batch->selected == ROWS - ROWS / 10);
        for (const struct dirty_row *row = batch->dirty; row; row = row->next)
            SWEEP_CHECK(fault_struck() && memmem(row->reason.data, row->reason.size, "memory", 6));
        for (uint32_t i = 0; i < batch->selected; i++)
            check_person(batch, batch->selection[i], strcmp(when_error, "null") == 0);
    }
    chain_free(next);
    chain_free(chain);
    batch_free(batch);
    metrics_free(metrics);
    job_free(job);
    report_free(report);
    log_free(log);
    buffer_release(&text);
    buffer_release(&records);
    buffer_release(&saved);
    return ok;
}

static bool kinds_dirty(struct error *error)
{
    return kinds("dirty", false, error);
}

static bool kinds_null(struct error *error)
{
    return kinds("\"null\"", false, error);
}

static bool library(struct error *error)
{
    return kinds("dirty", true, error);
}

static const struct sweep_case cases[] = {
    {.name = "stage", .run = stage, .flags = SWEEP_STOPS, .points = 50},
    {.name = "job", .run = job, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 50},
    {.name = "kinds", .run = kinds_dirty, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 60},
    {.name = "kinds_null", .run = kinds_null, .flags = SWEEP_STOPS, .points = 30},
    {.name = "library", .run = library, .flags = SWEEP_STOPS | SWEEP_LIBRARIES, .points = 60},
    {.name = "library_files", .run = library, .flags = SWEEP_IO, .points = 5},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
