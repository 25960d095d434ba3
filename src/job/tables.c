/* tables.c: every option there is. The order of rows is the order of the reference. */
#include "job/tables.h"

#include <stdio.h>
#include <stdlib.h>

#include "batch/time.h"
#include "job/kafka_properties.h"
#include "job/resolve.h"
#include "util/log.h"

#define KIB(n) ((int64_t)(n) << 10)
#define MIB(n) ((int64_t)(n) << 20)
#define GIB(n) ((int64_t)(n) << 30)
#define SECONDS(n) ((int64_t)(n) * 1000)
#define FOREIGN(name_, answer) {.name = (name_), .type = OPTION_FOREIGN, .sentence = (answer)}
#define LATER(name_, answer) {.name = (name_), .type = OPTION_LATER, .sentence = (answer)}
#define END {.type = OPTION_NONE}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(struct str text, size_t size_max_, const char *others)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_letter(text.data[i]) && !is_digit(text.data[i]) && !strchr(others, text.data[i]))
            return false;
    return text.size && text.size <= size_max_;
}

static bool name_check(struct str text, struct error *error)
{
    return is_word(text, 64, "_.-") || error_set(error, ERROR_DATA,
                                                 "is no name: 1 to 64 letters, digits, \"_\", \".\" and \"-\"");
}

static bool topic_check(struct str text, struct error *error)
{
    if (text.data[0] == '^')
        return error_set(error, ERROR_DATA, "is a pattern; a job reads one topic, by its name");
    if (str_is(text, ".") || str_is(text, "..") || !is_word(text, 249, "_.-"))
        return error_set(error, ERROR_DATA, "is no topic name: 1 to 249 letters, digits, \"_\", \".\" and \"-\"");
    return true;
}

static bool table_check(struct str text, struct error *error)
{
    if (memchr(text.data, '.', text.size))
        return error_set(error, ERROR_DATA, "must be the table's name alone; project and schema belong to the data source");
    return is_word(text, 128, "_") || error_set(error, ERROR_DATA, "is no table name: 1 to 128 letters, digits and \"_\"");
}

static bool project_check(struct str text, struct error *error)
{
    return is_word(text, 128, "_-") || error_set(error, ERROR_DATA,
                                                 "is no name of the service: 1 to 128 letters, digits, \"_\" and \"-\"");
}

static bool column_check(struct str text, struct error *error)
{
    if (text.size > 128)
        return error_set(error, ERROR_DATA, "is longer than the 128 bytes that a column name may have");
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || strchr("`'\"/=,", text.data[i]))
            return error_set(error, ERROR_DATA, "is no column name: no blanks, quotes, \"/\", \"=\" or \",\"");
    return true;
}

static bool pipeline_type_check(struct str text, struct error *error)
{
    struct type type;

    if (type_parse(text, &type, error))
        return true;
    /* Inside { } YAML ends a value at the comma of decimal(10,2). */
    if (memchr(text.data, '(', text.size) && !memchr(text.data, ')', text.size))
        return error_set(error, ERROR_DATA, "is cut at its comma; inside { } the type needs quotes, such as \"decimal(10,2)\"");
    return false;
}

static bool zone_check(struct str text, struct error *error)
{
    struct zone *zone = NULL;
    bool ok = zone_open(&zone, text, error);

    zone_free(zone);
    if (!ok && error)
        error->kind = ERROR_CONFIG;
    return ok;
}

static bool port_check(struct str text, unsigned minimum)
{
    unsigned port = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]) || i > 4)
            return false;
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    return text.size && port >= minimum && port <= 65535;
}

/* "host:port" or "[v6]:port"; without a port rest is absent. */
static bool host_cut(struct str text, struct str *host, struct str *port)
{
    *port = STR_NONE;
    *host = text;
    if (text.size && text.data[0] == '[') {
        const char *end = memchr(text.data, ']', text.size);

        if (!end)
            return false;
        *host = str_make(text.data + 1, (size_t)(end - text.data) - 1);
        text = str_make(end + 1, text.size - host->size - 2);
        if (text.size && text.data[0] != ':')
            return false;
        if (text.size)
            *port = str_make(text.data + 1, text.size - 1);
        return is_word(*host, 64, ":.%");
    }
    str_cut(text, ':', host, port);
    return is_word(*host, 253, "._-");
}

static bool brokers_check(struct str text, struct error *error)
{
    struct str rest = text;

    while (rest.data) {
        struct str broker, host, port;

        str_cut(rest, ',', &broker, &rest);
        broker = str_trim(broker);
        if (!host_cut(broker, &host, &port) || (port.data && !port_check(port, 1)))
            return error_set(error, ERROR_DATA, "is no list of brokers; write host:port, with commas between several");
    }
    return true;
}

static bool listen_check(struct str text, struct error *error)
{
    struct str host, port;

    if (!host_cut(text, &host, &port) || !port.data || !port_check(port, 0))
        return error_set(error, ERROR_DATA, "is no address; write host:port, such as 127.0.0.1:9464");
    if (!str_starts_with(host, STR("127.")) && !str_is(host, "localhost") && !str_is(host, "::1"))
        return error_set(error, ERROR_DATA, "is not on the loopback interface; there is no login, so only 127.0.0.1, localhost "
                         "or [::1] are possible");
    return true;
}

static bool url_check(struct str text, struct error *error)
{
    struct str rest;

    if (str_starts_with(text, STR("https://")))
        rest = str_make(text.data + 8, text.size - 8);
    else if (str_starts_with(text, STR("http://")))
        rest = str_make(text.data + 7, text.size - 7);
    else
        return error_set(error, ERROR_DATA, "is no address; it begins with https:// or http://");
    for (size_t i = 0; i < rest.size; i++)
        if ((unsigned char)rest.data[i] <= ' ' || strchr("?#@", rest.data[i]))
            return error_set(error, ERROR_DATA, "must be scheme, host, port and path only");
    return (rest.size && rest.data[0] != '/' && rest.data[0] != ':') || error_set(error, ERROR_DATA, "names no host");
}

