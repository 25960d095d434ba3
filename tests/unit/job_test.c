/* job_test.c: job files and what is said about them. Each case is a small file and the texts that the report must or must not
 * hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "job/job.h"
#include "job/kafka_properties.h"
#include "util/log.h"

static char directory[64];

static void file_write(const char *name, const char *text, size_t size)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static bool load(const char *text, struct job **job, struct report *report, struct buffer *printed)
{
    char path[128];
    bool ok;

    file_write("job.yaml", text, strlen(text));
    snprintf(path, sizeof(path), "%s/job.yaml", directory);
    ok = job_load(job, path, NULL, report);
    report_print(report, printed);
    return ok;
}

#define SOURCES                                                                                                       \
    "kafka:\n  main: {brokers: 'a:9092, b:9093', properties: {sasl.password: kafka-secret-1, fetch.max.bytes: 1000}}\n" \
    "  other: {brokers: 'c:9092', properties: {sasl.password: other-secret-5}}\n"                                       \
    "  broken: {}\n"                                                                                                  \
    "  tokens: {brokers: 'd:1', oauth_token: {file: key.txt}}\n"                                                          \
    "  two: {brokers: 'd:1', oauth_token: {file: key.txt, command: [cat, key.txt]}}\n"                                    \
    "  text: {brokers: 'd:1', oauth_token: {command: cat key.txt}}\n"                                                     \
    "maxcompute:\n"                                                                                                   \
    "  main: {endpoint: 'https://service.example/api', project: p, access_id: id, access_key: '${env:JOB_TEST_KEY}'}\n" \
    "  zoned: {endpoint: 'http://127.0.0.1:80', project: p, access_id: id, access_key: '${file:key.txt}',\n"           \
    "          time_zone: Asia/Shanghai}\n"                                                                           \
    "  unset: {endpoint: 'http://127.0.0.1:80', project: p, access_id: id, access_key: '${env:JOB_TEST_UNSET}'}\n"

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/job_test.XXXXXX");
    assert_non_null(mkdtemp(directory));
    setenv("JOB_TEST_KEY", "service-secret-2", 1);
    setenv("JOB_TEST_WORKERS", "3", 1);
    unsetenv("JOB_TEST_UNSET");
    file_write("datasources.yaml", SOURCES, strlen(SOURCES));
    file_write("key.txt", "file-secret-3\n", 14);
    file_write("stage.lua", "return {}\n", 10);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"job.yaml", "datasources.yaml", "key.txt", "stage.lua"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
    return 0;
}

#define HEAD "name: j\n"
#define SOURCE "source: {kafka: main, topic: t}\n"
#define TARGET "target: {maxcompute: main, table: t}\n"
#define JOB HEAD SOURCE TARGET

struct mistake_case {
    const char *what;
    const char *text;
    const char *expected; /* part of the report; NULL: no mistake */
};

