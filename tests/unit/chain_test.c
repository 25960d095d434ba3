/* chain_test.c: stages in order, their options' places, the probe; and the example stages that ship with the project. */
#include "support/script_support.h"

#include "stages/chain.h"

static struct tree_node *scalar(const char *text, unsigned line)
{
    struct tree_node *node = xcalloc(1, sizeof(*node));

    node->kind = TREE_SCALAR;
    node->text = (struct str){xstrdup(text), strlen(text)};
    node->at = (struct location){"job.yaml", line, 5};
    node->width = (unsigned)strlen(text);
    return node;
}

static struct tree_node *map_new(unsigned line)
{
    struct tree_node *node = xcalloc(1, sizeof(*node));

    node->kind = TREE_MAP;
    node->at = (struct location){"job.yaml", line, 3};
    node->width = 1;
    return node;
}

static void map_add(struct tree_node *map, const char *key, struct tree_node *value)
{
    map->entries = xrealloc(map->entries, (map->count + 1) * sizeof(*map->entries));
    map->entries[map->count++] = (struct tree_entry){{xstrdup(key), strlen(key)}, value->at, value};
}

static void list_add(struct tree_node *list, struct tree_node *value)
{
    list->kind = TREE_LIST;
    list->items = xrealloc(list->items, (list->count + 1) * sizeof(struct tree_node *));
    list->items[list->count++] = value;
}

static struct tree_node *json_column(const char *name, const char *path, const char *type, unsigned line)
{
    struct tree_node *map = map_new(line);

    map_add(map, "name", scalar(name, line));
    map_add(map, "path", scalar(path, line));
    map_add(map, "type", scalar(type, line));
    map_add(map, "required", scalar("true", line));
    return map;
}

struct chain_bed {
    struct job job;
    struct job_stage stages[3];
    struct log *log;
    struct report *report;
    struct chain *chain;
    struct error error;
};

static void chain_bed_init(struct chain_bed *bed)
{
    memset(bed, 0, sizeof(*bed));
    bed->job.stages = bed->stages;
    bed->job.runtime.lua_memory_max = 32 << 20;
    bed->job.runtime.lua_instructions_max = 10000000;
    bed->job.source.fields = (1u << BUILTIN_COUNT) - 1;
    bed->job.time_zone = (char *)"+08:00";
    bed->log = log_new(NULL, "test");
    bed->report = report_new();
}

static void chain_bed_release(struct chain_bed *bed)
{
    chain_free(bed->chain);
    for (size_t i = 0; i < bed->job.stage_count; i++)
        tree_free(bed->stages[i].options);
    report_free(bed->report);
    log_free(bed->log);
}

static void add_stage(struct chain_bed *bed, const char *name, const char *kind, const char *file, struct tree_node *options)
{
    size_t index = bed->job.stage_count++;

    bed->stages[index] = (struct job_stage){
        .name = (char *)name,
        .kind = (char *)kind,
        .file = (char *)file,
        .options = options,
        .at = {"job.yaml", 10 * (unsigned)(index + 1), 1},
        .width = 3,
    };
}

static struct tree_node *order_options(const char *amount_type)
{
    struct tree_node *options = map_new(2), *columns = map_new(3);

    list_add(columns, json_column("id", "$.id", "bigint", 4));
    list_add(columns, json_column("amount", "$.amount", amount_type, 5));
    list_add(columns, json_column("flag", "$.flag", "boolean", 6));
    map_add(options, "name", scalar("parse", 2));
    map_add(options, "kind", scalar("json", 2));
    map_add(options, "columns", columns);
    return options;
}

static void open_or_fail(struct chain_bed *bed)
{
    if (!chain_open(&bed->chain, &bed->job, bed->report, bed->log, &bed->error))
        fail_msg("%s", bed->error.text);
}

static const char *report_text(struct chain_bed *bed, struct buffer *text)
{
    buffer_init(text, 0);
    report_print(bed->report, text);
    return buffer_text(text);
}