/* A proxy may carry a user, which an endpoint may not. */
static bool proxy_check(struct str text, struct error *error)
{
    if (!str_starts_with(text, STR("http://")) && !str_starts_with(text, STR("https://")) &&
        !str_starts_with(text, STR("socks5h://")) && !str_starts_with(text, STR("socks5://")))
        return error_set(error, ERROR_DATA, "is no proxy address; it begins with http://, https://, socks5:// or socks5h://");
    return true;
}

static bool format_check(struct str text, struct error *error)
{
    static const struct str patterns[] = {{"yyyy", 4}, {"MM", 2}, {"dd", 2}, {"HH", 2}, {"mm", 2}};
    enum { MONTH = 1, HOUR = 3, MINUTE = 4 };
    unsigned found = 0;
    size_t i = 0;

    while (i < text.size) {
        size_t run = 1, known = 0;

        while (i + run < text.size && text.data[i + run] == text.data[i])
            run++;
        while (known < COUNT_OF(patterns) && !str_equal(patterns[known], str_make(text.data + i, run)))
            known++;
        if (known < COUNT_OF(patterns))
            found |= 1U << known;
        else if (is_letter(text.data[i]))
            return error_set(error, ERROR_DATA, "has \"%.*s\" in it; the patterns are yyyy, MM, dd, HH and mm, with other "
                             "characters that are no letters between them", (int)run, text.data + i);
        else if (strchr("/=,'\"", text.data[i]) || (unsigned char)text.data[i] <= ' ')
            return error_set(error, ERROR_DATA,
                             "has a character in it that a partition value may not have (blank, quote, \"/\", \"=\", \",\")");
        i += run;
    }
    if (!found)
        return error_set(error, ERROR_DATA, "has none of the patterns yyyy, MM, dd, HH and mm");
    /* yyyy-mm-dd would make a partition of every minute, and of none of the months. */
    if ((found & 1U << MINUTE) && found != 1U << MINUTE && !(found & (1U << MONTH | 1U << HOUR)))
        return error_set(error, ERROR_DATA, "has minutes (mm) without hours; the month is MM");
    return true;
}

bool start_parse(struct str text, enum start_kind *kind_out)
{
    int index = choice_index("committed|earliest|latest", text);

    *kind_out = index >= 0 ? (enum start_kind)index : START_TIME;
    return index >= 0 || (text.size && is_digit(text.data[0]));
}

bool start_time_parse(struct str text, const char *zone, int64_t *ms_out, struct error *error)
{
    struct str when = text, zone_text = STR_NONE;
    struct instant instant = {0};
    struct zone_cache cache = {0};
    struct zone *opened = NULL;
    int32_t offset = 0, days;
    bool has_offset = false;
    size_t digits = 0;

    while (digits < text.size && is_digit(text.data[digits]))
        digits++;
    if (digits && digits == text.size) {
        if (digits != 13)
            return error_set(error, ERROR_DATA, "has %zu digits; a time as a number is epoch milliseconds, which have 13",
                             digits);
        *ms_out = 0;
        for (size_t i = 0; i < digits; i++)
            *ms_out = *ms_out * 10 + (text.data[i] - '0');
        return true;
    }
    for (size_t i = text.size; i > 0 && !zone_text.data; i--) { /* the last word, when it is a zone and no time of day */
        if (text.data[i - 1] == ' ' && i < text.size && !is_digit(text.data[i])) {
            zone_text = str_make(text.data + i, text.size - i);
            when = str_trim(str_make(text.data, i - 1));
        } else if (text.data[i - 1] == ' ') {
            break;
        }
    }
    if (!time_parse(when, &instant, &has_offset, &offset)) {
        if (!time_parse_date(when, &days))
            return error_set(error, ERROR_DATA, "is no time; write it as \"2024-01-31 00:00:00 Asia/Shanghai\", with +08:00 for "
                             "the zone, or as epoch milliseconds of 13 digits");
        instant = (struct instant){.seconds = (int64_t)days * 86400};
        has_offset = false;
    }
    if (has_offset && zone_text.data)
        return error_set(error, ERROR_DATA, "names both an offset and a zone; leave one of them out");
    if (has_offset) {
        instant.seconds -= offset;
    } else {
        if (!zone_text.data && zone)
            zone_text = str_of(zone);
        if (!zone_text.data)
            return error_set(error, ERROR_DATA,
                             "names no time zone; add one, such as Asia/Shanghai or +08:00, or set time_zone for the job");
        if (!zone_open(&opened, zone_text, error))
            return error_set(error, ERROR_DATA,
                             "names an unknown time zone \"%.*s\"; use an IANA name such as Asia/Shanghai, or +08:00",
                             STR_ARG(zone_text));
        instant.seconds = zone_from_local(opened, &cache, instant.seconds);
        zone_free(opened);
    }
    *ms_out = instant.seconds * 1000 + instant.nanos / 1000000;
    return true;
}

/* A bare "time" is what people write who know the console: it is told what is missing. */
static bool start_check(struct option_reader *reader, const struct tree_node *node, const char *choices,
                        enum start_kind *kind_out)
{
    char excerpt[OPTION_EXCERPT_MAX], hint[OPTION_HINT_MAX];

    if (!option_scalar(reader, node, "committed, earliest, latest or a time"))
        return false;
    option_excerpt(node, excerpt);
    if (str_is(node->text, "time") || str_is(node->text, "timestamp")) {
        option_mistake(reader, node,
                       "a start by time needs the time itself, such as start: \"2024-01-31 00:00:00 Asia/Shanghai\"");
        return false;
    }
    if (!start_parse(node->text, kind_out)) {
        option_mistake(reader, node, "%s is no start; it must be %s, or a time such as \"2024-01-31 00:00:00 Asia/Shanghai\"%s",
                       excerpt, choice_index(choices, STR("committed")) >= 0 ? "committed, earliest, latest" : "earliest, latest",
                       choice_hint(choices, node->text, hint));
        return false;
    }
    if (*kind_out == START_COMMITTED && choice_index(choices, node->text) < 0) {
        option_mistake(reader, node, "is for a job that has no committed position yet: earliest, latest or a time");
        return false;
    }
    return true;
}

