/* tables_source.c: options of the source: where to begin, and what of a record is read. */
#include "batch/time.h"
#include "job/tables_internal.h"

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
     .form = "committed, earliest, latest, a time, or a map",
     .sentence = "Where to begin. A time is written as \"2024-01-31 00:00:00 Asia/Shanghai\", with an offset as +08:00, or as "
                 "epoch milliseconds of 13 digits; without a zone it is a time of the job's time_zone."},
    {.name = "on_gap", .type = OPTION_CHOICE, .choices = "fail|earliest|latest", .fallback = "fail",
     OPTION_FIELD(struct job, source.on_gap),
     .sentence = "What to do when the position is no longer in the topic: stop and name the lost range, or go on at the earliest "
                 "or latest record."},
    {.name = "prefetch", .type = OPTION_SIZE, .minimum = MIB(1), .maximum = GIB(1), OPTION_FIELD(struct job, source.prefetch),
     .form = "size (B, KiB, MiB, GiB, kB, MB, GB), 1MiB to 1GiB, by default an eighth of runtime.memory_max, 4MiB to 64MiB",
     .sentence = "How much is fetched ahead of the stages, and the most that one fetch may bring. More helps over slow links."},
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