static void counts_are(const struct chain_counts *counts, uint64_t rows_in, uint64_t rows_out, uint64_t filtered, uint64_t dirty)
{
    assert_int_equal(counts->rows_in, rows_in);
    assert_int_equal(counts->rows_out, rows_out);
    assert_int_equal(counts->filtered, filtered);
    assert_int_equal(counts->dirty, dirty);
    assert_int_equal(rows_in + counts->expanded, rows_out + filtered + dirty);
}

/* The job `columns` of the benchmark: json and then level_by_amount.lua. */
static void test_orders(void **test_state)
{
    static const char *const values[] = {
        "{\"id\":1,\"amount\":\"100.00\",\"flag\":true}",  "{\"id\":2,\"amount\":\"100.01\",\"flag\":true}",
        "{\"id\":3,\"amount\":\"500.00\",\"flag\":false}", "{\"id\":4,\"amount\":\"400.01\",\"flag\":true}",
        "{\"id\":5,\"amount\":\"800.00\",\"flag\":true}",  "{\"id\":6,\"amount\":\"800.01\",\"flag\":true}",
        "{\"id\":7,\"amount\":\"800.015\",\"flag\":true}", "no json",
    };
    struct chain_counts none;
    struct chain_bed bed;
    struct stage_bed show = {0};
    char text[400];

    (void)test_state;
    chain_bed_init(&bed);
    add_stage(&bed, "parse", "json", NULL, order_options("decimal(10,2)"));
    add_stage(&bed, "level", "lua", TEST_SOURCE_DIR "/scripts/examples/level_by_amount.lua", NULL);
    open_or_fail(&bed);
    show.batch = batch_new(16 << 20);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct message message = {.value = str_of(values[i]), .offset = (int64_t)i};

        batch_add_message(show.batch, &message, NULL);
    }
    assert_true(batch_begin(show.batch, 1u << BUILTIN_VALUE));
    assert_true(chain_process(bed.chain, show.batch, &bed.error));
    assert_string_equal(bed_show(&show, "id", text), "2|4|5|6");
    assert_string_equal(bed_show(&show, "level", text), "bronze|silver|silver|gold");
    assert_int_equal(show.batch->dirty_count, 2);
    assert_string_equal(show.batch->dirty->stage, "parse");
    bed_check_counts(&show);
    counts_are(chain_counts(bed.chain, 0), 8, 6, 0, 2);
    counts_are(chain_counts(bed.chain, 1), 6, 4, 2, 0);
    assert_true(chain_counts(bed.chain, 1)->nanoseconds > 0);
    assert_false(chain_decoder_counts(bed.chain, &none));
    assert_false(chain_keeps_state(bed.chain));
    assert_non_null(chain_state(bed.chain));
    batch_free(show.batch);
    chain_bed_release(&bed);
}

static void test_wrong_options_have_their_places(void **test_state)
{
    struct chain_bed bed;
    struct tree_node *options = order_options("decimel(10,2)");
    struct batch *batch = batch_new(4 << 20);
    struct buffer text;
    const char *printed;

    (void)test_state;
    chain_bed_init(&bed);
    list_add(tree_get(options, "columns"), json_column("x", "$.[", "string", 7));
    add_stage(&bed, "parse", "json", NULL, options);
    add_stage(&bed, "own", "lua", TEST_SOURCE_DIR "/no_such_file.lua", NULL);
    open_or_fail(&bed);
    assert_false(chain_probe(bed.chain, &bed.job, batch, bed.report, &bed.error));
    assert_int_equal(report_mistakes(bed.report), 3);
    printed = report_text(&bed, &text);
    assert_non_null(strstr(printed, "job.yaml:5:5: stage parse: columns[2].type"));
    assert_non_null(strstr(printed, "job.yaml:7:7: stage parse: columns[4].path"));
    assert_non_null(strstr(printed, "job.yaml:20:1: stage own: cannot read"));
    assert_non_null(strstr(bed.error.text, "stage parse: columns[2].type"));
    buffer_release(&text);
    /* It has half a stage parse and no stage own, or no stage at all: no record may go through. */
    batch_clear(batch);
    batch_add_message(batch, &(struct message){.value = STR("{}")}, NULL);
    assert_true(batch_begin(batch, bed.job.source.fields));
    assert_false(chain_process_one(bed.chain, batch, 0, &bed.error));
    assert_non_null(strstr(bed.error.text, "stage parse: columns[2].type"));
    chain_free(bed.chain);
    bed.job.stages++;
    bed.job.stage_count--;
    open_or_fail(&bed);
    assert_false(chain_process(bed.chain, batch, &bed.error));
    assert_non_null(strstr(bed.error.text, "stage own: cannot read"));
    chain_free(bed.chain);
    bed.job.stages--;
    bed.job.stage_count++;
    bed.chain = NULL;
    assert_false(chain_open(&bed.chain, &bed.job, NULL, bed.log, &bed.error));
    assert_non_null(strstr(bed.error.text, "stage parse: columns[2].type"));
    batch_free(batch);
    chain_bed_release(&bed);
}