/* Times are read in load.c, when the zones are known. */
static void start_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    const char *choices = row->choices;
    enum start_kind kind;

    if (node && start_check(reader, node, choices, &kind))
        memcpy((char *)base + row->offset, &kind, sizeof(kind));
}

static void start_map_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    struct job *job = base;
    const struct tree_node *at;

    job->source.start = START_COMMITTED;
    job->source.otherwise = START_EARLIEST;
    if (!node)
        return;
    if (node->kind == TREE_MAP) {
        options_read(reader, row->rows, base, node, node->at, node->width);
        at = tree_get(node, "at");
        if (at && job->source.start != START_COMMITTED && tree_get(node, "otherwise"))
            option_mistake(reader, tree_get(node, "otherwise"), "has a meaning only with at: committed");
        if (tree_get(node, "otherwise"))
            return;
    } else if (tree_is_null(node)) {
        option_mistake(reader, node, "has no value; it must be committed, earliest, latest or a time such as \"2024-01-31 "
                                     "00:00:00 Asia/Shanghai\"");
    } else if (node->kind == TREE_SCALAR) {
        start_check(reader, node, "committed|earliest|latest", &job->source.start);
    } else {
        option_mistake(reader, node, "must be committed, earliest, latest, a time, or a map of at and otherwise");
    }
    if (job->source.start != START_COMMITTED)
        job->source.otherwise = job->source.start;
}

static void fields_read(struct option_reader *reader, const struct option *row UNUSED, void *base, struct tree_node *node)
{
    struct job *job = base;
    unsigned all = (1u << BUILTIN_COUNT) - 1, fields = 0;
    char excerpt[OPTION_EXCERPT_MAX];

    job->source.fields = all;
    if (!node)
        return;
    if (node->kind != TREE_LIST || !node->count) {
        option_mistake(reader, node, "must be a list of field names, or be left out for all six");
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct tree_node *item = node->items[i];
        size_t mark = options_path_enter(reader, STR_NONE, i + 1);
        unsigned bit = 0;

        if (option_scalar(reader, item, "a field's name")) {
            for (unsigned b = 0; b < BUILTIN_COUNT; b++)
                if (str_is(item->text, batch_builtin_names[b]))
                    bit = 1u << b;
            option_excerpt(item, excerpt);
            if (!bit) {
                const char *nearest = str_nearest(item->text, batch_builtin_names, BUILTIN_COUNT);

                option_mistake(reader, item, "%s is no field of a record%s%s%s", excerpt, nearest ? "; did you mean \"" :
                               "; the fields are __key__, __value__, __partition__, __headers__, __offset__ and __timestamp__",
                               nearest ? nearest : "", nearest ? "\"?" : "");
            } else if (fields & bit) {
                option_mistake(reader, item, "%s occurs twice", excerpt);
            }
            fields |= bit;
        }
        options_path_leave(reader, mark);
    }
    if (fields)
        job->source.fields = fields;
}

static bool whole_number(struct str text)
{
    size_t i = text.size > 1 && text.data[0] == '-';

    for (; i < text.size; i++)
        if (!is_digit(text.data[i]))
            return false;
    return text.size && text.size < 20;
}

static bool property_check(struct option_reader *reader, const struct tree_entry *entry, const char *name)
{
    const char *refusal = kafka_property_refusal(name);
    const struct tree_node *node = entry->value;
    char excerpt[OPTION_EXCERPT_MAX];

    if (refusal) {
        report_mistake(reader->report, entry->at, (unsigned)entry->key.size, "%s: this property cannot be set here: %s",
                       buffer_text(&reader->path), refusal);
        return false;
    }
    if (node->kind == TREE_SCALAR && !resolve_failed(node) && name_is_secret(entry->key))
        option_secret(node->text);
    if (!option_scalar(reader, node, "a text or a number"))
        return false;
    if (kafka_property_is_number(name) && !whole_number(node->text)) {
        option_mistake(reader, node, "%s is not a whole number", option_excerpt(node, excerpt));
        return false;
    }
    return true;
}

static void properties_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    struct job_property *properties;
    size_t count = 0;

    if (!node || tree_is_null(node))
        return;
    if (node->kind != TREE_MAP) {
        option_mistake(reader, node, "must be a map of librdkafka properties");
        return;
    }
    properties = owned_keep(reader->owned, xcalloc(node->count + 1, sizeof(*properties)));
    for (size_t i = 0; i < node->count; i++) {
        const struct tree_entry *entry = &node->entries[i];
        char *name = owned_keep(reader->owned, str_dup(entry->key));
        size_t mark = options_path_enter(reader, entry->key, 0);

        if (property_check(reader, entry, name))
            properties[count++] = (struct job_property){name, owned_keep(reader->owned, str_dup(entry->value->text)),
                                                        entry->value->at};
        options_path_leave(reader, mark);
    }
    memcpy((char *)base + row->offset, &properties, sizeof(properties));
    memcpy((char *)base + row->count_offset, &count, sizeof(count));
}