static const struct mistake_case mistakes[] = {
    {"the smallest job", JOB, NULL},
    {"an empty file", "", "the file is empty"},
    {"no map", "- a\n", "job.yaml:1:1: the file must be a map"},
    {"a key twice", JOB "name: k\n", "job.yaml:4:1: the key \"name\" occurs twice in this map; the first one is on line 1"},
    {"an alias", HEAD "source: *x\n", "aliases (*name) are not supported"},
    {"an anchor", "name: &x j\n", "anchors (&name) are not supported"},
    {"a tag", "name: !!str j\n", "tags (!type) are not supported"},
    {"two documents", JOB "---\nname: b\n", "a file holds one document"},
    {"a tab within a block", "name: a\nsource:\n  kafka: x\n\ttopic: t\n", "indented with a tab; use blanks"},
    {"a list item out of line", "name: a\nstages:\n  - name: x\n   kind: lua\n", "put it in line with its neighbours"},
    {"a bracket inside braces", "name: a\nsource: {topic: ${env:X}}\n",
     "inside { } and [ ] a value with one of {}[], in it needs quotes"},
    {"a decimal without quotes", HEAD SOURCE "target: {maxcompute: main, table: t}\nstages:\n  - {name: p, kind: json, columns: "
     "[{name: a, path: $.a, type: decimal(10,2)}]}\n", "is cut at its comma; inside { } the type needs quotes"},
    {"minutes for months", HEAD "time_zone: UTC\n" SOURCE "target: {maxcompute: main, table: t, partition: [{name: d, "
     "kind: time, format: yyyy-mm-dd}]}\n", "has minutes (mm) without hours; the month is MM"},
    {"a tab", "source:\n\tkafka: x\n", "job.yaml:2:1: this character cannot begin a value"},
    {"bytes that are no UTF-8", "name: \xC3\xA4\xFF\n", "job.yaml:1:8: this is not UTF-8 text"},
    {"columns are characters", "name: j\nsource: {kafka: main, group: \"\xE4\xB8\xAD\", topik: t}\n",
     "job.yaml:2:35: unknown key \"topik\" in source; did you mean \"topic\"?"},
    {"a line ends with a line feed, whatever libyaml thinks", "name: \"a\rb\xC2\x85 c\xE2\x80\xA8 d\"\nsorce: {}\n", "job.yaml:2:1: unknown key \"sorce\""},
    {"a carriage return before the line feed takes no column", "name: j\r\nsource: {\r\n  topik: t}\r\n", "job.yaml:3:3: unknown key \"topik\""},
    {"the end of a file without a line feed", "name: j\nsource: {topic: t", "job.yaml:2:18: a comma or the closing bracket is missing"},
    {"a missing part", HEAD SOURCE, "\"target\" is missing: The MaxCompute table"},
    {"a missing key", HEAD TARGET "source: {kafka: main}\n", "job.yaml:3:9: source: \"topic\" is missing: The topic to read."},
    {"a name of another product", JOB "sink: {}\n", "job.yaml:4:1: unknown key \"sink\"; use \"target\""},
    {"a key that comes later", JOB "alerts: {}\n", "\"alerts\" comes with a later release"},
    {"a bad name", "name: a b\n" SOURCE TARGET, "name: \"a b\" is no name"},
    {"below the minimum", JOB "runtime:\n  flush_interval: 90ms\n",
     "job.yaml:5:19: runtime.flush_interval: 90ms is below the minimum 100ms\n  5 |   flush_interval: 90ms\n    |               "
     "    ^^^^\n1 mistake"},
    {"above the maximum", JOB "runtime: {workers: 65}\n", "runtime.workers: 65 is above the maximum 64"},
    {"a secret in clear under a foreign name", JOB "maxcompute: {accessKey: clear-secret-5}\n", "accessKey: ***"},
    {"the bounds themselves", HEAD SOURCE "target: {maxcompute: main, table: t, partitions_open_max: 512}\n"
     "runtime: {workers: 0, batch_rows: 2048, flush_interval: 1000s, memory_max: 64MiB}\n", NULL},
    {"more than 64 bits", JOB "runtime: {workers: 99999999999999999999}\n", "is above the maximum 64"},
    {"a size that overflows", JOB "runtime: {memory_max: 9223372036854775807GiB}\n", "is above the maximum 1024GiB"},
    {"a number with a tail", JOB "runtime: {workers: 2x}\n", "runtime.workers: \"2x\" is not a whole number"},
    {"no unit", JOB "runtime: {flush_interval: 60}\n", "\"60\" has no unit; it must be a duration"},
    {"an unknown unit", JOB "runtime: {flush_bytes: 16mb}\n", "\"16mb\" has an unknown unit; the units are B, KiB"},
    {"a choice", JOB "runtime: {compression: deflat}\n", "\"deflat\" is not known; it must be deflate, zstd or none; did you mean "
                                                         "\"deflate\"?"},
    {"delivery", JOB "delivery: exactly_onse\n", "did you mean \"exactly_once\""},
    {"a boolean", HEAD SOURCE "target: {maxcompute: main, table: t, empty_as_null: yes}\n", "\"yes\" is neither true nor false"},
    {"a list for a text", "name: [j]\n" SOURCE TARGET, "name: must be a text, not a list"},
    {"no value", "name:\n" SOURCE TARGET, "job.yaml:1:1: name: has no value"},
    {"an empty group is no mistake", JOB "metrics:\n", NULL},
    {"a topic pattern", HEAD TARGET "source: {kafka: main, topic: ^a}\n", "is a pattern; a job reads one topic"},
    {"an unknown source", HEAD TARGET "source: {kafka: mian, topic: t}\n", "there is no data source \"mian\" under \"kafka\""},
    {"the nearest source", HEAD TARGET "source: {kafka: mian, topic: t}\n", "did you mean \"main\"?"},
    {"an incomplete source", HEAD TARGET "source: {kafka: broken, topic: t}\n",
     "datasources.yaml:4:11: kafka.broken: \"brokers\" is missing"},
    {"an unset variable", HEAD SOURCE "target: {maxcompute: unset, table: t}\n",
     "the environment variable JOB_TEST_UNSET is not set"},
    {"a variable of expressions in a constant",
     HEAD SOURCE TARGET "stages:\n  - {name: a, kind: assign, set: [{field: j, value: '${job}'}]}\n",
     "${job} stands in expressions, and this is none; set a field by expression: ${job}"},
    {"a variable of expressions for a salt",
     HEAD SOURCE TARGET "stages:\n  - {name: a, kind: mask, rules: [{field: k, rule: hash, salt: '${topic}'}]}\n",
     "${topic} stands in expressions, and this is none"},
    {"a variable of expressions outside of stages", "name: ${job}\n" SOURCE TARGET, "${job} is not known; use ${env:NAME}"},
    {"an unknown variable", HEAD SOURCE TARGET "stages: [{name: a, kind: filter, condition: '${jbo} = 1'}]\n",
     "${jbo} is not known; there are ${job}, ${topic},"},
    {"a variable between quotes", HEAD SOURCE TARGET "stages: [{name: a, kind: filter, condition: \"it = 'it''s ${job}'\"}]\n",
     "between quotes ${job} is text and no variable; write it without them, as in 'a-' || ${job}"},
    {"a filter without its condition", HEAD SOURCE TARGET "stages: [{name: a, kind: filter, where: x}]\n",
     "use \"condition\" of a stage of kind filter"},
    {"a reference of another kind", "name: ${vault:x}\n" SOURCE TARGET,
     "${vault:x} is not known; use ${env:NAME} or ${file:PATH}"},
    {"an unreadable file", "name: ${file:none}\n" SOURCE TARGET, "none cannot be read: No such file"},
    {"a value from elsewhere is not quoted", "name: j\ntime_zone: ${env:JOB_TEST_KEY}\n" SOURCE TARGET,
     "time_zone: the value of \"${env:JOB_TEST_KEY}\" is not usable here"},
    {"fields", HEAD TARGET "source: {kafka: main, topic: t, fields: [__valeu__]}\n", "did you mean \"__value__\"?"},
    {"a field twice", HEAD TARGET "source: {kafka: main, topic: t, fields: [__key__, __key__]}\n", "\"__key__\" occurs twice"},
    {"start by time without a time", HEAD TARGET "source: {kafka: main, topic: t, start: time}\n",
     "a start by time needs the time itself"},
    {"start without a value", HEAD TARGET "source: {kafka: main, topic: t, start: }\n", "source.start: has no value"},
    {"a time under its own key", HEAD TARGET "source: {kafka: main, topic: t, start: {time: 1}}\n",
     "write the time under \"at\""},
    {"a start misspelt", HEAD TARGET "source: {kafka: main, topic: t, start: earlyest}\n", "did you mean \"earliest\"?"},
    {"a local time without a zone", HEAD TARGET "source: {kafka: main, topic: t, start: 2024-01-31 00:00:00}\n",
     "names no time zone"},
    {"seconds for milliseconds", HEAD TARGET "source: {kafka: main, topic: t, start: 1706659200}\n", "has 10 digits"},
    {"an unknown zone", HEAD TARGET "source: {kafka: main, topic: t, start: 2024-01-31 00:00:00 Asia/Nowhere}\n",
     "unknown time zone \"Asia/Nowhere\""},
    {"a day that is none", HEAD TARGET "source: {kafka: main, topic: t, start: 2024-02-31 00:00:00 UTC}\n", "is no time"},
    {"minutes back", HEAD TARGET "source: {kafka: main, topic: t, start: 30m ago}\n", NULL},
    {"minutes back without a word", HEAD TARGET "source: {kafka: main, topic: t, start: 30m}\n", "or as \"30m ago\""},
    {"minutes back with words", HEAD TARGET "source: {kafka: main, topic: t, start: 30 minutes ago}\n",
     "source.start: \"30 minutes ago\" is no time span; write it as \"30m ago\""},
    {"weeks back", HEAD TARGET "source: {kafka: main, topic: t, start: {otherwise: 2w ago}}\n", "source.start.otherwise: \"2w ago\""},
    {"nothing back", HEAD TARGET "source: {kafka: main, topic: t, start: 0h ago}\n", "is out of range"},
    {"ages back", HEAD TARGET "source: {kafka: main, topic: t, start: 36501d ago}\n", "is out of range"},
    {"offsets", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {0: 1500, 1: earliest, 12: latest}}}\n", NULL},
    {"offsets and otherwise", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {0: 7}, otherwise: 1h ago}}\n", NULL},
    {"offsets as text", HEAD TARGET "source: {kafka: main, topic: t, start: \"0:7,1:8\"}\n", "start: {offsets: {0: 1500"},
    {"offsets as a list", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: [7, 8]}}\n", "must be a map of partitions"},
    {"no offsets", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {}}}\n", "must be a map of partitions"},
    {"offsets and at", HEAD TARGET "source: {kafka: main, topic: t, start: {at: latest, offsets: {0: 7}}}\n", "leave one of them out"},
    {"a negative offset", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {0: 7, 1: -1}}}\n",
     "job.yaml:3:60: source.start.offsets.1: \"-1\" is negative"},
    {"an offset that is none", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {0: erliest}}}\n",
     "\"erliest\" is no offset"},
    {"an offset beyond all", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {0: 9223372036854775807}}}\n",
     "larger than any offset"},
    {"a partition that is none", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {x: 1}}}\n", "x: is no partition"},
    {"a partition twice", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {1: 1, 01: 2}}}\n", "stands twice"},
    {"an offset without a value", HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {1: }}}\n", "has no value"},
    {"otherwise: committed", HEAD TARGET "source: {kafka: main, topic: t, start: {otherwise: committed}}\n",
     "source.start.otherwise: "},
    {"a property of the agent's", HEAD TARGET "source: {kafka: main, topic: t, properties: {group.id: x}}\n",
     "use the key source.group of the job"},
    {"a property with a tail", HEAD TARGET "source: {kafka: main, topic: t, properties: {fetch.wait.max.ms: 1000xyz}}\n",
     "source.properties.fetch.wait.max.ms: \"1000xyz\" is not a whole number"},
    {"a certificate that is not there", HEAD TARGET "source: {kafka: main, topic: t, properties: {ssl.ca.location: no/ca.pem}}\n",
     "job.yaml:3:63: source.properties.ssl.ca.location: the file "},
    {"the system's certificates", HEAD TARGET "source: {kafka: main, topic: t, properties: {ssl.ca.location: probe}}\n", NULL},
    {"a key table that is not there", HEAD TARGET
     "source: {kafka: main, topic: t, properties: {sasl.kerberos.keytab: k}}\n", "/k cannot be read: No such file"},
    {"a name of the Java client", HEAD TARGET "source: {kafka: main, topic: t, properties: {ssl.truststore.location: x}}\n",
     "ssl.ca.location names a file of trusted certificates"},
    {"tokens without a place", HEAD TARGET "source: {kafka: main, topic: t, properties: {security.protocol: sasl_ssl, "
     "sasl.mechanism: OAUTHBEARER}}\n", "OAUTHBEARER needs tokens: set oauth_token of the cluster"},
    {"tokens by OIDC", HEAD TARGET "source: {kafka: main, topic: t, properties: {security.protocol: sasl_ssl, "
     "sasl.mechanism: OAUTHBEARER, sasl.oauthbearer.method: OIDC}}\n", NULL},
    {"a token nobody asks for", HEAD TARGET "source: {kafka: tokens, topic: t}\n", "oauth_token: is used with sasl.mechanism"},
    {"a token", HEAD TARGET "source: {kafka: tokens, topic: t, properties: {security.protocol: sasl_ssl, "
     "sasl.mechanism: OAUTHBEARER}}\n", NULL},
    {"two places of tokens", HEAD TARGET "source: {kafka: two, topic: t, properties: {security.protocol: sasl_ssl, "
     "sasl.mechanism: OAUTHBEARER}}\n", "oauth_token: needs either \"file\" or \"command\""},
    {"a command in one text", HEAD TARGET "source: {kafka: text, topic: t, properties: {security.protocol: sasl_ssl, "
     "sasl.mechanism: OAUTHBEARER}}\n", "must be a list: the program, and then its arguments"},
    {"fetches beyond the ceiling", HEAD TARGET "source: {kafka: main, topic: t, properties: {fetch.max.bytes: 999999999}}\n",
     "more than half of runtime.memory_max"},
    {"an option of another rule", JOB "stages: [{name: a, kind: mask, rules: [{field: f, rule: hash, before: 3}]}]\n",
     "\"before\" does not belong to rule hash"},
    {"a replace stage without rules", JOB "stages: [{name: a, kind: replace}]\n", "stages[1]: \"rules\" is missing"},
    {"a rule without a text to find", JOB "stages: [{name: a, kind: replace, rules: [{field: f, with: ''}]}]\n",
     "stages[1].rules[1]: \"find\" is missing"},
    {"a rule with nothing", JOB "stages: [{name: a, kind: replace, rules: [{field: f, find: x, with: }]}]\n",
     "stages[1].rules[1].with: has no value; it must be a text, or leave the key out"},
    {"a group in braces", JOB "stages: [{name: a, kind: replace, rules: [{field: f, find: '(?<n>x)', with: '${n}$${q}', "
     "regex: true}]}]\n", NULL},
    {"a reference in a text", JOB "stages: [{name: a, kind: replace, rules: [{field: f, find: x, with: '${n}'}]}]\n",
     "${n} is not known; use ${env:NAME} or ${file:PATH}"},
    {"an unknown kind", JOB "stages: [{name: a, kind: jsno}]\n", "did you mean \"json\"?"},
    {"a key of another kind", JOB "stages: [{name: a, kind: json, file: x}]\n", "\"file\" does not belong to kind json"},
    {"two stages of one name", JOB "stages: [{name: a, kind: json}, {name: A, kind: json}]\n",
     "stages[2].name: \"A\" is taken already"},
    {"a lua stage without a file", JOB "stages: [{name: a, kind: lua}]\n", "stages[1]: \"file\" is missing"},
    {"a lua file that is not there", JOB "stages: [{name: a, kind: lua, file: no.lua}]\n", "no.lua cannot be read"},
    {"when_error null for lua", JOB "stages: [{name: a, kind: lua, file: stage.lua, when_error: null}]\n",
     "null has no meaning for a stage of kind lua"},
    {"a type of the target", JOB "stages: [{name: a, kind: json, columns: [{name: x, path: $.x, type: int}]}]\n",
     "stages[1].columns[1].type: \"int\" is not a type"},
    {"a json column without a path", JOB "stages: [{name: a, kind: json, columns: [{name: x, type: bigint}]}]\n",
     "stages[1].columns[1]: \"path\" is missing"},
    {"a partition without a zone", HEAD SOURCE "target: {maxcompute: main, table: t, partition: [{name: d, kind: time, unit: "
                                               "day}]}\n", "\"zone\" is missing"},
    {"the zone of the data source", HEAD SOURCE "target: {maxcompute: zoned, table: t, partition: [{name: d, kind: time, unit: "
                                                "day}]}\n", NULL},
    {"a partition without a format", HEAD "time_zone: UTC\n" SOURCE "target: {maxcompute: main, table: t, partition: [{name: d, "
                                                                    "kind: time}]}\n",
     "\"unit\" or \"format\" is missing"},
    {"a pattern of other letters", HEAD "time_zone: UTC\n" SOURCE "target: {maxcompute: main, table: t, partition: [{name: d, "
                                                                  "kind: time, format: YYYY}]}\n",
     "has \"YYYY\" in it"},
    {"a field partition without a field", HEAD SOURCE "target: {maxcompute: main, table: t, partition: [{name: d, kind: "
                                                      "field}]}\n", "\"from\" is missing"},
    {"a partition that is a column", HEAD SOURCE
     "target: {maxcompute: main, table: t, columns: [{name: D, type: STRING}], partition: [{name: d, kind: field, from: d}]}\n",
         "is the name of a column as well"},
    {"a column mapped twice", HEAD SOURCE "target: {maxcompute: main, table: t, mapping: {a: x, A: y}}\n", "has a field already"},
    {"metrics for the world", JOB "metrics: {listen: '0.0.0.0:9464'}\n", "is not on the loopback interface"},
    {"a topic of dirty rows", JOB "dirty: {kafka: {topic: d}}\n", NULL},
    {"a topic of dirty rows without a name", JOB "dirty: {kafka: {}}\n", "dirty.kafka: \"topic\" is missing"},
    {"a topic and a folder of dirty rows", JOB "dirty: {kafka: {topic: d}, directory: x}\n",
     "dirty.directory: belongs to a folder of dirty rows, but dirty.kafka is set as well"},
    {"a topic of dirty rows and a bound of files", JOB "dirty: {kafka: {topic: d}, bytes_max: 1GiB}\n",
     "dirty.bytes_max: belongs to a folder"},
    {"dirty rows back into the source", JOB "dirty: {kafka: {topic: t}}\n", "so its dirty rows would come back"},
    {"another cluster's topic of that name", JOB "dirty: {kafka: {topic: t, cluster: other}}\n", NULL},
    {"an unknown cluster of dirty rows", JOB "dirty: {kafka: {topic: d, cluster: othr}}\n", "did you mean \"other\"?"},
    {"an incomplete cluster of dirty rows", JOB "dirty: {kafka: {topic: d, cluster: broken}}\n",
     "kafka.broken: \"brokers\" is missing"},
    {"a topic in the wrong place", JOB "dirty: {topic: d}\n", "use kafka: {topic: NAME}"},
    {"a warning alone", JOB "runtime: {flush_interval: 1s}\n", NULL},
};