static void test_probe(void **test_state)
{
    struct chain_bed bed;
    struct batch *batch = batch_new(4 << 20);
    struct buffer text;

    (void)test_state;
    chain_bed_init(&bed);
    add_stage(&bed, "parse", "json", NULL, order_options("decimal(10,2)"));
    add_stage(&bed, "level", "lua", TEST_SOURCE_DIR "/scripts/examples/level_by_amount.lua", NULL);
    open_or_fail(&bed);
    assert_true(chain_probe(bed.chain, &bed.job, batch, bed.report, &bed.error));
    assert_non_null(batch_field(batch, STR("level")));
    assert_int_equal(batch_field(batch, STR("level"))->column->type.kind, TYPE_STRING);
    assert_int_equal(batch_field(batch, STR("amount"))->column->type.kind, TYPE_DECIMAL);
    chain_free(bed.chain);
    bed.chain = NULL;

    /* Without the json stage there is no field amount. */
    bed.job.stages++;
    bed.job.stage_count--;
    assert_true(chain_open(&bed.chain, &bed.job, bed.report, bed.log, &bed.error));
    assert_false(chain_probe(bed.chain, &bed.job, batch, bed.report, &bed.error));
    assert_int_equal(report_mistakes(bed.report), 1);
    assert_non_null(strstr(report_text(&bed, &text), "job.yaml:20:1: stage level: level_by_amount.lua:"));
    assert_non_null(strstr(buffer_text(&text), "there is no field or method \"amount\"; the fields are: __"));
    buffer_release(&text);
    bed.job.stages--;
    bed.job.stage_count++;
    batch_free(batch);
    chain_bed_release(&bed);
}

static struct tree_node *filter_options(const char *condition, unsigned line, const char *quote)
{
    struct tree_node *options = map_new(line), *node = scalar(condition, line);

    node->quoted = *quote;
    if (*quote)
        node->raw = str_of(xasprintf("%s%s%s", quote, condition, quote));
    node->width = *quote ? 2 : 0;
    for (const char *c = condition; *c; c++)
        node->width += ((unsigned char)*c & 0xC0) != 0x80;
    map_add(options, "condition", node);
    return options;
}

static struct job_stage filter_stage(const char *name, struct tree_node *options)
{
    return (struct job_stage){.name = (char *)name, .kind = (char *)"filter", .options = options, .at = {"job.yaml", 90, 1}};
}

