/* sample.c: `luaduct sample JOB`: takes records out of the job's topic into a file (sample/sample.h). It never joins the job's
 * group and stores no offset. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "batch/time.h"
#include "cli/cli.h"
#include "cli/engine.h"
#include "cli/grid.h"
#include "cli/sample_take.h"
#include "cli/signals.h"
#include "cli/word.h"
#include "source/kafka_admin.h"
#include "util/clock.h"

enum { RECORDS_DEFAULT = 100, RECORDS_MAX = 1000 * 1000, TIMEOUT_MS_DEFAULT = 10 * 1000, SHOWN_MAX = 16 };

struct sample_command {
    const char *job_path, *datasources_path, *from, *output;
    bool force;
    int32_t *wanted; /* partitions; none: all */
    size_t wanted_count;
    struct take take;

    struct engine engine; /* for its job and its report */
    struct start start;
    struct kafka_admin *admin;
    char *path;    /* NULL: standard output */
    int64_t bytes; /* written */
};

static const char usage[] =
    "usage: luaduct sample JOB.yaml [--from WHERE] [--records N] [--partition P,...] [--timeout 10s] [--output FILE|-]\n"
    "                               [--force] [--datasources FILE]\n"
    "  --from WHERE   earliest (the default) | latest | TIME | \"30m ago\" | PARTITION:OFFSET,... ; with the last one only the\n"
    "                 partitions that are named. latest waits for new records\n"
    "  --records N    at most so many (100), in equal parts from each partition as far as it has them\n"
    "  --partition P  only these partitions\n"
    "  --timeout T    ends when no record has come for so long (10s); 0s takes what is there and does not wait for more\n"
    "  --output FILE  default NAME.sample beside the job file, with the job's name; - is standard output\n"
    "  --force        replaces a file that is there\n"
    "Takes records out of the job's topic, whole, into a file that only you can read (mode 0600): they may hold personal data.\n"
    "The job's consumer group is not joined and no offset is stored. Ctrl-C ends with what is there. `luaduct help sample` "
    "tells\n"
    "what the file looks like, and how to write one by hand.\n";

/* --- the command line --- */

static bool refuse(const char *format, ...) PRINTF_LIKE(1, 2);
static bool refuse(const char *format, ...)
{
    va_list arguments;

    fputs("luaduct sample: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return false;
}

static bool timeout_read(struct sample_command *command, const char *text)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}};
    char *end;
    int64_t number;

    errno = 0;
    number = strtoll(text, &end, 10);
    for (size_t i = 0; i < COUNT_OF(units) && end != text && *text != '-' && *text != '+' && !errno; i++) {
        if (strcmp(end, units[i].unit) == 0 && number <= 24 * 3600 * 1000 / units[i].ms) {
            command->take.timeout_ms = number * units[i].ms;
            return true;
        }
    }
    return refuse("--timeout takes a time such as 10s or 5m, up to 24h, not \"%s\"", text);
}

static bool records_read(struct sample_command *command, const char *text)
{
    char *end;

    command->take.records_max = strtoll(text, &end, 10);
    return (*text >= '0' && *text <= '9' && !*end && command->take.records_max >= 1 &&
            command->take.records_max <= RECORDS_MAX) ||
           refuse("--records takes a number from 1 to %d, not \"%s\"", RECORDS_MAX, text);
}

static bool partitions_read(struct sample_command *command, const char *text)
{
    struct str word, rest = str_of(text);

    while (rest.data) {
        const char *wrong;
        int32_t number;

        str_cut(rest, ',', &word, &rest);
        wrong = start_partition_parse(word, &number);
        if (wrong)
            return refuse("--partition: \"%.*s\" %s", STR_ARG(word), wrong);
        command->wanted = xrealloc(command->wanted, (command->wanted_count + 1) * sizeof(*command->wanted));
        command->wanted[command->wanted_count++] = number;
    }
    return true;
}

