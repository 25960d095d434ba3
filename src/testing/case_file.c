/* case_file.c: the option engine reads it as it reads a job, so that a misspelt key is told with its place and the nearest word.
 */
#include "testing/case_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "job/checks.h"
#include "job/options.h"
#include "job/resolve.h"
#include "job/yaml.h"
#include "batch/time.h"

struct file_memory {
    struct case_file file;
    struct tree_node *tree;
    struct owned owned;
};

static void node_keep(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    (void)reader;
    memcpy((char *)base + row->offset, &node, sizeof(node));
}

/* A list of maps, or null for an empty one. */
static void maps_keep(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    node_keep(reader, row, base, node);
    if (!node)
        return;
    if (node->kind != TREE_LIST) {
        option_mistake(reader, node, "must be a list of rows: lines that begin with \"- \"; [] for none");
        node_keep(reader, row, base, NULL);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        if (node->items[i]->kind != TREE_MAP)
            option_mistake(reader, node->items[i], "row %zu must be a map of \"column: value\"", i + 1);
}

static void lua_options_keep(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    struct test_case *test = base;

    if (!node)
        return;
    if (node->kind != TREE_MAP) {
        option_mistake(reader, node, "must be a map of \"option: value\" lines");
        return;
    }
    node_keep(reader, row, base, node);
    test->options_at = node->at;
}

static void types_keep(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    node_keep(reader, row, base, node);
    if (node && node->kind != TREE_MAP) {
        option_mistake(reader, node, "must be a map of \"name: type\" lines");
        node_keep(reader, row, base, NULL);
    }
    for (size_t i = 0; node && node->kind == TREE_MAP && i < node->count; i++)
        if (node->entries[i].value->kind != TREE_SCALAR || !node->entries[i].value->text.size)
            option_mistake(reader, node->entries[i].value, "%.*s: a type is wanted", STR_ARG(node->entries[i].key));
}

#define END {.type = OPTION_NONE}
#define NODE(name_, type_, field_, read_, sentence_) \
    {.name = (name_), .type = OPTION_CUSTOM, .read = (read_), OPTION_FIELD(type_, field_), .sentence = (sentence_)}

static const struct option record_rows[] = {
    NODE("value", struct case_record, value, node_keep, "Text, null for a tombstone, or a map or list that is sent as JSON."),
    NODE("key", struct case_record, key, node_keep, "The same."),
    NODE("timestamp", struct case_record, timestamp, node_keep, "Milliseconds since 1970, or a time."),
    NODE("headers", struct case_record, headers, node_keep, "A list of [name, value]."),
    {.name = "partition", .type = OPTION_INTEGER, .fallback = "0", .maximum = 199999, OPTION_FIELD(struct case_record, partition),
     .sentence = "The Kafka partition."},
    {.name = "offset", .type = OPTION_INTEGER, .fallback = "-1", .minimum = -1, .maximum = INT64_MAX - 1,
     OPTION_FIELD(struct case_record, offset), .sentence = "One more than that of the record before."},
    {.type = OPTION_NONE,
     .sentence = "what a record holds stands under \"value\"; fields of a stage are given by \"rows\" instead of \"input\""},
};

static const struct option expect_dirty_rows[] = {
    {.name = "stage", .type = OPTION_TEXT, OPTION_FIELD(struct case_dirty, stage),
     .sentence = "Where it became dirty: a stage's name, mapping or partition."},
    {.name = "column", .type = OPTION_TEXT, OPTION_FIELD(struct case_dirty, column), .sentence = "The column that is to blame."},
    {.name = "reason", .type = OPTION_TEXT, OPTION_FIELD(struct case_dirty, reason), .sentence = "A part of the reason."},
    {.name = "input", .type = OPTION_INTEGER, .fallback = "0", .maximum = 1200, OPTION_FIELD(struct case_dirty, input),
     .sentence = "Which record or row of the input it comes from, from 1."},
    END,
};

static const struct option case_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, OPTION_FIELD(struct test_case, name),
     .sentence = "What the case shows."},
    {.name = "input", .type = OPTION_LIST, .rows = record_rows, OPTION_FIELD(struct test_case, input),
     .count_offset = offsetof(struct test_case, input_count), .element_size = sizeof(struct case_record),
     .item_at_offset = offsetof(struct case_record, at), .item_width_offset = offsetof(struct case_record, width),
     .sentence = "Records of the topic."},
    {.name = "sample", .type = OPTION_TEXT, .flags = OPTION_PATH | OPTION_READABLE, OPTION_FIELD(struct test_case, sample),
     .at_offset = offsetof(struct test_case, sample_at), .sentence = "A sample file with the records."},
    NODE("rows", struct test_case, rows, maps_keep, "Typed rows that go into the stage."),
    {.name = "from", .type = OPTION_TEXT, OPTION_FIELD(struct test_case, from), .at_offset = offsetof(struct test_case, from_at),
     .sentence = "The stage into which rows go."},
    {.name = "until", .type = OPTION_TEXT, OPTION_FIELD(struct test_case, until),
     .at_offset = offsetof(struct test_case, until_at),
     .sentence = "The last stage that runs; its fields are compared, and not columns of the table."},
    {.name = "now", .type = OPTION_TEXT, OPTION_FIELD(struct test_case, now), .at_offset = offsetof(struct test_case, now_at),
     .sentence = "What time it is."},
    NODE("options", struct test_case, options, lua_options_keep, "The options of the Lua file in this case."),
    NODE("expect", struct test_case, expect, maps_keep, "The rows that come out, in order."),
    {.name = "expect_filtered", .type = OPTION_INTEGER, .fallback = "-1", .minimum = -1, .maximum = INT64_MAX,
     OPTION_FIELD(struct test_case, filtered), .sentence = "How many rows are left out."},
    {.name = "expect_dirty", .type = OPTION_LIST, .rows = expect_dirty_rows, OPTION_FIELD(struct test_case, dirty),
     .count_offset = offsetof(struct test_case, dirty_count), .element_size = sizeof(struct case_dirty),
     .item_at_offset = offsetof(struct case_dirty, at), .item_width_offset = offsetof(struct case_dirty, width),
     .sentence = "The dirty rows, in any order."},
    {.name = "expect_stop", .type = OPTION_TEXT, OPTION_FIELD(struct test_case, stop),
     .sentence = "A part of the reason for which the job stops."},
    {.name = "expect_mistake", .type = OPTION_TEXT, OPTION_FIELD(struct test_case, mistake),
     .sentence = "A part of what is said of wrong options."},
    {.name = "records", .type = OPTION_FOREIGN, .sentence = "use \"input\""},
    {.name = "output", .type = OPTION_FOREIGN, .sentence = "use \"expect\""},
    {.name = "expected", .type = OPTION_FOREIGN, .sentence = "use \"expect\""},
    END,
};