/* Every wrong expression of every stage is told at once, with its place inside the text where that stands in one line. */
static void test_wrong_expressions_have_their_places(void **test_state)
{
    static const char *const wanted[] = {
        "job.yaml:4:13: stage a: condition: there is no field \"amoun\" here; did you mean \"amount\"?",
        "job.yaml:5:10: stage b: condition: a string and a decimal(10,2) do not compare;", /* one more for the quote, 上 counts once */
        "job.yaml:6:5: stage c: condition: at character 8: there is no field \"fla\"",
        "job.yaml:7:5: stage d: condition: this must give a boolean and gives a bigint; compare it with something",
    };
    struct chain_bed bed;
    struct job_stage stages[6];
    struct batch *batch = batch_new(4 << 20);
    struct buffer text;

    (void)test_state;
    chain_bed_init(&bed);
    bed.job.stages = stages;
    bed.job.stage_count = 5;
    stages[0] = (struct job_stage){.name = (char *)"parse", .kind = (char *)"json", .options = order_options("decimal(10,2)")};
    stages[1] = filter_stage("a", filter_options("flag or amoun = 1", 4, ""));
    stages[2] = filter_stage("b", filter_options("'上' < amount", 5, "\""));
    stages[3] = filter_stage("c", filter_options("flag = fla", 6, "'"));
    stages[3].options->entries[0].value->written = str_of(xstrdup("${env:CONDITION}"));
    stages[4] = filter_stage("d", filter_options("id + 1", 7, ""));
    open_or_fail(&bed);
    assert_false(chain_probe(bed.chain, &bed.job, batch, bed.report, &bed.error));
    assert_int_equal(report_mistakes(bed.report), 4);
    report_text(&bed, &text);
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        if (!strstr(buffer_text(&text), wanted[i]))
            fail_msg("%s\nis not in\n%s", wanted[i], buffer_text(&text));
    assert_non_null(strstr(bed.error.text, "stage a: condition: there is no field"));
    /* Without a report, the first one is the error. */
    assert_false(chain_probe(bed.chain, &bed.job, batch, NULL, &bed.error));
    assert_non_null(strstr(bed.error.text, "stage a: condition: there is no field"));
    buffer_release(&text);
    chain_free(bed.chain);
    bed.chain = NULL;

    /* Syntax is told when the stages are opened, and the others' types all the same. */
    tree_free(stages[1].options);
    stages[1].options = filter_options("flag nad flag", 4, "");
    report_free(bed.report);
    bed.report = report_new();
    open_or_fail(&bed);
    assert_false(chain_probe(bed.chain, &bed.job, batch, bed.report, &bed.error));
    assert_non_null(strstr(bed.error.text, "condition: an operator or the end is wanted here, not \"nad\"; did you mean \"and\"?"));
    assert_int_equal(report_mistakes(bed.report), 4);
    report_text(&bed, &text);
    assert_non_null(strstr(buffer_text(&text), "job.yaml:4:10: stage a: condition: an operator"));
    assert_non_null(strstr(buffer_text(&text), wanted[1]));
    chain_free(bed.chain);
    bed.chain = NULL;
    assert_false(chain_open(&bed.chain, &bed.job, NULL, bed.log, &bed.error));
    assert_non_null(strstr(bed.error.text, "stage a: condition: an operator"));
    buffer_release(&text);
    batch_free(batch);
    for (size_t i = 0; i < bed.job.stage_count; i++)
        tree_free(stages[i].options);
    bed.job.stage_count = 0;
    chain_bed_release(&bed);
}

static void run_filter(const char *condition, enum when_error when_error, const char *ids, uint32_t filtered, uint32_t dirty)
{
    static const char *const values[] = {"{\"id\":1,\"amount\":1}", "{\"id\":2,\"amount\":0}", "{\"id\":3,\"amount\":10}", "{\"id\":4}"};
    struct chain_bed bed;
    struct stage_bed show = {0};
    struct job_stage stages[2];
    char text[400];

    chain_bed_init(&bed);
    bed.job.name = (char *)"orders";
    bed.job.stages = stages;
    bed.job.stage_count = 2;
    stages[0] = (struct job_stage){.name = (char *)"parse", .kind = (char *)"json", .options = order_options("decimal(10,2)")};
    tree_free(stages[0].options->entries[2].value);
    stages[0].options->entries[2].value = map_new(3);
    list_add(stages[0].options->entries[2].value, json_column("id", "$.id", "bigint", 4));
    list_add(stages[0].options->entries[2].value, json_column("amount", "$.amount", "bigint", 4));
    free((char *)stages[0].options->entries[2].value->items[1]->entries[3].value->text.data);
    stages[0].options->entries[2].value->items[1]->entries[3].value->text = (struct str){xstrdup("false"), 5};
    stages[1] = filter_stage("keep", filter_options(condition, 4, ""));
    stages[1].when_error = when_error;
    open_or_fail(&bed);
    show.batch = batch_new(16 << 20);
    for (size_t i = 0; i < COUNT_OF(values); i++)
        batch_add_message(show.batch, &(struct message){.value = str_of(values[i]), .offset = (int64_t)i}, NULL);
    assert_true(batch_begin(show.batch, 1u << BUILTIN_VALUE));
    if (!chain_process(bed.chain, show.batch, &bed.error)) {
        assert_int_equal(when_error, WHEN_ERROR_STOP);
        assert_non_null(strstr(bed.error.text, "offset 1: 10 / amount: division by zero"));
    } else {
        assert_string_equal(bed_show(&show, "id", text), ids);
        assert_int_equal(show.batch->filtered_count, filtered);
        assert_int_equal(show.batch->dirty_count, dirty);
        bed_check_counts(&show);
    }
    batch_free(show.batch);
    tree_free(stages[0].options);
    tree_free(stages[1].options);
    bed.job.stage_count = 0;
    chain_bed_release(&bed);
}

