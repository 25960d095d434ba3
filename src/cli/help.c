/* help.c: `luaduct help`: the usage; a page, or what it says of a word, as in `help config dirty`; a command's usage. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/page.h"
#include "expression/function.h"
#include "job/job.h"
#include "script/manual.h"

enum { COLUMNS_MAX = 120 };

static const char usage[] =
    "luaduct: from a Kafka topic through Lua into a MaxCompute table\n"
    "\n"
    "  luaduct check JOB.yaml [--connect]   is the job right? all mistakes at once; --connect asks both ends as well\n"
    "  luaduct run JOB.yaml                 run it in the foreground; Ctrl-C flushes and commits what was read;\n"
    "                                       failures that may heal restart it (--no-restart: they do not);\n"
    "                                       --first: it never ran; --until end | TIME | PARTITION:OFFSET,...: ends there\n"
    "  luaduct reload JOB.yaml              the running job takes changed stages and Lua files, when they stand the trial\n"
    "  luaduct sample JOB.yaml              takes some records out of the topic into a file; --from WHERE --records N\n"
    "  luaduct infer SAMPLE                 the columns of a json stage, as the records of a sample have them\n"
    "  luaduct test [JOB.yaml | FOLDER]     runs the cases that stand beside jobs and Lua files; --coverage: and which\n"
    "                                       lines they ran\n"
    "  luaduct preview JOB.yaml --stage NAME --sample FILE   rows before and after one stage; --rows FILE:\n"
    "                                       with rows typed by hand\n"
    "  luaduct simulate JOB.yaml --sample FILE   the whole job on them: the rows as they would be written, and why others\n"
    "                                       would not; it writes nothing\n"
    "  luaduct columns JOB.yaml             the columns that the stages yield, to paste under target.columns\n"
    "  luaduct plan JOB.yaml [--connect]    what a start would do: statements, mapping, partitions, offsets, limits\n"
    "  luaduct epoch show JOB.yaml          where it stands: positions, ledger, and what is prepared with exactly_once\n"
    "  luaduct epoch resolve JOB.yaml       decide about prepared rows of which the service does not know the outcome\n"
    "  luaduct reset JOB.yaml --to WHERE    move the position of a stopped job\n"
    "  luaduct dirty list|show|export JOB.yaml   the rows that could not be handled, and why\n"
    "  luaduct demo [JOB.yaml]              run it against an embedded Kafka and an embedded MaxCompute endpoint\n"
    "  luaduct local                        the embedded MaxCompute endpoint alone, on loopback\n"
    "  luaduct help COMMAND                 the options of a command\n"
    "  luaduct help config [WORD]           every key of the job file and of the data sources file; with a WORD only\n"
    "                                       those that have it in their names, as in `help config dirty`\n"
    "  luaduct help functions [WORD]        what expressions of the kinds filter and assign can compute\n"
    "  luaduct help lua [WORD]              what a Lua stage can say\n"
    "  luaduct help types                   what becomes of a value of each type in a column of each type\n"
    "  luaduct help sample                  what a sample file looks like, and how to write one by hand\n"
    "  luaduct help test                    what goes into a file of test cases\n"
    "  luaduct version                      this release and the libraries in it\n"
    "\n"
    "Commands that take a job take --datasources FILE too; the default is datasources.yaml beside the job file.\n"
    "Exit status: 0 done, 1 failed at run time, 2 a mistake in a file or on the command line; run --no-restart and\n"
    "run --records also end with 75: failed, and starting it again may help.\n";

/* config/conversion.md, whose rows tests/unit/conversion_test.c runs. */
extern const char embedded_conversion[];