static const struct option file_rows[] = {
    {.name = "job", .type = OPTION_TEXT, .flags = OPTION_PATH | OPTION_READABLE, OPTION_FIELD(struct case_file, job),
     .at_offset = offsetof(struct case_file, job_at),
     .sentence = "The job's file; by default the one beside, of the same name."},
    {.name = "datasources", .type = OPTION_TEXT, .flags = OPTION_PATH | OPTION_READABLE,
     OPTION_FIELD(struct case_file, datasources), .sentence = "The file of data sources, of which the time zone is used."},
    {.name = "stage", .type = OPTION_FREE, OPTION_FIELD(struct case_file, stage), .sentence = "A stage alone, as in a job."},
    NODE("partition", struct case_file, partition, node_keep, "Partition rules, as under target in a job."),
    NODE("fields", struct case_file, fields, types_keep, "Types of the fields that go into a stage."),
    NODE("table", struct case_file, table, types_keep, "The columns of the table, where the job does not say them."),
    {.name = "time_zone", .type = OPTION_TEXT, OPTION_FIELD(struct case_file, time_zone), .check = zone_check,
     .sentence = "The zone of times that name none."},
    {.name = "now", .type = OPTION_TEXT, OPTION_FIELD(struct case_file, now), .at_offset = offsetof(struct case_file, now_at),
     .sentence = "What time it is in all cases that do not say it."},
    {.name = "cases", .type = OPTION_LIST, .flags = OPTION_REQUIRED, .rows = case_rows, OPTION_FIELD(struct case_file, cases),
     .count_offset = offsetof(struct case_file, count), .element_size = sizeof(struct test_case),
     .item_at_offset = offsetof(struct test_case, at), .item_width_offset = offsetof(struct test_case, width),
     .sentence = "The cases."},
    {.name = "stages", .type = OPTION_FOREIGN, .sentence = "use \"stage\" for one alone, or \"job\""},
    {.name = "tests", .type = OPTION_FOREIGN, .sentence = "use \"cases\""},
    END,
};