static void mapping_read(struct option_reader *reader, const struct option *row UNUSED, void *base, struct tree_node *node)
{
    struct job *job = base;
    struct job_mapping *mapping;
    struct error error;

    if (!node || tree_is_null(node))
        return;
    if (node->kind != TREE_MAP) {
        option_mistake(reader, node, "must be a map of \"column: field\" lines");
        return;
    }
    mapping = owned_keep(reader->owned, xcalloc(node->count + 1, sizeof(*mapping)));
    for (size_t i = 0; i < node->count; i++) {
        const struct tree_entry *entry = &node->entries[i];
        size_t mark = options_path_enter(reader, entry->key, 0);
        unsigned width = (unsigned)size_max(entry->key.size, 1);
        bool ok = option_scalar(reader, entry->value, "a field's name");

        if (!entry->key.size || !column_check(entry->key, &error)) {
            report_mistake(reader->report, entry->at, width, "target.mapping: \"%.*s\" %s", STR_ARG(entry->key),
                           entry->key.size ? error.text : "is no name");
            ok = false;
        }
        for (size_t j = 0; j < i; j++) {
            if (str_equal_ignore_case(entry->key, node->entries[j].key)) {
                report_mistake(reader->report, entry->at, width, "target.mapping: the column \"%.*s\" has a field already, on "
                               "line %u; column names are compared without case", STR_ARG(entry->key), node->entries[j].at.line);
                ok = false;
            }
        }
        if (ok)
            mapping[job->target.mapping_count++] = (struct job_mapping){
                .column = owned_keep(reader->owned, str_dup(entry->key)),
                .field = owned_keep(reader->owned, str_dup(entry->value->text)),
                .at = entry->at, .field_at = entry->value->at, .width = width, .field_width = entry->value->width};
        options_path_leave(reader, mark);
    }
    job->target.mapping = mapping;
}

static void default_read(struct option_reader *reader, const struct option *row UNUSED, void *base UNUSED, struct tree_node *node)
{
    if (node && node->kind != TREE_SCALAR)
        option_mistake(reader, node, "must be a text, a number, true or false, not a %s",
                       node->kind == TREE_LIST ? "list" : "map");
}

static const struct option start_rows[] = {
    {.name = "at", .type = OPTION_CUSTOM, .fallback = "committed", .form = "committed, earliest, latest or a time",
     OPTION_FIELD(struct job, source.start), .choices = "committed|earliest|latest", .read = start_read,
     .sentence = "Where to begin; the same as start: VALUE."},
    {.name = "otherwise", .type = OPTION_CUSTOM, .fallback = "earliest", .form = "earliest, latest or a time",
     .choices = "earliest|latest", OPTION_FIELD(struct job, source.otherwise), .read = start_read,
     .sentence = "Where a job begins that has no committed position, because it never ran."},
    FOREIGN("time", "write the time under \"at\": at: \"2024-01-31 00:00:00 Asia/Shanghai\""),
    FOREIGN("timestamp", "write the time under \"at\": at: \"2024-01-31 00:00:00 Asia/Shanghai\""),
    LATER("offsets", "until then start from a time"),
    END,
};

static const struct option source_rows[] = {
    {.name = "kafka", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job, source.kafka.name),
     .check = name_check, .sentence = "The name of a Kafka cluster in the file of data sources."},
    {.name = "topic", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job, source.topic),
     .at_offset = offsetof(struct job, source.topic_at), .check = topic_check, .sentence = "The topic to read."},
    {.name = "group", .type = OPTION_TEXT, OPTION_FIELD(struct job, source.group),
     .form = "text, by default luaduct-NAME with the job's name", .check = name_check,
     .sentence = "The consumer group, which holds the job's position. Another group begins anew."},
    {.name = "fields", .type = OPTION_CUSTOM, .read = fields_read, .form = "list of names, by default all six",
     .sentence = "The fields of a record that enter the pipeline: __key__, __value__, __partition__, __headers__, __offset__, "
                 "__timestamp__."},
    {.name = "start", .type = OPTION_CUSTOM, .read = start_map_read, .rows = start_rows, .fallback = "committed",
     .form = "committed, earliest, latest, a time, or a map",
     .sentence = "Where to begin. A time is written as \"2024-01-31 00:00:00 Asia/Shanghai\", with an offset as +08:00, or as "
                 "epoch milliseconds of 13 digits; without a zone it is a time of the job's time_zone."},
    {.name = "on_gap", .type = OPTION_CHOICE, .choices = "fail|earliest|latest", .fallback = "fail",
     OPTION_FIELD(struct job, source.on_gap),
     .sentence = "What to do when the position is no longer in the topic: stop and name the lost range, or go on at the earliest "
                 "or latest record."},
    {.name = "properties", .type = OPTION_CUSTOM, .read = properties_read, OPTION_FIELD(struct job, source.properties),
     .count_offset = offsetof(struct job, source.property_count), .form = "map of librdkafka properties",
     .sentence = "Consumer properties of this job, on top of those of the cluster."},
    FOREIGN("brokers", "name the cluster under \"kafka\" and set its brokers in the file of data sources"),
    FOREIGN("bootstrap.servers", "name the cluster under \"kafka\" and set its brokers in the file of data sources"),
    FOREIGN("bootstrap_servers", "name the cluster under \"kafka\" and set its brokers in the file of data sources"),
    FOREIGN("topics", "a job reads one topic: use \"topic\""),
    FOREIGN("group.id", "use \"group\""),
    FOREIGN("group_id", "use \"group\""),
    FOREIGN("groupId", "use \"group\""),
    FOREIGN("offset", "use \"start\""),
    FOREIGN("startFrom", "use \"start\""),
    FOREIGN("auto.offset.reset", "use \"start\" for where to begin and \"on_gap\" for lost offsets"),
    END,
};

static const struct option json_column_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, .check = column_check,
     .sentence = "The field that the value goes to."},
    {.name = "path", .type = OPTION_TEXT, .flags = OPTION_REQUIRED,
     .sentence = "Where the value is: $.a.b, $.a[0], $['odd name'], $.list[*].x; with expand, @ is the element."},
    {.name = "type", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, .check = pipeline_type_check, .form = "type",
     .sentence = "boolean, bigint, double, decimal(p,s), string, binary, date, datetime, timestamp, timestamp_ntz or json."},
    {.name = "default", .type = OPTION_CUSTOM, .read = default_read, .form = "scalar",
     .sentence = "The value where the path leads nowhere; NULL without one."},
    {.name = "required", .type = OPTION_BOOLEAN, .fallback = "false",
     .sentence = "Whether a missing or null value is an error of the row."},
    END,
};