static bool arguments_read(struct sample_command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool ok = true;

        if (strcmp(argv[i], "--force") == 0) {
            command->force = true;
            continue;
        }
        if (argv[i][0] != '-' && !command->job_path) {
            command->job_path = argv[i];
            continue;
        }
        if (value && strcmp(argv[i], "--from") == 0)
            command->from = value;
        else if (value && strcmp(argv[i], "--output") == 0)
            command->output = value;
        else if (value && strcmp(argv[i], "--datasources") == 0)
            command->datasources_path = value;
        else if (value && strcmp(argv[i], "--records") == 0)
            ok = records_read(command, value);
        else if (value && strcmp(argv[i], "--partition") == 0)
            ok = partitions_read(command, value);
        else if (value && strcmp(argv[i], "--timeout") == 0)
            ok = timeout_read(command, value);
        else {
            (void)word_refuse("sample", argv + i, usage);
            return false;
        }
        if (!ok)
            return false;
        i++;
    }
    if (!command->job_path) {
        refuse("which job?");
        fputs(usage, stderr);
    }
    return command->job_path;
}

/* --- where to begin --- */

static bool is_wanted(const struct sample_command *command, int32_t partition)
{
    for (size_t i = 0; i < command->wanted_count; i++)
        if (command->wanted[i] == partition)
            return true;
    return !command->wanted_count;
}

static bool wanted_check(const struct sample_command *command, int32_t count, struct error *error)
{
    for (size_t i = 0; i < command->wanted_count; i++)
        if (command->wanted[i] >= count)
            return error_set(error, ERROR_CONFIG,
                             "--partition: topic %s has no partition %" PRId32 "; it has %" PRId32 ", from 0",
                             command->engine.job->source.topic, command->wanted[i], count);
    for (size_t i = 0; i < command->start.count; i++)
        if (command->start.offsets[i].partition >= count)
            return error_set(error, ERROR_CONFIG, "--from: topic %s has no partition %" PRId32 "; it has %" PRId32 ", from 0",
                             command->engine.job->source.topic, command->start.offsets[i].partition, count);
    return true;
}

/* begin holds what a time means, or -1. */
static bool begin_of(const struct sample_command *command, int32_t partition, int64_t log_begin, int64_t log_end, int64_t *begin,
                     struct error *error)
{
    const struct start_offset *given = start_offset_find(command->start.offsets, command->start.count, partition);

    if (command->start.kind == START_EARLIEST || (given && given->offset == START_AT_EARLIEST))
        *begin = log_begin;
    else if (command->start.kind == START_LATEST || (given && given->offset == START_AT_LATEST) || (!given && *begin < 0))
        *begin = log_end;
    else if (given && (given->offset < log_begin || given->offset > log_end))
        return error_set(error, ERROR_CONFIG,
                         "--from: partition %" PRId32 " has no offset %" PRId64 "; its log begins at %" PRId64
                         " and ends at %" PRId64,
                         partition, given->offset, log_begin, log_end);
    else if (given)
        *begin = given->offset;
    return true;
}

static bool partitions_resolve(struct sample_command *command, struct error *error)
{
    struct kafka_admin *admin = command->admin;
    int32_t count = kafka_admin_partitions(admin);
    int64_t *begins = xcalloc((size_t)count, sizeof(*begins)), *ends = xcalloc((size_t)count, sizeof(*ends));
    int64_t *starts = xcalloc((size_t)count, sizeof(*starts));
    struct take *take = &command->take;
    bool ok = wanted_check(command, count, error) && kafka_admin_bounds(admin, begins, ends, error) &&
              (command->start.kind != START_TIME || kafka_admin_offsets_at(admin, command->start.ms, starts, error));

    take->partitions = xcalloc((size_t)count, sizeof(*take->partitions));
    for (int32_t i = 0; ok && i < count; i++) {
        if (!is_wanted(command, i) ||
            (command->start.count && !start_offset_find(command->start.offsets, command->start.count, i)))
            continue;
        ok = begin_of(command, i, begins[i], ends[i], &starts[i], error);
        take->partitions[take->partition_count++] = (struct take_partition){.partition = i, .next = starts[i], .end = ends[i]};
    }
    free(begins);
    free(ends);
    free(starts);
    return ok;
}

/* --- the end --- */

