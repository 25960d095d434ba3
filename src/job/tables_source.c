/* tables_source.c: options of the source: where to begin, and what of a record is read. */
#include "job/tables_internal.h"

/* A bare "time" is what people write who know the console: it is told what is missing. */
static bool start_check(struct option_reader *reader, const struct tree_node *node, const char *choices,
                        enum start_kind *kind_out)
{
    char excerpt[OPTION_EXCERPT_MAX], hint[OPTION_HINT_MAX];

    if (!option_scalar(reader, node, "committed, earliest, latest, a time, or \"30m ago\""))
        return false;
    option_excerpt(node, excerpt);
    if (str_is(node->text, "time") || str_is(node->text, "timestamp")) {
        option_mistake(reader, node,
                       "a start by time needs the time itself, such as start: \"2024-01-31 00:00:00 Asia/Shanghai\"");
        return false;
    }
    if (!start_parse(node->text, kind_out)) {
        option_mistake(reader, node, "%s is no start; it must be %s, a time such as \"2024-01-31 00:00:00 Asia/Shanghai\", or "
                       "\"30m ago\"%s",
                       excerpt, choice_index(choices, STR("committed")) >= 0 ? "committed, earliest, latest" : "earliest, latest",
                       choice_hint(choices, node->text, hint));
        return false;
    }
    if (*kind_out == START_OFFSETS) {
        option_mistake(reader, node, "offsets per partition are a map: start: {offsets: {0: 1500, 1: earliest, 2: latest}}");
        *kind_out = START_EARLIEST;
        return false;
    }
    if (*kind_out == START_COMMITTED && choice_index(choices, node->text) < 0) {
        option_mistake(reader, node, "is for a job that has no committed position yet: earliest, latest or a time");
        return false;
    }
    return true;
}

/* Times are read in load.c, when the zones are known. */
static void start_value_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
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
        if (tree_get(node, "offsets")) {
            if (at)
                option_mistake(reader, at, "offsets say where to begin as well; leave one of them out");
            job->source.start = START_OFFSETS;
            if (!tree_get(node, "otherwise"))
                job->source.otherwise = START_COMMITTED;
            return;
        }
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
        option_mistake(reader, node, "must be committed, earliest, latest, a time, or a map of at or offsets and otherwise");
    }
    if (job->source.start != START_COMMITTED)
        job->source.otherwise = job->source.start;
}

/* {0: 1500, 1: earliest, 2: latest} */
static void offsets_read(struct option_reader *reader, const struct option *row UNUSED, void *base, struct tree_node *node)
{
    struct job *job = base;
    struct start_offset *offsets;
    size_t count = 0;

    if (!node)
        return;
    if (node->kind != TREE_MAP || !node->count) {
        option_mistake(reader, node, "must be a map of partitions and where to begin in each, such as {0: 1500, 1: earliest, "
                       "2: latest}");
        return;
    }
    if (node->count > START_OFFSETS_MAX) {
        option_mistake(reader, node, "names more than %d partitions", START_OFFSETS_MAX);
        return;
    }
    offsets = owned_keep(reader->owned, xcalloc(node->count, sizeof(*offsets)));
    for (size_t i = 0; i < node->count; i++) {
        const struct tree_entry *entry = &node->entries[i];
        struct start_offset *offset = &offsets[count];
        struct tree_node key = {.at = entry->at, .width = (unsigned)size_max(entry->key.size, 1)};
        const char *wrong = start_partition_parse(entry->key, &offset->partition);
        size_t mark = options_path_enter(reader, entry->key, 0);
        char excerpt[OPTION_EXCERPT_MAX];

        if (wrong) {
            option_mistake(reader, &key, "%s", wrong);
        } else if (start_offset_find(offsets, count, offset->partition)) {
            option_mistake(reader, &key, "the partition stands twice");
        } else if (option_scalar(reader, entry->value, "an offset, earliest or latest")) {
            wrong = start_offset_parse(entry->value->text, &offset->offset);
            if (wrong)
                option_mistake(reader, entry->value, "%s %s", option_excerpt(entry->value, excerpt), wrong);
            offset->at = entry->value->at;
            count += !wrong;
        }
        options_path_leave(reader, mark);
    }
    job->source.offsets = offsets;
    job->source.offset_count = count;
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

/* Bytes that stand in the file as they are, between row->minimum and row->maximum of them; also none. */
static void bytes_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    struct str bytes = row->fallback ? str_of(row->fallback) : STR_NONE;
    char excerpt[OPTION_EXCERPT_MAX];

    if (node && option_scalar(reader, node, "a text in quotes")) {
        if (!node->quoted && node->text.size > 1 && node->text.data[0] == '\\' && strchr("tux0", node->text.data[1]))
            option_mistake(reader, node, "%s is plain text, backslash and all; in double quotes YAML makes the character of it: "
                           "\"\\t\", \"\\u0001\"", option_excerpt(node, excerpt));
        else if (node->text.size < (size_t)row->minimum || node->text.size > (size_t)row->maximum)
            option_mistake(reader, node, "%s has %zu bytes; %lld to %lld are possible", option_excerpt(node, excerpt),
                           node->text.size, (long long)row->minimum, (long long)row->maximum);
        else
            bytes = str_make(owned_keep(reader->owned, str_dup(node->text)), node->text.size);
    }
    memcpy((char *)base + row->offset, &bytes, sizeof(bytes));
}