static const char suffix[] = ".test.yaml";

bool case_file_is(const char *path)
{
    size_t size = strlen(path);

    return size > strlen(suffix) && strcmp(path + size - strlen(suffix), suffix) == 0;
}

char *case_file_beside(const char *path)
{
    const char *slash = strrchr(path, '/'), *point = strrchr(path, '.');
    size_t size = point && (!slash || point > slash + 1) ? (size_t)(point - path) : strlen(path);

    return xasprintf("%.*s%s", (int)size, path, suffix);
}

static char *with_extension(const char *path, const char *extension)
{
    return xasprintf("%.*s%s", (int)(strlen(path) - strlen(suffix)), path, extension);
}

static void text_entry_add(struct tree_node *map, const char *key, const char *text)
{
    struct tree_node *node = xcalloc(1, sizeof(*node));

    node->kind = TREE_SCALAR;
    node->at = map->at;
    node->width = 1;
    node->text = str_make(xstrdup(text), strlen(text));
    map->entries = xrealloc(map->entries, (map->count + 1) * sizeof(*map->entries));
    map->entries[map->count++] = (struct tree_entry){str_make(xstrdup(key), strlen(key)), map->at, node};
}

/* What a file beside a job or a Lua file need not say. */
static void subject_complete(struct file_memory *memory, struct report *report)
{
    struct case_file *file = &memory->file;
    char *job = case_file_is(file->path) ? with_extension(file->path, ".yaml") : xstrdup("");
    char *lua = case_file_is(file->path) ? with_extension(file->path, ".lua") : xstrdup("");
    const char *base = strrchr(lua, '/') ? strrchr(lua, '/') + 1 : lua;
    bool has_lua = access(lua, R_OK) == 0;

    owned_keep(&memory->owned, job);
    owned_keep(&memory->owned, lua);
    if (file->job && (file->stage || file->partition || file->fields || file->time_zone))
        report_mistake(report, file->job_at, 1,
                       "job: a file tests a job, or a stage alone (stage, partition, fields, time_zone), not both");
    if (file->job)
        return;
    if (!file->stage && !file->partition && access(job, R_OK) == 0) {
        file->job = job;
        return;
    }
    if (!file->stage && !file->partition && has_lua) {
        struct tree_node *stage = xcalloc(1, sizeof(*stage));

        stage->kind = TREE_MAP;
        stage->at = (struct location){file->path, 1, 1};
        stage->width = 1;
        memory->tree->entries = xrealloc(memory->tree->entries, (memory->tree->count + 1) * sizeof(*memory->tree->entries));
        memory->tree->entries[memory->tree->count++] = (struct tree_entry){str_make(xstrdup("stage"), 5), stage->at, stage};
        file->stage = stage;
    }
    if (!file->stage && !file->partition) {
        report_mistake(report, (struct location){file->path, 1, 1}, 1,
                       "what is tested? there is no job and no Lua file of this name beside the file; say job: or stage:");
        return;
    }
    if (file->stage && !tree_get(file->stage, "kind") && !tree_get(file->stage, "type"))
        text_entry_add(file->stage, "kind", "lua");
    if (file->stage && has_lua && !tree_get(file->stage, "file") && tree_get(file->stage, "kind") &&
        str_is(tree_get(file->stage, "kind")->text, "lua"))
        text_entry_add(file->stage, "file", base);
    if (file->stage && !tree_get(file->stage, "name"))
        text_entry_add(file->stage, "name", "stage");
}

static bool is_lua(const struct tree_node *map)
{
    const struct tree_node *kind = tree_get(map, "kind");

    return kind && str_is(kind->text, "lua");
}