/* The zone stands once, above. */
static void time_add(const struct sample_command *command, int64_t ms, const char *zone, struct buffer *text)
{
    size_t zone_size = strlen(zone) + 1;

    engine_print_time(&command->engine, ms, text);
    if (text->size > zone_size && memcmp(text->data + text->size - zone_size + 1, zone, zone_size - 1) == 0)
        text->size -= zone_size;
}

static void range_add(struct grid *grid, const struct sample_command *command, const struct take_partition *partition,
                      const char *zone)
{
    struct buffer times;

    buffer_init(&times, 0);
    if (partition->count && partition->time_first_ms >= 0) {
        time_add(command, partition->time_first_ms, zone, &times);
        if (partition->time_last_ms != partition->time_first_ms) {
            buffer_print(&times, " to ");
            time_add(command, partition->time_last_ms, zone, &times);
        }
    }
    grid_add(grid, "%" PRId32, partition->partition);
    grid_add(grid, "%" PRId64, partition->count);
    grid_add_number(grid, partition->count ? partition->first : -1);
    grid_add_number(grid, partition->count ? partition->last : -1);
    grid_add(grid, "%s", buffer_text(&times));
    buffer_release(&times);
}

static void next_print(const struct sample_command *command, struct buffer *text)
{
    buffer_append_str(text, STR("Only you can read it: values may be personal data, so keep it out of version control.\n"));
    if (command->engine.job->stage_count)
        buffer_print(text, "Next: `luaduct simulate %s --sample %s` shows what the job makes of it.\n", command->job_path,
                     command->path);
    else
        buffer_print(text, "Next: the job has no stages yet; `luaduct infer %s --job %s` proposes the columns of a json stage.\n",
                     command->path, command->job_path);
    buffer_append_str(text, STR("It can be edited, one record a line; `luaduct help sample` tells how.\n"));
}

static void report(const struct sample_command *command)
{
    const struct take *take = &command->take;
    const char *zone = command->engine.job->time_zone ? command->engine.job->time_zone : "UTC";
    FILE *out = command->path ? stdout : stderr; /* what was taken may be on standard output */
    struct buffer text;
    struct grid grid;
    size_t more = take->partition_count > SHOWN_MAX ? take->partition_count - SHOWN_MAX : 0;

    buffer_init(&text, 0);
    grid_init(&grid, 5);
    grid_add(&grid, "partition");
    grid_add(&grid, "records");
    grid_add(&grid, "first offset");
    grid_add(&grid, "last offset");
    grid_add(&grid, "times (%s)", zone);
    for (size_t i = 0; i < take->partition_count - more; i++)
        range_add(&grid, command, &take->partitions[i], zone);
    grid_print(&grid, 0, &text);
    grid_release(&grid);
    if (more)
        buffer_print(&text, "and %zu more partitions\n", more);
    if (take->end == TAKE_STOPPED || take->end == TAKE_FAILED)
        buffer_print(&text, "%s: %" PRId64 " of %" PRId64 " records\n", take->end == TAKE_STOPPED ? "stopped" : "until then",
                     take->count, take->records_max);
    else if (take->end == TAKE_IDLE && take->timeout_ms)
        buffer_print(&text, "no new record came for %.3g s, so these %" PRId64 " of %" PRId64 " are all\n",
                     (double)take->timeout_ms / 1000, take->count, take->records_max);
    else if (take->end == TAKE_IDLE)
        buffer_print(&text, "the topic held no more: %" PRId64 " of %" PRId64 " records\n", take->count, take->records_max);
    buffer_print(&text, "%s%s%" PRId64 " record%s of topic %s, %.1f kB\n", command->path ? command->path : "",
                 command->path ? ": " : "", take->count, take->count == 1 ? "" : "s", command->engine.job->source.topic,
                 (double)command->bytes / 1000);
    if (command->path)
        next_print(command, &text);
    fputs(buffer_text(&text), out);
    fflush(out);
    buffer_release(&text);
}

/* --- the command --- */

static void taken_print(char text[TIME_TEXT_MAX + 1])
{
    struct instant now = {.seconds = clock_wall_ms() / 1000};
    size_t size = time_print(now, text);

    text[10] = 'T';
    text[size] = 'Z';
    text[size + 1] = '\0';
}