static void mistakes_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        const struct mistake_case *c = &mistakes[i];
        struct report *report = report_new();
        struct buffer text;
        struct job *job;
        bool ok;

        buffer_init(&text, 0);
        ok = load(c->text, &job, report, &text);
        if (ok != !c->expected || (c->expected && !strstr(buffer_text(&text), c->expected)))
            fail_msg("%s: expected \"%s\" in:\n%s", c->what, c->expected ? c->expected : "no mistake", buffer_text(&text));
        if (strstr(buffer_text(&text), "-secret-"))
            fail_msg("%s: a secret is shown:\n%s", c->what, buffer_text(&text));
        job_free(job);
        report_free(report);
        buffer_release(&text);
    }
}

/* A key that must be there and is misspelt, or has its name from elsewhere, is told once: not as missing besides. */
static void a_misspelt_key_is_not_missing(void **state)
{
    static const char *const texts[] = {
        JOB "stages: [{name: a, kind: filter, conditon: id = 1}]\n",
        JOB "stages: [{name: a, kind: lua, script: a.lua}]\n",
        JOB "stages: [{name: a, kind: replace, rules: [{field: f, fnd: a, with: b}]}]\n",
        HEAD TARGET "source: {kafka: main, topik: t}\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct report *report = report_new();
        struct buffer text;
        struct job *job;

        buffer_init(&text, 0);
        assert_false(load(texts[i], &job, report, &text));
        if (report_mistakes(report) != 1 || !strstr(buffer_text(&text), "unknown key"))
            fail_msg("%s:\n%s", texts[i], buffer_text(&text));
        job_free(job);
        report_free(report);
        buffer_release(&text);
    }
}