/* Whether there is one Lua file, and no more, to which options may go. */
static bool takes_options(const struct case_file *file)
{
    const struct tree_node *rules = file->partition;

    if (file->job || (file->stage && rules))
        return false;
    return file->stage ? is_lua(file->stage)
                       : rules && rules->kind == TREE_LIST && rules->count == 1 && is_lua(rules->items[0]);
}

static void case_check(const struct file_memory *memory, const struct test_case *test, size_t number, struct report *report)
{
    const struct tree_node *own = tree_get(memory->tree, "cases");
    const struct tree_node *map = own && own->kind == TREE_LIST && number <= own->count ? own->items[number - 1] : NULL;

    if (test->options && !takes_options(&memory->file))
        report_mistake(report, test->options_at, 1,
                       "cases[%zu].options: goes with one Lua file alone; the options of a job's stages are the job's", number);
    if (test->mistake) {
        if (test->expect || test->stop || test->filtered >= 0 || test->dirty_count)
            report_mistake(report, test->at, test->width,
                           "cases[%zu]: with expect_mistake nothing runs; leave the other expectations out", number);
        return;
    }
    if ((tree_get(map, "input") != NULL) + (tree_get(map, "sample") != NULL) + (tree_get(map, "rows") != NULL) > 1)
        report_mistake(report, test->at, test->width,
                       "cases[%zu]: one of \"input\", \"sample\" and \"rows\" goes in; leave the others out", number);
    else if (!tree_get(map, "input") && !tree_get(map, "sample") && !tree_get(map, "rows"))
        report_mistake(report, test->at, test->width,
                       "cases[%zu]: what goes in? \"input\" (records), \"sample\" or \"rows\" is missing", number);
    if (!tree_get(map, "expect") && !tree_get(map, "expect_filtered") && !tree_get(map, "expect_dirty") && !test->stop)
        report_mistake(report, test->at, test->width,
                       "cases[%zu]: nothing is expected; say expect:, expect_filtered:, "
                       "expect_dirty:, expect_stop: or expect_mistake: (expect: [] is for no rows)",
                       number);
    if (memory->file.job && test->rows && !test->from)
        report_mistake(report, test->at, test->width,
                       "cases[%zu]: into which stage do the rows go? say from: STAGE; records go "
                       "under \"input\"",
                       number);
    if (test->from && !test->rows)
        report_mistake(report, test->from_at, (unsigned)strlen(test->from),
                       "cases[%zu].from: goes with \"rows\"; records begin at the first stage", number);
}

bool case_file_read(struct case_file **file_out, const char *path, struct report *report)
{
    struct file_memory *memory = xcalloc(1, sizeof(*memory));
    struct option_reader reader = {.report = report, .owned = &memory->owned};
    unsigned mistakes = report_mistakes(report);
    struct case_file *file = &memory->file;
    const char *slash;

    *file_out = NULL;
    file->path = owned_keep(&memory->owned, xstrdup(path));
    slash = strrchr(file->path, '/');
    file->directory = owned_keep(
        &memory->owned, slash ? xstrndup(file->path, (size_t)(slash - file->path) + (slash == file->path)) : xstrdup("."));
    if (!yaml_read(&memory->tree, file->path, report) && !memory->tree) {
        case_file_free(file);
        return false;
    }
    buffer_init(&reader.path, 0);
    reader.directory = file->directory;
    options_read(&reader, file_rows, file, memory->tree, memory->tree->at, memory->tree->width);
    if (report_mistakes(report) == mistakes && file->count == 0)
        report_mistake(report, memory->tree->at, 1, "cases: the file has no case");
    subject_complete(memory, report);
    for (size_t i = 0; i < file->count; i++)
        case_check(memory, &file->cases[i], i + 1, report);
    buffer_release(&reader.path);
    *file_out = file;
    return report_mistakes(report) == mistakes;
}

void case_file_free(struct case_file *file)
{
    struct file_memory *memory;

    if (!file)
        return;
    memory = CONTAINER_OF(file, struct file_memory, file);
    tree_free(memory->tree);
    owned_release(&memory->owned);
    free(memory);
}