#define JSON_ONLY .only = "json"
#define LUA_ONLY .only = "lua"

static const struct option stage_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, OPTION_FIELD(struct job_stage, name),
     .check = name_check, .sentence = "The stage's name, by which logs, counters and preview call it."},
    {.name = "kind", .type = OPTION_WORD, .flags = OPTION_REQUIRED, .choices = "json|lua", .later = "mask|replace|filter|assign",
     .later_answer = "until then write it as a stage of kind lua", OPTION_FIELD(struct job_stage, kind),
     .sentence = "What the stage is: json or lua."},
    {.name = "when_error", .type = OPTION_CHOICE, .choices = "dirty|null|drop|stop", .fallback = "dirty",
     OPTION_FIELD(struct job_stage, when_error),
     .sentence = "What becomes of a row that the stage cannot handle: kept aside with its reason, the value set to NULL (not for "
                 "lua), left out, or the job stops."},
    {.name = "from", .type = OPTION_TEXT, JSON_ONLY, .fallback = "__value__", .sentence = "The text field that holds the JSON."},
    {.name = "columns", .type = OPTION_LIST, JSON_ONLY, .rows = json_column_rows,
     .sentence = "The values to take out, one column each."},
    {.name = "expand", .type = OPTION_TEXT, JSON_ONLY, .form = "path",
     .sentence = "An array that becomes one row per element, the other columns repeated. "
                 "An empty, missing or null one gives no row."},
    {.name = "rest", .type = OPTION_TEXT, JSON_ONLY, .check = column_check,
     .sentence = "A field that keeps what no path took, as JSON text."},
    {.name = "file", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_PATH | OPTION_READABLE, LUA_ONLY,
     OPTION_FIELD(struct job_stage, file), .form = "path",
     .sentence = "The Lua file, relative to the job file. It returns a table with process(batch)."},
    {.name = "options", .type = OPTION_FREE, LUA_ONLY, OPTION_FIELD(struct job_stage, options),
     .sentence = "Anything the Lua file wants; it is ctx.options there."},
    FOREIGN("type", "use \"kind\""),
    FOREIGN("script", "use \"file\""),
    FOREIGN("on_error", "use \"when_error\""),
    FOREIGN("onError", "use \"when_error\""),
    END,
};

static const struct option column_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, OPTION_FIELD(struct job_column, name),
     .check = column_check, .sentence = "The column's name."},
    {.name = "type", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_column, type),
     .form = "type of MaxCompute", .sentence = "Its type, such as BIGINT, STRING, DECIMAL(10,2) or TIMESTAMP."},
    {.name = "from", .type = OPTION_TEXT, OPTION_FIELD(struct job_column, from),
     .at_offset = offsetof(struct job_column, from_at), .form = "field, by default the one of the same name",
     .sentence = "The field that it is written from."},
    {.name = "comment", .type = OPTION_TEXT, OPTION_FIELD(struct job_column, comment),
     .sentence = "Its comment in the table that is created."},
    {.name = "not_null", .type = OPTION_BOOLEAN, .fallback = "false", OPTION_FIELD(struct job_column, not_null),
     .sentence = "Whether the table that is created refuses NULL in it."},
    END,
};

static const struct option partition_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, OPTION_FIELD(struct job_partition, name),
     .check = column_check, .sentence = "The partition column."},
    {.name = "kind", .type = OPTION_CHOICE, .flags = OPTION_REQUIRED, .choices = "time|field|lua",
     OPTION_FIELD(struct job_partition, kind),
     .sentence = "Where its value comes from: a time, a field as it is, or a Lua file."},
    {.name = "from", .type = OPTION_TEXT, .only = "time|field", OPTION_FIELD(struct job_partition, from),
     .form = "field, for time by default __timestamp__",
     .sentence = "The field that the value is made from; a bigint is epoch milliseconds for kind time."},
    {.name = "unit", .type = OPTION_CHOICE, .only = "time", .choices = "year|month|day|hour|minute",
     .sentence = "One level of a calendar: year is yyyy, month MM, day dd, hour HH, minute mm. Either this or format."},
    {.name = "format", .type = OPTION_TEXT, .only = "time", OPTION_FIELD(struct job_partition, format), .check = format_check,
     .form = "pattern", .sentence = "A pattern of yyyy, MM, dd, HH and mm, such as yyyyMMdd."},
    {.name = "zone", .type = OPTION_TEXT, .only = "time", OPTION_FIELD(struct job_partition, zone), .check = zone_check,
     .form = "time zone, by default the job's, then the data source's", .sentence = "The time zone of the calendar."},
    {.name = "file", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_PATH | OPTION_READABLE, LUA_ONLY,
     OPTION_FIELD(struct job_partition, file), .form = "path",
     .sentence = "A Lua file, relative to the job file, that returns a table with partition(batch)."},
    {.name = "options", .type = OPTION_FREE, LUA_ONLY, OPTION_FIELD(struct job_partition, options),
     .sentence = "Anything the Lua file wants; it is ctx.options there."},
    FOREIGN("time_zone", "use \"zone\""),
    FOREIGN("type", "use \"kind\""),
    FOREIGN("field", "use \"from\""),
    END,
};