#define LINES_ONLY .only = "json_lines|csv"
#define CSV_ONLY .only = "csv"

static const struct option decode_column_rows[] = {
    {.name = "name", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_UNIQUE, .check = column_check,
     OPTION_FIELD(struct job_decode_column, name), .sentence = "The field that the value goes to."},
    {.name = "type", .type = OPTION_TEXT, .check = pipeline_type_check, .form = "type", .fallback = "string",
     OPTION_FIELD(struct job_decode_column, type),
     .sentence = "boolean, bigint, double, decimal(p,s), string, binary, date, datetime, timestamp, timestamp_ntz or json. A "
                 "text that is not exactly a value of it is an error of the row."},
    END,
};

static const struct option decode_rows[] = {
    {.name = "kind", .type = OPTION_WORD, .flags = OPTION_REQUIRED, .choices = "raw|text|json_lines|csv", .fallback = "raw",
     .later = "avro|protobuf", .later_answer = "until then let the producer write JSON",
     OPTION_FIELD(struct job, source.decode.kind),
     .sentence = "What the bytes of a value are: raw leaves them to the stages; text is text of a character set; json_lines is a "
                 "JSON text on each line, and each becomes a row; csv is rows of fields with a delimiter between them. A NULL "
                 "value stays one row of NULL."},
    {.name = "when_error", .type = OPTION_CHOICE, .only = "text|json_lines|csv", .choices = "dirty|drop|stop",
     .fallback = "dirty", OPTION_FIELD(struct job, source.decode.when_error),
     .sentence = "What becomes of a row that cannot be decoded: kept aside with its reason, left out, or the job stops."},
    {.name = "charset", .type = OPTION_TEXT, .only = "text|json_lines|csv", OPTION_FIELD(struct job, source.decode.charset),
     .form = "character set, for text by default utf-8",
     .sentence = "The character set that values come in and are turned into UTF-8 from: utf-8 (which is checked), gbk, gb18030, "
                 "gb2312, big5, big5-hkscs, shift_jis, cp932, euc-jp, euc-kr, cp949, utf-16le, utf-16be, utf-32le, utf-32be, "
                 "ascii, latin1, iso-8859-1, iso-8859-15, windows-1251, windows-1252 or koi8-r. A byte order mark is left out. "
                 "Without it json_lines and csv take the bytes as they are."},
    {.name = "key", .type = OPTION_BOOLEAN, .only = "text", .fallback = "false", OPTION_FIELD(struct job, source.decode.key),
     .sentence = "Whether __key__ is text of that character set as well."},
    {.name = "rows_max", .type = OPTION_INTEGER, LINES_ONLY, .fallback = "10000", .minimum = 1, .maximum = 1000000,
     OPTION_FIELD(struct job, source.decode.rows_max),
     .sentence = "Rows that one record may make; one with more cannot be decoded. One with none counts as filtered."},
    {.name = "columns", .type = OPTION_LIST, .flags = OPTION_REQUIRED, CSV_ONLY, .rows = decode_column_rows,
     OPTION_FIELD(struct job, source.decode.columns), .count_offset = offsetof(struct job, source.decode.column_count),
     .element_size = sizeof(struct job_decode_column),
     .sentence = "The fields of a row, in order; a row with more or fewer cannot be decoded. __value__ stays what it was."},
    {.name = "delimiter", .type = OPTION_CUSTOM, CSV_ONLY, .fallback = ",", .minimum = 1, .maximum = 8, .read = bytes_read,
     OPTION_FIELD(struct job, source.decode.delimiter), .form = "text of 1 to 8 bytes",
     .sentence = "What parts the fields: \";\", \"|@|\", or in double quotes \"\\t\" and \"\\u0001\"."},
    {.name = "quote", .type = OPTION_CUSTOM, CSV_ONLY, .fallback = "\"", .minimum = 0, .maximum = 1, .read = bytes_read,
     OPTION_FIELD(struct job, source.decode.quote), .form = "one byte, or \"\"",
     .sentence = "What a field begins and ends with that may hold delimiters and line breaks; doubled inside, it stands for "
                 "itself. \"\": there is none."},
    {.name = "escape", .type = OPTION_CUSTOM, CSV_ONLY, .minimum = 0, .maximum = 1, .read = bytes_read,
     OPTION_FIELD(struct job, source.decode.escape), .form = "one byte, by default none",
     .sentence = "What makes the byte after it stand for itself, within quotes and without."},
    {.name = "null", .type = OPTION_CUSTOM, CSV_ONLY, .fallback = "\\N", .minimum = 0, .maximum = 64, .read = bytes_read,
     OPTION_FIELD(struct job, source.decode.null), .form = "text",
     .sentence = "The text without quotes that stands for NULL; \"\" makes NULL of every empty field."},
    {.name = "header", .type = OPTION_BOOLEAN, CSV_ONLY, .fallback = "false", OPTION_FIELD(struct job, source.decode.header),
     .sentence = "Whether the first row of each value holds the names of the columns; it is left out, and others than those "
                 "declared are an error."},
    {.name = "trim", .type = OPTION_BOOLEAN, CSV_ONLY, .fallback = "false", OPTION_FIELD(struct job, source.decode.trim),
     .sentence = "Whether blanks and tabs around fields are left out."},
    FOREIGN("type", "use \"kind\""),
    FOREIGN("format", "use \"kind\""),
    FOREIGN("encoding", "use \"charset\""),
    FOREIGN("separator", "use \"delimiter\""),
    FOREIGN("sep", "use \"delimiter\""),
    FOREIGN("fieldDelimiter", "use \"delimiter\""),
    FOREIGN("field_delimiter", "use \"delimiter\""),
    FOREIGN("fields", "use \"columns\""),
    FOREIGN("schema", "use \"columns\""),
    FOREIGN("skip_header", "use \"header\""),
    FOREIGN("nullFormat", "use \"null\""),
    FOREIGN("null_format", "use \"null\""),
    FOREIGN("on_error", "use \"when_error\""),
    END,
};