static const char sample_page[] =
    "A sample file holds records of a topic, one a line of JSON. `luaduct sample JOB.yaml` takes one out of the job's topic,\n"
    "and a text editor writes one by hand. The first line tells where it comes from:\n"
    "\n"
    "  {\"luaduct_sample\":1,\"job\":\"orders\",\"topic\":\"orders\",\"cluster_id\":\"...\",\"topic_id\":\"...\","
    "\"taken\":\"2024-01-31T00:00:00Z\"}\n"
    "  {\"partition\":0,\"offset\":12,\"timestamp\":1700000000000,\"key\":\"k\",\"value\":\"{\\\"id\\\": 1}\","
    "\"headers\":[[\"n\",\"v\"]]}\n"
    "\n"
    "  luaduct_sample  the version of the format, 1. The first line may be left out, and all else in it; a sample whose\n"
    "                  topic is not the job's is refused (--any-topic takes it all the same)\n"
    "  value           the record's value; null for a tombstone, which differs from \"\". The only key that must be there\n"
    "  key             null when left out\n"
    "  partition       0 when left out\n"
    "  offset          counts up within a partition; when left out, one more than the record before, from 0\n"
    "  timestamp       milliseconds since 1970, -1 for a record without; 0 when left out\n"
    "  headers         a list of [name, value], in order; names may repeat, a value may be null\n"
    "\n"
    "Keys, values and headers are JSON strings, or {\"base64\": \"...\"} for bytes that are not UTF-8. A JSON document is a\n"
    "string too, with its quotes escaped. By hand, this is enough:\n"
    "\n"
    "  {\"value\": \"{\\\"id\\\": 1, \\\"amount\\\": \\\"9.50\\\"}\"}\n"
    "  {\"key\": \"2\", \"value\": null}\n"
    "\n"
    "Empty lines are passed over. Other keys are mistakes, told with line and column. A line is never wrapped; a file has\n"
    "1 GiB at most. Files that `luaduct sample` writes can be read by their owner alone, for they may hold personal data:\n"
    "keep them out of version control, and delete them when they are no longer needed.\n";

static const char test_page[] =
    "A file of cases, NAME.test.yaml, stands beside what it tests: a job NAME.yaml, or a Lua file NAME.lua for a stage\n"
    "alone. `luaduct test` runs the cases through the same stages, mapping and conversion as a real run; it neither reads\n"
    "nor writes anything else, and needs no secret of the data sources. Beside orders.yaml, orders.test.yaml:\n"
    "\n"
    "  cases:\n"
    "    - name: gold above 800\n"
    "      input:                           # records of the topic\n"
    "        - {value: {id: 1, user: ann, phone: \"1\", email: \"\", ts: 1700000000000, amount: \"900.00\", city: X,\n"
    "                   flag: true}}\n"
    "        - {value: {id: 2, user: bob, phone: \"2\", email: \"\", ts: 1700000000000, amount: 9x, city: X,\n"
    "                   flag: true}}\n"
    "      expect:                          # rows, in the order of the input; only the columns named are compared\n"
    "        - {id: 1, level: gold, amount: 900, partition: {year: 2023, month: 11, day: 15}}\n"
    "      expect_filtered: 0               # rows left out by stages\n"
    "      expect_dirty:                    # in any order; none may be dirty without it\n"
    "        - {input: 2, stage: parse, column: amount, reason: not a number}\n"
    "\n"
    "A case\n"
    "  input    records as in a sample file (`luaduct help sample`): value, key, partition, offset, timestamp, headers. A\n"
    "           map or a list is sent as JSON, a text as it is; null is a tombstone, {base64: \"...\"} bytes. timestamp also\n"
    "           takes a time, such as \"2024-01-31 08:00:00 Asia/Shanghai\"\n"
    "  sample   instead of input: a sample file, relative to this one\n"
    "  rows     instead of input: typed fields for the stage that `from` names; what a row leaves out is NULL\n"
    "  until    the last stage that runs: its fields are compared, not the table's columns\n"
    "  options  of a stage (or partition rule) alone of kind lua: these instead of the file's\n"
    "  now      what time it is, for ${now}, os.time and the like; also once for the whole file\n"
    "  expect   [] is for no rows; without it rows are not compared. null differs from \"\". Numbers are equal when the\n"
    "           numbers are (900 is 900.00), times when the points in time are, JSON when the documents are.\n"
    "           partition: year=2023,month=11,day=15, or a map of the levels that matter\n"
    "  expect_dirty   stage (or decode, mapping, partition), column, reason (a part of it), input (which record, from 1);\n"
    "                 what is left out may be anything\n"
    "  expect_stop    a part of the reason for which the job stops\n"
    "  expect_mistake   a part of what `luaduct check` says of wrong options; nothing runs then, and rows need not be given\n"
    "\n"
    "A file\n"
    "  job          the job's file, where it has another name; datasources: the file of data sources, for its time zone\n"
    "  stage        a stage alone, of any kind, as in a job. Beside a Lua file the options are enough:\n"
    "                 stage: {options: {minimum: 100}}\n"
    "  fields       the types of the fields that go into it: {amount: \"decimal(10,2)\", flag: boolean}. Without it plain\n"
    "               numbers are bigint or decimal, true and false boolean, maps and lists json, all else string\n"
    "  partition    partition rules alone, as under target in a job\n"
    "  time_zone    of times that name none, for a stage alone\n"
    "  table        {column: type}: the table's columns, for a job that neither creates it nor lists their types. Without\n"
    "               them the fields of the last stage are compared\n"
    "\n"
    "`luaduct test JOB.yaml` also runs the files beside the job's Lua files; a folder is searched for *.test.yaml. Exit\n"
    "status: 0 all passed, 1 a case failed (or --coverage-min is not reached), 2 a mistake in a file.\n";