static void test_filter(void **test_state)
{
    (void)test_state;
    run_filter("amount > 0", WHEN_ERROR_DIRTY, "1|3", 2, 0);
    run_filter("not (amount > 0)", WHEN_ERROR_DIRTY, "2", 3, 0);
    run_filter("amount is null", WHEN_ERROR_DIRTY, "4", 3, 0);
    run_filter("10 / amount = 1", WHEN_ERROR_DIRTY, "3", 2, 1);
    run_filter("10 / amount = 1", WHEN_ERROR_DROP, "3", 3, 0);
    run_filter("10 / amount = 1", WHEN_ERROR_NULL, "3", 3, 0);
    run_filter("10 / amount = 1", WHEN_ERROR_STOP, "", 0, 0);
    run_filter("${job} = 'orders' and ${topic} = '' and ${now} >= ${execute_time}", WHEN_ERROR_DIRTY, "1|2|3|4", 0, 0);
    run_filter("null and true", WHEN_ERROR_DIRTY, "", 4, 0);
    run_filter("true", WHEN_ERROR_DIRTY, "1|2|3|4", 0, 0);
}

static void test_stop_names_stage_and_row(void **test_state)
{
    struct chain_bed bed;
    struct batch *batch = batch_new(4 << 20);
    struct message message = {.value = STR("no json"), .offset = 77};

    (void)test_state;
    chain_bed_init(&bed);
    add_stage(&bed, "parse", "json", NULL, order_options("decimal(10,2)"));
    bed.stages[0].when_error = WHEN_ERROR_STOP;
    open_or_fail(&bed);
    batch_add_message(batch, &message, NULL);
    assert_true(batch_begin(batch, 1u << BUILTIN_VALUE));
    assert_false(chain_process(bed.chain, batch, &bed.error));
    assert_non_null(strstr(bed.error.text, "stage parse: partition"));
    assert_non_null(strstr(bed.error.text, "offset 77"));
    batch_free(batch);
    chain_bed_release(&bed);
}

static struct script_module *open_example(struct stage_bed *bed, const char *name, const struct tree_node *options, struct str saved)
{
    struct script_source source = {.stage = "s", .options = options, .saved = saved};
    struct script_module *module = NULL;
    char path[300];

    snprintf(path, sizeof(path), "%s/scripts/examples/%s.lua", TEST_SOURCE_DIR, name);
    source.path = path;
    if (!script_module_open(bed->state, &source, &module, &bed->error))
        fail_msg("%s: %s", name, bed->error.text);
    return module;
}