static const struct option target_rows[] = {
    {.name = "maxcompute", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job, target.maxcompute.name),
     .check = name_check, .sentence = "The name of a MaxCompute project in the file of data sources."},
    {.name = "table", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job, target.table),
     .at_offset = offsetof(struct job, target.table_at), .check = table_check, .sentence = "The table to write."},
    {.name = "create", .type = OPTION_CHOICE, .choices = "never|if_missing", .fallback = "never",
     OPTION_FIELD(struct job, target.create),
     .sentence = "Whether a missing table is created at the start. A table that is there is not altered."},
    {.name = "columns", .type = OPTION_LIST, OPTION_FIELD(struct job, target.columns),
     .count_offset = offsetof(struct job, target.column_count), .element_size = sizeof(struct job_column),
     .item_at_offset = offsetof(struct job_column, at), .rows = column_rows,
     .sentence = "The columns of the table that is created; without them those that come out of the last stage."},
    {.name = "mapping", .type = OPTION_CUSTOM, .read = mapping_read, .form = "map of COLUMN: FIELD, by default by equal name",
     .sentence = "Which field a column is written from, where the names differ."},
    {.name = "partition", .type = OPTION_LIST, OPTION_FIELD(struct job, target.partitions),
     .count_offset = offsetof(struct job, target.partition_count), .element_size = sizeof(struct job_partition),
     .item_at_offset = offsetof(struct job_partition, at), .item_width_offset = offsetof(struct job_partition, width),
     .rows = partition_rows,
     .sentence = "The partition columns, outermost first, and how their values are computed for each row."},
    {.name = "partitions_open_max", .type = OPTION_INTEGER, .fallback = "32", .minimum = 1, .maximum = 512,
     OPTION_FIELD(struct job, target.partitions_open_max), .at_offset = offsetof(struct job, target.partitions_open_max_at),
     .sentence = "Partitions that are written at once; beyond it those that waited longest are flushed early."},
    {.name = "comment", .type = OPTION_TEXT, OPTION_FIELD(struct job, target.comment),
     .sentence = "The comment of the table that is created."},
    {.name = "lifecycle", .type = OPTION_INTEGER, .minimum = 1, .maximum = 37231, OPTION_FIELD(struct job, target.lifecycle_days),
     .form = "days", .sentence = "After how many days the service removes the data of the table that is created."},
    {.name = "quota", .type = OPTION_TEXT, OPTION_FIELD(struct job, target.quota), .form = "text, by default the data source's",
     .check = project_check, .sentence = "The Tunnel resource group to use."},
    {.name = "quota_share", .type = OPTION_INTEGER, .flags = OPTION_UNLIMITED, .fallback = "100", .minimum = 1, .maximum = 100,
     OPTION_FIELD(struct job, target.quota_share), .form = "percent from 1 to 100, or \"unlimited\"",
     .sentence = "How much of the service's limits for one table (500 upload sessions and 500 blocks in 5 minutes, 75 commits in "
                 "15 s) each process may use. Processes of one job, and other jobs on the table, share them: with three "
                 "processes write 33. \"unlimited\" does not look at them, for an endpoint that has none."},
    {.name = "empty_as_null", .type = OPTION_BOOLEAN, .fallback = "false", OPTION_FIELD(struct job, target.empty_as_null),
     .sentence = "Whether an empty text becomes NULL in a column that is no text, instead of a dirty row."},
    FOREIGN("partitions", "list the partition columns under \"partition\"; the bound is \"partitions_open_max\""),
    FOREIGN("project", "it belongs to the data source that \"maxcompute\" names"),
    FOREIGN("endpoint", "it belongs to the data source that \"maxcompute\" names"),
    LATER("evolve", "until then alter the table yourself and restart the job"),
    LATER("primary_key", "until then write to a table without a primary key"),
    END,
};

static const struct option dirty_kafka_rows[] = {
    {.name = "topic", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job, dirty.topic),
     .at_offset = offsetof(struct job, dirty.topic_at), .check = topic_check,
     .sentence = "The topic of the dirty rows, which must exist: one message a row, with the row's identity as its key."},
    {.name = "cluster", .type = OPTION_TEXT, OPTION_FIELD(struct job, dirty.kafka.name), .check = name_check,
     .form = "text, by default the source's",
     .sentence = "The name of its Kafka cluster in the file of data sources. Of the cluster's properties those are used that "
                 "every client has, such as those of the log-in."},
    FOREIGN("kafka", "use \"cluster\""),
    FOREIGN("name", "use \"topic\""),
    FOREIGN("brokers", "name the cluster under \"cluster\" and set its brokers in the file of data sources"),
    END,
};

static const struct option dirty_rows[] = {
    {.name = "directory", .type = OPTION_TEXT, .flags = OPTION_PATH, .fallback = "dirty",
     OPTION_FIELD(struct job, dirty.directory), .form = "path",
     .sentence = "The folder of the dirty rows, relative to the job file."},
    {.name = "kafka", .type = OPTION_MAP, .rows = dirty_kafka_rows,
     .sentence = "A Kafka topic for the dirty rows instead of a folder; needed when several processes run the job."},
    {.name = "max", .type = OPTION_INTEGER, .flags = OPTION_UNLIMITED, .fallback = "unlimited", .minimum = 0,
     .maximum = INT64_MAX, OPTION_FIELD(struct job, dirty.max),
     .sentence = "How many dirty rows the job may have before it stops; 0 stops it at the first one."},
    {.name = "file_bytes_max", .type = OPTION_SIZE, .fallback = "64MiB", .minimum = 65536, .maximum = GIB(16),
     OPTION_FIELD(struct job, dirty.file_bytes_max), .sentence = "The size at which a new file is begun."},
    {.name = "bytes_max", .type = OPTION_SIZE, .fallback = "1GiB", .minimum = 65536, .maximum = GIB(1024),
     OPTION_FIELD(struct job, dirty.bytes_max),
     .sentence = "The size of all files together at which the job stops; luaduct never removes them."},
    LATER("max_percent", "until then use \"max\""),
    LATER("window", "until then \"max\" counts all rows of a run"),
    FOREIGN("topic", "use kafka: {topic: NAME}"),
    END,
};

static const struct option lua_rows[] = {
    {.name = "memory_max", .type = OPTION_SIZE, .fallback = "64MiB", .minimum = MIB(1), .maximum = GIB(4),
     OPTION_FIELD(struct job, runtime.lua_memory_max), .sentence = "Memory that the Lua of one worker may use."},
    {.name = "instructions_max", .type = OPTION_INTEGER, .fallback = "100000000", .minimum = 10000,
     .maximum = INT64_C(1000000000000), OPTION_FIELD(struct job, runtime.lua_instructions_max),
     .sentence = "Lua instructions that one call of a stage may take."},
    END,
};