static void config_print(struct buffer *text, bool markdown)
{
    job_print_reference(text, markdown);
}

static void types_print(struct buffer *text, bool markdown UNUSED)
{
    buffer_append_str(text, str_of(embedded_conversion));
}

static void sample_print(struct buffer *text, bool markdown UNUSED)
{
    buffer_append_str(text, STR(sample_page));
}

static void test_print(struct buffer *text, bool markdown UNUSED)
{
    buffer_append_str(text, STR(test_page));
}

static const struct page {
    const char *name;
    void (*print)(struct buffer *text, bool markdown);
    bool has_words, has_markdown;
} pages[] = {
    {"config", config_print, true, true},
    {"functions", functions_print, true, true},
    {"lua", manual_print, true, true},
    {"sample", sample_print, false, false},
    {"test", test_print, false, false},
    {"types", types_print, false, false},
};

static int page_show(const struct page *page, const char *word)
{
    bool markdown = word && page->has_markdown && strcmp(word, "markdown") == 0, ok = true;
    struct buffer whole, part;

    buffer_init(&whole, 0);
    buffer_init(&part, 0);
    page->print(&whole, markdown);
    if (word && !markdown && page->has_words)
        ok = page_find(buffer_str(&whole), str_of(word), &part);
    else
        buffer_append_str(&part, buffer_str(&whole));
    if (markdown || !page->has_words) {
        fwrite(part.data, 1, part.size, stdout);
    } else {
        buffer_clear(&whole);
        page_wrap(buffer_str(&part), COLUMNS_MAX, &whole);
        fwrite(whole.data, 1, whole.size, stdout);
    }
    buffer_release(&whole);
    buffer_release(&part);
    if (!ok)
        fprintf(stderr, "luaduct help %s: it says nothing of \"%s\"; `luaduct help %s` prints all of it\n", page->name, word,
                page->name);
    return ok ? EXIT_OK : EXIT_CONFIG;
}

static int page_refuse(const char *word)
{
    const char *names[COUNT_OF(pages)], *nearest;
    struct buffer all;

    buffer_init(&all, 0);
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        names[i] = pages[i].name;
        buffer_print(&all, "%s%s", i ? ", " : "", names[i]);
    }
    nearest = str_nearest(str_of(word), names, COUNT_OF(pages));
    if (!nearest)
        nearest = cli_command_nearest(word);
    fprintf(stderr, "luaduct help: there is no page \"%s\"%s%s%s the pages are: %s, and one of each command\n", word,
            nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : ";", buffer_text(&all));
    buffer_release(&all);
    return EXIT_CONFIG;
}

int cli_help(int argc, char **argv)
{
    const struct cli_command *command;
    char help[] = "--help";
    char *arguments[] = {argc > 1 ? argv[1] : help, help, NULL};

    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        if (strcmp(argv[1], pages[i].name) == 0)
            return page_show(&pages[i], argc > 2 ? argv[2] : NULL);
    command = cli_command_find(argv[1]);
    return command ? command->run(2, arguments) : page_refuse(argv[1]);
}