static void test_examples(void **test_state)
{
    struct stage_bed bed;
    struct tree_node *cities = map_new(1), *list = map_new(1), *from = map_new(1), *tenants = map_new(1), *known = map_new(1);
    struct column *columns[1];
    size_t count;
    char text[400];

    (void)test_state;
    bed_init(&bed, 16 << 20, 1000000);
    list_add(list, scalar("BEIJING", 1));
    map_add(cities, "cities", list);
    bed_fill(&bed);
    assert_true(script_process(open_example(&bed, "check_rows", cities, STR_NONE), bed.batch, &bed.error));
    assert_string_equal(bed_show(&bed, "city", text), "Shanghai|BEIJING");
    assert_int_equal(bed.batch->dirty_count, 3);

    map_add(from, "from", scalar("city", 1));
    bed_fill(&bed);
    bed_column(&bed, "city", TYPE_OF(TYPE_STRING));
    for (int i = 0; i < 5; i++) {
        static const char *const names[] = {"Ada Lovelace", "Plato", "Johann Sebastian Bach ", "", NULL};

        batch_field(bed.batch, STR("city"))->column->text[i] = str_of(names[i]);
        batch_field(bed.batch, STR("city"))->column->null[i] = !names[i];
    }
    assert_true(script_process(open_example(&bed, "split_name", from, STR_NONE), bed.batch, &bed.error));
    assert_string_equal(bed_show(&bed, "first_name", text), "Ada|NULL|Johann Sebastian|NULL|NULL");
    assert_string_equal(bed_show(&bed, "last_name", text), "Lovelace|Plato|Bach||NULL");

    list_add(known, scalar("acme", 1));
    map_add(tenants, "tenants", known);
    bed_fill(&bed);
    assert_true(script_partition(open_example(&bed, "route_by_tenant", tenants, STR_NONE), bed.batch, columns, 1, &count, &bed.error));
    assert_int_equal(count, 1);
    assert_true(str_is(columns[0]->text[0], "acme"));
    tree_free(cities);
    tree_free(from);
    tree_free(tenants);
    bed_release(&bed);
}

/* What is known of a column's texts: the mapping looks no second time, so nothing may keep the mark that a script has touched. */
static void test_who_knows_texts(void **test_state)
{
    static const struct {
        const char *script;
        bool utf8;
    } cases[] = {
        {"", true},
        {"batch:set('city', luaduct.choose(batch.flag, 'yes', 'no'))", true},
        {"batch:set('city', luaduct.choose(batch.flag, batch.city, '\\u{533A}'))", true},
        {"batch:set('city', batch.city:coalesce('none'))", true},
        {"batch:set('city', luaduct.choose(batch.flag, batch.city, luaduct.null))", true},
        {"batch:set('city', luaduct.choose(batch.flag, 'yes', '\\xFF'))", false},
        {"batch:set('city', batch.city:coalesce('\\xE4\\xB8'))", false},
        {"batch:set('city', batch.key)", false}, /* made by the bed, which knows nothing */
        {"for row in batch:rows() do if row.id == 1 then row.city = '\\xFF' end end", false},
        {"batch:map({'city'}, {'city string'}, function(city) return city end)", false},
    };

    (void)test_state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stage_bed bed;
        char script[400];

        snprintf(script, sizeof(script), "local luaduct = require 'luaduct' local stage = {} function stage.process(batch) %s end return stage",
                 cases[i].script);
        bed_init(&bed, 16 << 20, 1000000);
        bed_fill(&bed);
        (void)bed_column(&bed, "key", TYPE_OF(TYPE_STRING));
        for (uint32_t row = 0; row < bed.batch->row_count; row++)
            batch_field(bed.batch, STR("key"))->column->text[row] = STR("k");
        batch_field(bed.batch, STR("city"))->column->utf8 = true;
        if (!script_process(bed_open(&bed, script), bed.batch, &bed.error))
            fail_msg("%s: %s", cases[i].script, bed.error.text);
        if (batch_field(bed.batch, STR("city"))->column->utf8 != cases[i].utf8)
            fail_msg("%s: %s", cases[i].script, cases[i].utf8 ? "known before and not any more" : "taken for UTF-8");
        bed_release(&bed);
    }
}