static bool take_open(struct sample_command *command, struct error *error)
{
    const struct job *job = command->engine.job;
    struct job alone = *job; /* without a group: nothing is asked about it, and no right to it is needed */
    char taken[TIME_TEXT_MAX + 1];
    struct sample_origin origin = {.job = str_of(job->name), .topic = str_of(job->source.topic)};
    bool ok;

    alone.source.group = (char *)"";
    ok = kafka_admin_open(&command->admin, &alone, ENGINE_ASK_MS, error) && partitions_resolve(command, error) &&
         kafka_reader_open(&command->take.reader, job, error);
    if (!ok)
        return false;
    taken_print(taken);
    if (*kafka_admin_cluster_id(command->admin))
        origin.cluster_id = str_of(kafka_admin_cluster_id(command->admin));
    if (*kafka_admin_topic_id(command->admin))
        origin.topic_id = str_of(kafka_admin_topic_id(command->admin));
    origin.taken = str_of(taken);
    return sample_writer_open(&command->take.writer, command->path, command->force, &origin, error);
}

static int told(struct error *error)
{
    log_redact(error->text);
    fflush(stdout);
    fprintf(stderr, "luaduct sample: %s\n", error->text);
    return error->kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

static void stop_take(void *arg)
{
    struct take *take = arg;

    atomic_store(&take->stop, true);
}

static int run(struct sample_command *command)
{
    struct take *take = &command->take;
    struct error error = {0}, close_error = {0};
    int status = EXIT_OK;

    if (command->path && !command->force && access(command->path, F_OK) == 0) {
        error_set(&error, ERROR_CONFIG, "%s is there already; --force replaces it, --output FILE writes another file",
                  command->path);
        return told(&error);
    }
    signals_start(stop_take, NULL, take);
    if (!take_open(command, &error) || !sample_take(take, &error))
        status = told(&error);
    signals_end();
    if (!take->writer)
        return status;
    command->bytes = sample_writer_bytes(take->writer);
    if (!sample_writer_close(take->writer, take->count > 0, &close_error))
        return told(&close_error);
    if (take->count) {
        report(command);
    } else if (status == EXIT_OK) {
        refuse("%s; nothing is written", take->end == TAKE_STOPPED ? "stopped before a record came"
                                         : take->timeout_ms        ? "no record came within the time-out"
                                                                   : "the topic holds no record from there on");
        status = EXIT_FAILED;
    }
    return status;
}

static void release(struct sample_command *command)
{
    kafka_reader_free(command->take.reader);
    kafka_admin_free(command->admin);
    start_release(&command->start);
    free(command->take.partitions);
    free(command->wanted);
    free(command->path);
    engine_free(&command->engine);
}

int cli_sample(int argc, char **argv)
{
    struct sample_command command = {
        .from = "earliest",
        .take = {.records_max = RECORDS_DEFAULT, .timeout_ms = TIMEOUT_MS_DEFAULT, .progress = isatty(STDERR_FILENO)},
    };
    const struct job *job;
    struct error error = {0};
    int status = EXIT_CONFIG;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    if (!arguments_read(&command, argc, argv)) {
        free(command.wanted);
        return EXIT_CONFIG;
    }
    signals_block();
    command.engine.report = report_new();
    if (!job_load(&command.engine.job, command.job_path, command.datasources_path, command.engine.report)) {
        (void)engine_report(&command.engine);
        goto out;
    }
    job = command.engine.job;
    if (!start_read(str_of(command.from), job->time_zone, clock_wall_ms(), &command.start, &error)) {
        refuse("--from \"%s\" %s", command.from, error.text);
        goto out;
    }
    if (command.start.kind == START_OFFSETS && command.wanted_count) {
        refuse("--from names the partitions already; leave --partition out");
        goto out;
    }
    if (!command.output)
        command.path = strcmp(job->directory, ".") == 0 ? xasprintf("%s.sample", job->name)
                                                        : xasprintf("%s/%s.sample", job->directory, job->name);
    else if (strcmp(command.output, "-") != 0)
        command.path = xstrdup(command.output);
    status = run(&command);
out:
    release(&command);
    return status;
}