/* A day of the month alone would put a year of them into 31 partitions. */
static void a_part_of_the_time_without_what_is_above_it_is_warned_of(void **state)
{
    static const struct {
        const char *partitions, *text; /* NULL: no warning */
    } cases[] = {
        {"{name: d, kind: time, unit: day}", "the same day of every month goes to the same partition; add a column of unit: month, or "
                                             "use format: yyyyMMdd"},
        {"{name: h, kind: time, format: 'yyyyMMdd'}, {name: m, kind: time, unit: minute}", "minute of every hour"},
        {"{name: y, kind: time, unit: year}, {name: h, kind: time, unit: hour}", "hour of every day"},
        {"{name: m, kind: time, unit: month}, {name: y, kind: time, unit: year}", NULL},
        {"{name: d, kind: time, format: yyyy-MM-dd-HH}", NULL},
        {"{name: m, kind: field, from: month}, {name: d, kind: time, unit: day}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *file = xasprintf(HEAD "source: {kafka: main, topic: t}\ntime_zone: UTC\ntarget: {maxcompute: main, table: t, partition: [%s]}\n",
                               cases[i].partitions);
        struct report *report = report_new();
        struct buffer text;
        struct job *job;

        buffer_init(&text, 0);
        assert_true(load(file, &job, report, &text));
        assert_int_equal(report_warnings(report), cases[i].text != NULL);
        if (cases[i].text && !strstr(buffer_text(&text), cases[i].text))
            fail_msg("%s:\n%s", cases[i].partitions, buffer_text(&text));
        job_free(job);
        report_free(report);
        buffer_release(&text);
        free(file);
    }
}