static const struct option start_rows[] = {
    {.name = "at", .type = OPTION_CUSTOM, .fallback = "committed", .form = "committed, earliest, latest, a time or \"30m ago\"",
     OPTION_FIELD(struct job, source.start), .choices = "committed|earliest|latest", .read = start_value_read,
     .sentence = "Where to begin; the same as start: VALUE."},
    {.name = "otherwise", .type = OPTION_CUSTOM, .fallback = "earliest", .form = "earliest, latest, a time or \"30m ago\"",
     .choices = "earliest|latest", OPTION_FIELD(struct job, source.otherwise), .read = start_value_read,
     .sentence = "Where a job begins that has no committed position, because it never ran; with offsets: where the partitions "
                 "begin that they do not name."},
    {.name = "offsets", .type = OPTION_CUSTOM, .form = "map of partitions: an offset, earliest or latest", .read = offsets_read,
     .sentence = "Where a job begins that never ran, partition by partition: {0: 1500, 1: earliest, 2: latest}. An offset that "
                 "is not in the log, and a partition that is not named without otherwise, are mistakes."},
    FOREIGN("time", "write the time under \"at\": at: \"2024-01-31 00:00:00 Asia/Shanghai\""),
    FOREIGN("timestamp", "write the time under \"at\": at: \"2024-01-31 00:00:00 Asia/Shanghai\""),
    END,
};

#define FORMAT_ANSWER \
    "records of one JSON text each need a stage of kind json alone; else use \"decode\" with kind json_lines, csv or text"

const struct option source_rows[] = {
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
     .form = "committed, earliest, latest, a time, \"30m ago\", or a map",
     .sentence = "Where to begin. A time is written as \"2024-01-31 00:00:00 Asia/Shanghai\", with an offset as +08:00, or as "
                 "epoch milliseconds of 13 digits; without a zone it is a time of the job's time_zone. \"30m ago\" (with s, m, h "
                 "or d) is before the start of the process."},
    {.name = "on_gap", .type = OPTION_CHOICE, .choices = "fail|earliest|latest", .fallback = "fail",
     OPTION_FIELD(struct job, source.on_gap),
     .sentence = "What to do when the position is no longer in the topic: stop and name the lost range, or go on at the earliest "
                 "or latest record."},
    {.name = "prefetch", .type = OPTION_SIZE, .minimum = MIB(1), .maximum = GIB(1), OPTION_FIELD(struct job, source.prefetch),
     .sentence = "How much is fetched ahead of the stages, by default an eighth of runtime.memory_max, but at least 4MiB and at "
                 "most 64MiB. Where it is written one fetch may bring as much, else 1MiB of a broker and 256KiB of a partition: "
                 "write it when the brokers are far away."},
    {.name = "decode", .type = OPTION_MAP, .rows = decode_rows,
     .sentence = "How the bytes of a record become rows, before the first stage; without it each record is a row as it is."},
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
    FOREIGN("format", FORMAT_ANSWER),
    FOREIGN("value_format", FORMAT_ANSWER),
    FOREIGN("value.deserializer", FORMAT_ANSWER),
    FOREIGN("codec", FORMAT_ANSWER),
    FOREIGN("encoding", "use decode: {kind: text, charset: gbk}"),
    FOREIGN("charset", "use decode: {kind: text, charset: gbk}"),
    FOREIGN("delimiter", "it belongs under \"decode\", with kind: csv"),
    FOREIGN("fieldDelimiter", "use decode: {kind: csv, delimiter: \",\", columns: [...]}"),
    FOREIGN("columns", "they belong under \"decode\", with kind: csv, or under a stage of kind json"),
    FOREIGN("offset", "use \"start\""),
    FOREIGN("startFrom", "use \"start\""),
    FOREIGN("auto.offset.reset", "use \"start\" for where to begin and \"on_gap\" for lost offsets"),
    END,
};