/* The decoder runs before the first stage, in the probe too, and in front of part of the chain. */
static void test_decode(void **test_state)
{
    struct job_decode_column columns[] = {{(char *)"id", (char *)"bigint"}, {(char *)"flag", (char *)"boolean"}, {(char *)"amount", (char *)"decimal(10,2)"}};
    struct message message = {.value = STR("1,true,100.01\n2,true,x\n3,false,500.00"), .offset = 7};
    struct batch *batch = batch_new(1 << 20);
    struct chain_counts decoded;
    struct chain_bed bed;

    (void)test_state;
    chain_bed_init(&bed);
    bed.job.source.decode = (struct job_decode){.kind = (char *)"csv", .rows_max = 9, .delimiter = STR(","), .columns = columns,
                                                .column_count = COUNT_OF(columns)};
    add_stage(&bed, "level", "lua", TEST_SOURCE_DIR "/scripts/examples/level_by_amount.lua", NULL);
    open_or_fail(&bed);
    assert_true(chain_probe(bed.chain, &bed.job, batch, bed.report, &bed.error));
    assert_int_equal(batch_field(batch, STR("amount"))->column->type.kind, TYPE_DECIMAL);
    for (size_t stages = 0; stages < 2; stages++) {
        batch_clear(batch);
        batch_add_message(batch, &message, NULL);
        assert_true(batch_begin(batch, bed.job.source.fields));
        assert_true(chain_process_some(bed.chain, batch, stages, &bed.error));
        assert_int_equal(batch->selected, stages ? 1 : 2);
        assert_int_equal(batch->filtered_count, stages);
        assert_int_equal(batch->dirty_count, 1);
        assert_string_equal(batch->dirty->stage, "decode");
    }
    assert_true(chain_decoder_counts(bed.chain, &decoded));
    counts_are(&decoded, 2, 4, 0, 2);
    assert_int_equal(decoded.expanded, 4);
    batch_free(batch);
    chain_bed_release(&bed);
}

/* Mistakes of the decoder and of a stage come together. */
static void test_mistakes_of_both(void **test_state)
{
    struct chain_bed bed;
    struct buffer text;

    (void)test_state;
    chain_bed_init(&bed);
    bed.job.source.decode = (struct job_decode){.kind = (char *)"text", .charset = (char *)"gkb"};
    add_stage(&bed, "parse", "json", NULL, order_options("decimul(10,2)"));
    assert_false(chain_open(&bed.chain, &bed.job, bed.report, bed.log, &bed.error));
    assert_non_null(strstr(report_text(&bed, &text), "source.decode.charset: \"gkb\" is not known; did you mean \"gbk\"?"));
    assert_non_null(strstr(buffer_text(&text), "stage parse: columns[2].type"));
    assert_non_null(strstr(bed.error.text, "gkb"));
    buffer_release(&text);
    chain_bed_release(&bed);
}

/* Records a and b of partition 3, from that offset on. */
static void two_records(struct stage_bed *bed, int64_t offset)
{
    batch_clear(bed->batch);
    bed->batch->partition = 3;
    for (int i = 0; i < 2; i++) {
        struct message message = {.value = STR("{}"), .key = i ? STR("b") : STR("a"), .offset = offset + i, .timestamp_ms = 1000};

        batch_add_message(bed->batch, &message, NULL);
    }
    assert_true(batch_begin(bed->batch, (1u << BUILTIN_COUNT) - 1));
}

/* What the example leaves out as a copy is another record, before and behind a reload, and never the same one read again. */
static void test_copies_over_a_reload(void **test_state)
{
    static const struct {
        int64_t offset;
        uint32_t left;
    } steps[] = {{10, 2}, {10, 2}, {12, 0}, {12, 0}, {10, 2}};
    struct tree_node *options = map_new(1);
    struct buffer saved;

    (void)test_state;
    map_add(options, "key", scalar("__key__", 1));
    buffer_init(&saved, 0);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct stage_bed bed;
        struct script_module *module;

        bed_init(&bed, 16 << 20, 1000000);
        module = open_example(&bed, "deduplicate", options, saved.size ? buffer_str(&saved) : STR_NONE);
        assert_true(script_module_keeps_state(module));
        two_records(&bed, steps[i].offset);
        assert_true(script_process(module, bed.batch, &bed.error));
        assert_int_equal(bed.batch->selected, steps[i].left);
        assert_int_equal(bed.batch->filtered_count, 2 - steps[i].left);
        buffer_clear(&saved);
        assert_true(script_module_save(module, &saved, &bed.error));
        bed_release(&bed);
    }
    buffer_release(&saved);
    tree_free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_knows_texts),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_mistakes_of_both),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_wrong_options_have_their_places),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_wrong_expressions_have_their_places),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_stop_names_stage_and_row),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_copies_over_a_reload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