/* A warning leaves the job usable: Kerberos without a word about it is unusual, and right for some. */
static void a_login_without_a_mechanism_is_warned_of(void **state)
{
    static const struct {
        const char *properties;
        unsigned warnings;
    } cases[] = {
        {"{security.protocol: SASL_SSL}", 1},
        {"{security.protocol: sasl_ssl, sasl.mechanism: PLAIN}", 0},
        {"{security.protocol: ssl}", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *file = xasprintf(HEAD "source: {kafka: main, topic: t, properties: %s}\ntarget: {maxcompute: main, table: t}\n",
                               cases[i].properties);
        struct report *report = report_new();
        struct buffer text;
        struct job *job;

        buffer_init(&text, 0);
        assert_true(load(file, &job, report, &text));
        assert_int_equal(report_warnings(report), cases[i].warnings);
        if (cases[i].warnings)
            assert_non_null(strstr(buffer_text(&text), "because sasl.mechanism is not set"));
        job_free(job);
        report_free(report);
        buffer_release(&text);
        free(file);
    }
}

static void all_mistakes_come_at_once(void **state)
{
    struct report *report = report_new();
    struct buffer text;
    struct job *job;

    (void)state;
    buffer_init(&text, 0);
    assert_false(load("name: j\nsorce: {}\nruntime: {workers: x, memory_max: 1B}\n" SOURCE, &job, report, &text));
    assert_int_equal(report_mistakes(report), 4);
    assert_non_null(strstr(buffer_text(&text), "unknown key \"sorce\"; did you mean \"source\"?"));
    assert_non_null(strstr(buffer_text(&text), "4 mistakes in "));
    job_free(job);
    report_free(report);
    buffer_release(&text);
}

static void the_cluster_of_dirty_rows_is_the_sources_or_its_own(void **state)
{
    static const struct {
        const char *dirty, *brokers, *password; /* brokers NULL: files */
        size_t properties;
    } cases[] = {
        {"{}", NULL, NULL, 0},
        {"{kafka: {topic: d}}", "a:9092, b:9093", "kafka-secret-1", 3}, /* with what the job adds for its source */
        {"{kafka: {topic: d, cluster: main}}", "a:9092, b:9093", "kafka-secret-1", 3},
        {"{kafka: {topic: d, cluster: other}}", "c:9092", "other-secret-5", 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *file = xasprintf(HEAD "source: {kafka: main, topic: t, properties: {sasl.mechanism: PLAIN}}\n" TARGET "dirty: %s\n",
                               cases[i].dirty);
        struct report *report = report_new();
        struct buffer text;
        struct job *job;

        buffer_init(&text, 0);
        if (!load(file, &job, report, &text))
            fail_msg("%s", buffer_text(&text));
        assert_int_equal(job->dirty.topic != NULL, cases[i].brokers != NULL);
        if (cases[i].brokers) {
            assert_string_equal(job->dirty.topic, "d");
            assert_string_equal(job->dirty.kafka.brokers, cases[i].brokers);
            assert_int_equal(job->dirty.kafka.property_count, cases[i].properties);
            assert_string_equal(job->dirty.kafka.properties[0].value, cases[i].password);
        }
        job_free(job);
        report_free(report);
        buffer_release(&text);
        free(file);
    }
}

static void depth_is_bounded(void **state)
{
    struct report *report = report_new();
    char deep[256] = "name: ";
    struct buffer text;
    struct job *job;

    (void)state;
    memset(deep + 6, '[', 100);
    buffer_init(&text, 0);
    assert_false(load(deep, &job, report, &text));
    assert_null(job);
    assert_non_null(strstr(buffer_text(&text), "32 levels deep at most"));
    report_free(report);
    buffer_release(&text);
}

static void values_arrive(void **state)
{
    static const char text[] =
        "name: j\n"
        "time_zone: Asia/Shanghai\n"
        "source:\n  kafka: main\n  topic: orders\n  fields: [__value__, __offset__]\n  start: {otherwise: 2024-01-31 "
        "00:00:00}\n  on_gap: latest\n"
        "  properties: {client.id: '$${x}', sasl.password: job-secret-4}\n"
        "stages:\n  - {name: parse, kind: json, when_error: 'null', columns: [{name: a, path: $.a, type: bigint}]}\n"
        "  - {name: own, kind: lua, file: stage.lua, options: {k: v}}\n"
        "  - {name: bare, kind: lua, file: stage.lua}\n"
        "  - {name: few, kind: filter, condition: '${job} <> ${now} $${x}'}\n"
        "target:\n  maxcompute: zoned\n  table: t\n  create: if_missing\n  lifecycle: 30\n  columns: [{name: a, type: BIGINT, "
        "from: b, not_null: true}]\n"
        "  mapping: {c: d}\n  partition:\n    - {name: y, kind: time, unit: year}\n    - {name: m, kind: time, format: MMdd, "
        "from: ts, zone: '+01:00'}\n"
        "    - {name: f, kind: field, from: city}\n"
        "dirty: {max: 5}\n"
        "runtime: {workers: '${env:JOB_TEST_WORKERS}', flush_interval: 2m, flush_bytes: 1MB, compression: none}\n"
        "log: {level: debug, file: /x/y.log}\n";
    struct report *report = report_new();
    struct buffer printed;
    char path[128];
    struct job *job;

    (void)state;
    buffer_init(&printed, 0);
    if (!load(text, &job, report, &printed))
        fail_msg("%s", buffer_text(&printed));
    assert_int_equal(report_warnings(report), 0);
    assert_string_equal(job->directory, directory);
    assert_string_equal(job->source.group, "luaduct-j");
    assert_string_equal(job->source.topic, "orders");
    assert_int_equal(job->source.topic_at.line, 5);
    assert_string_equal(job->source.kafka.brokers, "a:9092, b:9093");
    assert_int_equal(job->source.fields, 1u << BUILTIN_VALUE | 1u << BUILTIN_OFFSET);
    assert_int_equal(job->source.start, START_COMMITTED);
    assert_int_equal(job->source.otherwise, START_TIME);
    assert_int_equal(job->source.otherwise_ms, INT64_C(1706630400000));
    assert_int_equal(job->source.on_gap, ON_GAP_LATEST);
    assert_int_equal(job->source.property_count, 4);
    assert_string_equal(job->source.properties[0].value, "kafka-secret-1");
    assert_string_equal(job->source.properties[2].value, "${x}");
    assert_int_equal(job->stage_count, 4);
    assert_true(str_is(tree_get(job->stages[3].options, "condition")->text, "${job} <> ${now} ${x}"));
    assert_int_equal(job->stages[0].when_error, WHEN_ERROR_NULL);
    assert_non_null(tree_get(job->stages[0].options, "columns"));
    assert_non_null(tree_get(job->stages[1].options, "k"));
    assert_null(job->stages[2].options);
    snprintf(path, sizeof(path), "%s/stage.lua", directory);
    assert_string_equal(job->stages[1].file, path);
    assert_int_equal(job->stages[1].at.line, 12);
    assert_string_equal(job->target.maxcompute.access_key, "file-secret-3");
    assert_int_equal(job->target.create, CREATE_IF_MISSING);
    assert_int_equal(job->target.lifecycle_days, 30);
    assert_int_equal(job->target.column_count, 1);
    assert_true(job->target.columns[0].not_null);
    assert_string_equal(job->target.columns[0].from, "b");
    assert_int_equal(job->target.mapping_count, 1);
    assert_string_equal(job->target.mapping[0].field, "d");
    assert_int_equal(job->target.partition_count, 3);
    assert_string_equal(job->target.partitions[0].format, "yyyy");
    assert_string_equal(job->target.partitions[0].from, "__timestamp__");
    assert_string_equal(job->target.partitions[0].zone, "Asia/Shanghai");
    assert_string_equal(job->target.partitions[1].zone, "+01:00");
    assert_int_equal(job->target.partitions[2].kind, PARTITION_FIELD);
    assert_int_equal(job->target.partitions_open_max, 32);
    snprintf(path, sizeof(path), "%s/dirty", directory);
    assert_string_equal(job->dirty.directory, path);
    assert_int_equal(job->dirty.max, 5);
    assert_int_equal(job->dirty.bytes_max, INT64_C(1) << 30);
    assert_int_equal(job->runtime.workers, 3);
    assert_int_equal(job->runtime.batch_rows, 1024);
    assert_int_equal(job->runtime.flush_interval_ms, 120000);
    assert_int_equal(job->runtime.flush_bytes, 1000000);
    assert_int_equal(job->runtime.compression, JOB_COMPRESSION_NONE);
    assert_int_equal(job->runtime.lua_instructions_max, 100000000);
    assert_null(job->metrics.listen);
    assert_int_equal(job->log.level, LOG_DEBUG);
    assert_string_equal(job->log.file, "/x/y.log");
    job_free(job);
    report_free(report);
    buffer_release(&printed);
}

static void secrets_are_told_to_the_log(void **state)
{
    char line[] = "kafka-secret-1 service-secret-2";
    struct report *report = report_new();
    struct buffer printed;
    struct job *job;

    (void)state;
    buffer_init(&printed, 0);
    assert_true(load(JOB, &job, report, &printed));
    assert_string_equal(job->target.maxcompute.access_key, "service-secret-2");
    log_redact(line);
    assert_string_equal(line, "*** ***");
    job_free(job);
    report_free(report);
    buffer_release(&printed);
}

static void start_offsets(void **state)
{
    static const char text[] = HEAD TARGET "source: {kafka: main, topic: t, start: {offsets: {0: 1500, 7: earliest, 2: latest}%s}}\n";
    static const struct {
        const char *more;
        enum start_kind otherwise;
        int64_t ms;
    } cases[] = {
        {"", START_COMMITTED, 0},
        {", otherwise: latest", START_LATEST, 0},
        {", otherwise: 90s ago", START_AGO, 90 * 1000},
        {", otherwise: 2d ago", START_AGO, 2 * 24 * 3600 * 1000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct report *report = report_new();
        struct buffer printed;
        char file[512];
        struct job *job;

        snprintf(file, sizeof(file), text, cases[i].more);
        buffer_init(&printed, 0);
        if (!load(file, &job, report, &printed))
            fail_msg("%s: %s", cases[i].more, buffer_text(&printed));
        assert_int_equal(job->source.start, START_OFFSETS);
        assert_int_equal(job->source.otherwise, cases[i].otherwise);
        assert_int_equal(job->source.otherwise_ms, cases[i].ms);
        assert_int_equal(job->source.offset_count, 3);
        assert_int_equal(start_offset_find(job->source.offsets, 3, 0)->offset, 1500);
        assert_int_equal(start_offset_find(job->source.offsets, 3, 7)->offset, START_AT_EARLIEST);
        assert_int_equal(start_offset_find(job->source.offsets, 3, 2)->offset, START_AT_LATEST);
        assert_null(start_offset_find(job->source.offsets, 3, 1));
        assert_int_equal(job->source.offsets[0].at.line, 3);
        job_free(job);
        report_free(report);
        buffer_release(&printed);
    }
}

static void start_times(void **state)
{
    static const struct {
        const char *written;
        int64_t ms;
    } cases[] = {
        {"2024-01-31 00:00:00 Asia/Shanghai", INT64_C(1706630400000)}, {"2024-01-31 00:00:00+08:00", INT64_C(1706630400000)},
        {"2024-01-31 00:00:00 +08:00", INT64_C(1706630400000)},        {"2024-01-31T00:00:00Z", INT64_C(1706659200000)},
        {"2024-01-31 UTC", INT64_C(1706659200000)},                    {"1706659200123", INT64_C(1706659200123)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct report *report = report_new();
        struct buffer printed;
        struct job *job;
        char text[256];

        snprintf(text, sizeof(text), HEAD TARGET "source: {kafka: main, topic: t, start: '%s'}\n", cases[i].written);
        buffer_init(&printed, 0);
        if (!load(text, &job, report, &printed))
            fail_msg("%s: %s", cases[i].written, buffer_text(&printed));
        assert_int_equal(job->source.start, START_TIME);
        assert_int_equal(job->source.otherwise, START_TIME);
        assert_int_equal(job->source.start_ms, cases[i].ms);
        assert_int_equal(job->source.otherwise_ms, cases[i].ms);
        job_free(job);
        report_free(report);
        buffer_release(&printed);
    }
}

static void property_names(void **state)
{
    (void)state;
    assert_non_null(kafka_property_refusal("queued.min.messages"));
    assert_non_null(kafka_property_refusal("isolation.level"));
    assert_null(kafka_property_refusal("queued"));
    assert_null(kafka_property_refusal("client.id"));
    assert_true(kafka_property_is_number("session.timeout.ms"));
    assert_false(kafka_property_is_number("client.id"));
    assert_true(name_is_secret(STR("sasl.password")));
    assert_true(name_is_secret(STR("ssl.key.pem")));
    assert_false(name_is_secret(STR("ssl.key.location")));
    assert_false(name_is_secret(STR("sasl.kerberos.keytab")));
    assert_false(name_is_secret(STR("sasl.oauthbearer.assertion.private.key.file")));
    assert_true(name_is_secret(STR("sasl.oauthbearer.config")));
    assert_true(name_is_secret(STR("sasl.oauthbearer.client.secret")));
    assert_true(kafka_property_is_path("ssl.keystore.location"));
    assert_false(kafka_property_is_path("ssl.key.pem"));
    assert_true(kafka_property_is_password("sasl.username"));
}

/* The page in the repository is the one that the tables make: after a change of a table, write it anew from `luaduct help
 * config`. */
static void reference_is_current(void **state)
{
    FILE *file = fopen(TEST_SOURCE_DIR "/config/reference.md", "r");
    struct buffer text, page;
    size_t size;

    (void)state;
    assert_non_null(file);
    buffer_init(&text, 0);
    buffer_init(&page, 0);
    job_print_reference(&text, true);
    assert_true(buffer_reserve(&page, text.size + 1));
    size = fread(page.data, 1, text.size + 1, file);
    fclose(file);
    page.size = size;
    assert_string_equal(buffer_text(&page), buffer_text(&text));
    buffer_clear(&text);
    job_print_reference(&text, false);
    assert_non_null(strstr(buffer_text(&text), "runtime.flush_interval  (duration (ms, s, m, h), 100ms to 1000s; default 60s)"));
    buffer_release(&page);
    buffer_release(&text);
}

static void demo_job_loads(void **state)
{
    struct report *report = report_new();
    struct buffer text;
    struct job *job;
    bool ok;

    (void)state;
    setenv("LUADUCT_DEMO_BROKERS", "127.0.0.1:9092", 1);
    setenv("LUADUCT_DEMO_ENDPOINT", "http://127.0.0.1:8080/api", 1);
    setenv("LUADUCT_DEMO_ACCESS_ID", "demo", 1);
    setenv("LUADUCT_DEMO_ACCESS_KEY", "demo-key", 1);
    ok = job_load(&job, TEST_SOURCE_DIR "/config/orders.yaml", NULL, report);
    buffer_init(&text, 0);
    report_print(report, &text);
    if (!ok)
        fail_msg("%s", buffer_text(&text));
    assert_int_equal(job->stage_count, 2);
    assert_int_equal(job->target.column_count, 8);
    assert_int_equal(job->target.partition_count, 3);
    assert_int_equal(job->runtime.flush_interval_ms, 5000);
    job_free(job);
    report_free(report);
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_misspelt_key_is_not_missing),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(a_part_of_the_time_without_what_is_above_it_is_warned_of),
        cmocka_unit_test(a_login_without_a_mechanism_is_warned_of),
        cmocka_unit_test(all_mistakes_come_at_once),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(secrets_are_told_to_the_log),
        cmocka_unit_test(start_times),
        cmocka_unit_test(start_offsets),
        cmocka_unit_test(the_cluster_of_dirty_rows_is_the_sources_or_its_own),
        cmocka_unit_test(property_names),
        cmocka_unit_test(reference_is_current),
        cmocka_unit_test(demo_job_loads),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