static const struct option runtime_rows[] = {
    {.name = "workers", .type = OPTION_INTEGER, .fallback = "1", .minimum = 0, .maximum = 64,
     OPTION_FIELD(struct job, runtime.workers), .sentence = "Threads that run the stages; 0 runs them in the main thread."},
    {.name = "batch_rows", .type = OPTION_INTEGER, .fallback = "1024", .minimum = 1, .maximum = BATCH_ROWS_MAX,
     OPTION_FIELD(struct job, runtime.batch_rows), .sentence = "Records of a batch at most."},
    {.name = "flush_interval", .type = OPTION_DURATION, .fallback = "60s", .minimum = 100, .maximum = SECONDS(1000),
     OPTION_FIELD(struct job, runtime.flush_interval_ms),
     .sentence = "How long rows gather before they are committed to the table. Below 5s the service may run out of upload "
                 "sessions."},
    {.name = "flush_bytes", .type = OPTION_SIZE, .fallback = "16MiB", .minimum = KIB(64), .maximum = MIB(256),
     OPTION_FIELD(struct job, runtime.flush_bytes), .sentence = "Bytes of one block before compression."},
    {.name = "memory_max", .type = OPTION_SIZE, .fallback = "256MiB", .minimum = MIB(64), .maximum = GIB(1024),
     OPTION_FIELD(struct job, runtime.memory_max), .sentence = "The memory ceiling of the job; at it the source pauses."},
    {.name = "uploads_in_flight", .type = OPTION_INTEGER, .fallback = "4", .minimum = 1, .maximum = 64,
     OPTION_FIELD(struct job, runtime.uploads_in_flight), .sentence = "Blocks that are sent at once."},
    {.name = "compression", .type = OPTION_CHOICE, .choices = "deflate|none", .fallback = "deflate",
     OPTION_FIELD(struct job, runtime.compression), .sentence = "How blocks are compressed on their way."},
    {.name = "lua", .type = OPTION_MAP, .rows = lua_rows, .sentence = "Limits of scripts."},
    FOREIGN("flushInterval", "use \"flush_interval\""),
    FOREIGN("flush_interval_ms", "use \"flush_interval\", with the unit in the value, such as 60s"),
    FOREIGN("flush_ms", "use \"flush_interval\", with the unit in the value, such as 60s"),
    FOREIGN("batchSize", "use \"batch_rows\""),
    FOREIGN("batch_size", "use \"batch_rows\""),
    FOREIGN("parallelism", "use \"workers\""),
    FOREIGN("concurrency", "use \"workers\""),
    FOREIGN("threads", "use \"workers\""),
    FOREIGN("tasks.max", "use \"workers\""),
    FOREIGN("memory", "use \"memory_max\""),
    LATER("auto", "until then set the values that differ from the defaults"),
    FOREIGN("failover", "it belongs to the top level of the job"),
    END,
};

static const struct option failover_rows[] = {
    {.name = "max", .type = OPTION_INTEGER, .fallback = "3", .minimum = 0, .maximum = 100, OPTION_FIELD(struct job, failover.max),
     .sentence = "Restarts within the window; one more failure ends the job. 0 never restarts it."},
    {.name = "window", .type = OPTION_DURATION, .fallback = "30m", .minimum = SECONDS(60), .maximum = SECONDS(86400),
     OPTION_FIELD(struct job, failover.window_ms), .sentence = "The time in which restarts are counted."},
    END,
};

static const struct option metrics_rows[] = {
    {.name = "listen", .type = OPTION_TEXT, OPTION_FIELD(struct job, metrics.listen), .check = listen_check,
     .form = "host:port, by default off", .sentence = "Where metrics are served to Prometheus; on the loopback interface only."},
    END,
};

static const struct option log_rows[] = {
    {.name = "level", .type = OPTION_CHOICE, .choices = "trace|debug|info|warn|error", .fallback = "info",
     OPTION_FIELD(struct job, log.level), .sentence = "The least important lines that are written."},
    {.name = "file", .type = OPTION_TEXT, .flags = OPTION_PATH, OPTION_FIELD(struct job, log.file),
     .form = "path, by default standard error", .sentence = "The file that lines are appended to, relative to the job file."},
    END,
};

