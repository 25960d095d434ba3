/* source_driver.c: the Kafka source alone against a real broker, told what to do line by line on standard input by
 * tests/scenario/test_group.py, and telling every event as a line on standard output.
 * usage: source_driver BROKERS TOPIC GROUP at_least_once|exactly_once no|yes|allowed [UNTIL] [PROPERTY=VALUE...]
 *        start=OFFSETS and otherwise=WHERE, in the forms of `reset --to`, stand for source.start
 * commands: "commit NOTE" (all assigned partitions at the next offset), "force NOTE" (all that were ever assigned, which the hub never
 * does), "rejoin", "quit" */
#include "job/job.h"
#include "source/kafka.h"
#include "util/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PARTITIONS = 64, ROOM = 256 };

static struct {
    bool assigned, known;
    int64_t next;
} places[PARTITIONS];

static void tell(struct source *source, const struct source_event *event)
{
    static const char *const kinds[] = {"ready", "assign", "revoke", "lost", "committed", "gap", "error", "end"};
    static const char *const results[] = {"stored", "refused", "unknown"};
    static const char *const errors[] = {"none", "config", "data", "script", "retry", "fenced", "fatal"};

    printf("%s", kinds[event->kind]);
    for (size_t i = 0; i < event->count && event->kind != SOURCE_COMMITTED; i++) {
        const struct source_partition *partition = &event->partitions[i];

        printf("%s%d %" PRId64 " %d %.*s", i ? "," : " ", (int)partition->partition, partition->offset, partition->committed,
               STR_ARG(partition->metadata));
        places[partition->partition].assigned = event->kind == SOURCE_ASSIGN;
        places[partition->partition].known = true;
        places[partition->partition].next = partition->offset;
        if (event->kind == SOURCE_REVOKE || event->kind == SOURCE_LOST)
            source->ops->release(source, &partition->partition, 1);
    }
    if (event->kind == SOURCE_READY)
        printf(" %s %s", source->cluster_id, source->topic_id);
    if (event->kind == SOURCE_COMMITTED)
        printf(" %s", results[event->result]);
    if (event->kind == SOURCE_GAP)
        printf(" %" PRId64 " %" PRId64, event->gap_first, event->gap_end);
    if (event->kind == SOURCE_ERROR)
        printf(" %s", errors[event->error.kind]);
    if (event->error.kind)
        printf(" %s", event->error.text);
    printf("\n");
    if (event->kind == SOURCE_ASSIGN)
        source->ops->assign(source, event->partitions, event->count);
}

static bool obey(struct source *source, char *line)
{
    struct source_partition list[PARTITIONS];
    size_t count = 0;

    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "rejoin") == 0) {
        source->ops->rejoin(source);
    } else if (strncmp(line, "commit ", 7) == 0 || strncmp(line, "force ", 6) == 0) {
        bool force = *line == 'f';
        struct str note = str_of(strchr(line, ' ') + 1);

        for (int32_t i = 0; i < PARTITIONS; i++) {
            if (places[i].assigned || (force && places[i].known))
                list[count++] = (struct source_partition){.partition = i, .offset = places[i].next, .metadata = note};
        }
        if (count)
            source->ops->commit(source, list, count);
    }
    return strcmp(line, "quit") != 0;
}

static void turn(struct source *source, struct pollfd *descriptors)
{
    static struct message messages[ROOM];
    static int32_t partitions[ROOM];
    static void *handles[ROOM];
    struct source_event event;
    uint32_t got;

    source->ops->step(source, clock_monotonic_ms());
    if (source->ops->deadline(source) != 0)
        poll(descriptors, 2, 20);
    got = source->ops->fetch(source, messages, partitions, handles, ROOM);
    for (uint32_t i = 0; i < got; i++) {
        printf("record %d %" PRId64 " %.*s\n", (int)partitions[i], messages[i].offset, STR_ARG(messages[i].value));
        places[partitions[i]].next = messages[i].offset + 1;
    }
    source->ops->release_handles(handles, got);
    while (source->ops->next(source, &event))
        tell(source, &event);
}

static bool start_set(struct job *job, bool offsets, struct str text)
{
    static struct start start; /* job borrows its offsets */
    enum start_kind kind;

    if (!start_parse(text, &kind))
        return false;
    if (!offsets && kind == START_AGO) {
        job->source.otherwise = START_AGO;
        return start_ago_parse(text, &job->source.otherwise_ms, NULL);
    }
    if (!offsets) {
        job->source.otherwise = kind;
        return kind != START_TIME || start_time_parse(text, "UTC", &job->source.otherwise_ms, NULL);
    }
    if (!start_read(text, "UTC", clock_wall_ms(), &start, NULL) || start.kind != START_OFFSETS)
        return false;
    job->source.start = START_OFFSETS;
    job->source.otherwise = START_COMMITTED;
    job->source.offsets = start.offsets;
    job->source.offset_count = start.count;
    return true;
}

int main(int argc, char **argv)
{
    static struct job job;
    static struct kafka_run run;
    static struct job_property properties[16];
    char line[512];
    size_t size = 0;
    struct error error = {0};
    struct source *source;
    struct pollfd descriptors[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
    bool goes_on = true;

    if (argc < 6)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    job.name = (char *)"driver";
    job.source.kafka.name = (char *)"k";
    job.source.kafka.brokers = argv[1];
    job.source.topic = argv[2];
    job.source.group = argv[3];
    job.delivery = strcmp(argv[4], "exactly_once") == 0 ? DELIVERY_EXACTLY_ONCE : DELIVERY_AT_LEAST_ONCE;
    job.source.otherwise = START_LATEST; /* which only a first run uses */
    job.runtime.memory_max = 64 << 20;
    run.first = argv[5][0] == 'y' ? KAFKA_FIRST_YES : argv[5][0] == 'a' ? KAFKA_FIRST_ALLOWED : KAFKA_FIRST_NO;
    for (int i = 6; i < argc; i++) {
        char *equals = strchr(argv[i], '=');

        if (strncmp(argv[i], "start=", 6) == 0 || strncmp(argv[i], "otherwise=", 10) == 0) {
            if (!start_set(&job, *argv[i] == 's', str_of(equals + 1)))
                return 2;
        } else if (equals) {
            *equals = '\0';
            properties[job.source.property_count++] = (struct job_property){.name = argv[i], .value = equals + 1};
        } else if (!kafka_until_parse(str_of(argv[i]), "UTC", clock_wall_ms(), &run.until, &error)) {
            fprintf(stderr, "%s\n", error.text);
            return 2;
        } else {
            job.source.otherwise = START_EARLIEST;
        }
    }
    job.source.properties = properties;
    source = kafka_source_new(&job, &run, NULL);
    if (!source->ops->start(source, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    descriptors[1].fd = source->ops->descriptor(source);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    while (goes_on) {
        ssize_t got = read(STDIN_FILENO, line + size, 1);

        if (got == 0)
            break;
        if (got < 0) {
            turn(source, descriptors);
            continue;
        }
        size += (size_t)got;
        if (line[size - 1] == '\n' || size == sizeof(line) - 1) {
            line[size] = '\0';
            size = 0;
            goes_on = obey(source, line);
        }
    }
    source->ops->stop(source, clock_monotonic_ms() + 10000);
    source->ops->free(source);
    return 0;
}