const struct option job_options[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job, name), .check = name_check,
     .sentence = "The job's name: 1 to 64 letters, digits, \"_\", \".\" and \"-\"."},
    {.name = "datasources", .type = OPTION_TEXT, .fallback = "datasources.yaml", .form = "path",
     .sentence = "The file of data sources, relative to the job file."},
    {.name = "time_zone", .type = OPTION_TEXT, OPTION_FIELD(struct job, time_zone), .check = zone_check,
     .form = "time zone, by default the data source's",
     .sentence = "The zone of times that name none: an IANA name such as Asia/Shanghai, or an offset such as +08:00."},
    {.name = "source", .type = OPTION_MAP, .flags = OPTION_REQUIRED, .rows = source_rows,
     .sentence = "The Kafka topic that is read."},
    {.name = "stages", .type = OPTION_LIST, OPTION_FIELD(struct job, stages), .count_offset = offsetof(struct job, stage_count),
     .element_size = sizeof(struct job_stage), .item_at_offset = offsetof(struct job_stage, at),
     .item_width_offset = offsetof(struct job_stage, width), .item_node_offset = offsetof(struct job_stage, options),
     .rows = stage_rows, .sentence = "What is done with the records, in this order."},
    {.name = "target", .type = OPTION_MAP, .flags = OPTION_REQUIRED, .rows = target_rows,
     .sentence = "The MaxCompute table that is written."},
    {.name = "delivery", .type = OPTION_CHOICE, .choices = "at_least_once|exactly_once", .fallback = "at_least_once",
     OPTION_FIELD(struct job, delivery),
     .sentence = "What is promised: at_least_once loses nothing and may repeat the rows of the last flush after a crash; "
                 "exactly_once neither loses nor repeats one, or stops and asks."},
    {.name = "dirty", .type = OPTION_MAP, .rows = dirty_rows, .sentence = "What becomes of rows that cannot be handled."},
    {.name = "runtime", .type = OPTION_MAP, .rows = runtime_rows, .sentence = "Speed, memory and time."},
    {.name = "failover", .type = OPTION_MAP, .rows = failover_rows,
     .sentence = "How often a job that failed and may heal is restarted by itself."},
    {.name = "metrics", .type = OPTION_MAP, .rows = metrics_rows, .sentence = "Counters for a monitoring system."},
    {.name = "log", .type = OPTION_MAP, .rows = log_rows, .sentence = "What the agent says of itself."},
    FOREIGN("sink", "use \"target\""),
    FOREIGN("output", "use \"target\""),
    FOREIGN("input", "use \"source\""),
    FOREIGN("sources", "a job has one \"source\""),
    FOREIGN("transform", "use \"stages\""),
    FOREIGN("transforms", "use \"stages\""),
    FOREIGN("transformations", "use \"stages\""),
    FOREIGN("pipeline", "use \"stages\""),
    FOREIGN("filter", "add a stage under \"stages\""),
    FOREIGN("filters", "add stages under \"stages\""),
    FOREIGN("flushInterval", "use runtime.flush_interval"),
    FOREIGN("flush_interval", "it belongs under \"runtime\""),
    FOREIGN("bootstrap.servers", "name the cluster under source.kafka and set its brokers in the file of data sources"),
    FOREIGN("partition", "it belongs under \"target\""),
    FOREIGN("mapping", "it belongs under \"target\""),
    FOREIGN("kafka", "clusters are defined in the file of data sources and named under source.kafka"),
    FOREIGN("maxcompute", "projects are defined in the file of data sources and named under target.maxcompute"),
    FOREIGN("timezone", "use \"time_zone\""),
    LATER("alerts", "until then let a monitoring system watch the metrics"),
    LATER("lineage", "until then the stages can keep __partition__ and __offset__ as columns"),
    END,
};

const struct option kafka_options[] = {
    {.name = "brokers", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_kafka, brokers),
     .check = brokers_check, .form = "host:port, with commas between several",
     .sentence = "Brokers to begin with; the others are found through them."},
    {.name = "properties", .type = OPTION_CUSTOM, .read = properties_read, OPTION_FIELD(struct job_kafka, properties),
     .count_offset = offsetof(struct job_kafka, property_count), .form = "map of librdkafka properties",
     .sentence = "Properties of librdkafka, such as security.protocol and sasl.password."},
    FOREIGN("bootstrap.servers", "use \"brokers\""),
    FOREIGN("bootstrap_servers", "use \"brokers\""),
    FOREIGN("bootstrapServers", "use \"brokers\""),
    FOREIGN("metadata.broker.list", "use \"brokers\""),
    FOREIGN("servers", "use \"brokers\""),
    END,
};

const struct option maxcompute_options[] = {
    {.name = "endpoint", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_maxcompute, endpoint),
     .check = url_check, .form = "address", .sentence = "The service's address, which ends in /api."},
    {.name = "tunnel_endpoint", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, tunnel_endpoint), .check = url_check,
     .form = "address, by default what the service answers", .sentence = "The address of the Tunnel service."},
    {.name = "project", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_maxcompute, project),
     .check = project_check, .sentence = "The project."},
    {.name = "schema", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, schema), .check = project_check,
     .sentence = "The schema, in a project that has schemas."},
    {.name = "access_id", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_maxcompute, access_id),
     .sentence = "The access key's ID."},
    {.name = "access_key", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_SECRET,
     OPTION_FIELD(struct job_maxcompute, access_key),
     .sentence = "The access key's secret; write it as ${env:NAME} or ${file:PATH}."},
    {.name = "region", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, region), .check = project_check,
     .sentence = "The region; with it requests are signed by version 4."},
    {.name = "quota", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, quota), .check = project_check,
     .form = "text, by default the shared one", .sentence = "The Tunnel resource group."},
    {.name = "time_zone", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, time_zone), .check = zone_check,
     .form = "time zone", .sentence = "The project's time zone, for jobs that name none."},
    {.name = "ca_file", .type = OPTION_TEXT, .flags = OPTION_PATH | OPTION_READABLE, OPTION_FIELD(struct job_maxcompute, ca_file),
     .form = "path", .sentence = "Certificates to trust instead of the system's, relative to this file."},
    {.name = "proxy", .type = OPTION_TEXT, .flags = OPTION_SECRET, OPTION_FIELD(struct job_maxcompute, proxy),
     .check = proxy_check, .form = "address", .sentence = "A proxy for all requests."},
    FOREIGN("accessId", "use \"access_id\""),
    FOREIGN("accessKey", "use \"access_key\""),
    FOREIGN("access_key_id", "use \"access_id\""),
    FOREIGN("access_key_secret", "use \"access_key\""),
    FOREIGN("accessKeyId", "use \"access_id\""),
    FOREIGN("accessKeySecret", "use \"access_key\""),
    FOREIGN("odps_endpoint", "use \"endpoint\""),
    FOREIGN("tunnelEndpoint", "use \"tunnel_endpoint\""),
    FOREIGN("secret", "use \"access_key\""),
    END,
};

const struct option datasources_options[] = {
    {.name = "kafka", .type = OPTION_FREE, .rows = kafka_options, .form = "map of NAME: settings", .sentence = "Kafka clusters."},
    {.name = "maxcompute", .type = OPTION_FREE, .rows = maxcompute_options, .form = "map of NAME: settings",
     .sentence = "MaxCompute projects."},
    FOREIGN("odps", "use \"maxcompute\""),
    FOREIGN("clusters", "use \"kafka\""),
    END,
};
