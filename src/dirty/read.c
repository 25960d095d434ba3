/* read.c: the reader of both kinds.
 * Files: their names in order, which is that of their first lines' times; each is read up to the size it had. A last line without
 * its newline is being written, or was torn by a crash, and is left out: its rows are in no committed epoch.
 * Topic: one partition after the other between the offsets that were its bounds, by librdkafka's simple consumer, which needs no
 * group and so no right to one. */
#include "dirty/client.h"
#include "dirty/read.h"
#include "dirty/store.h"
#include "util/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    SILENCE_MS = 15000, /* brokers that say nothing for so long do not answer */
    POLL_MS = 200,
};

struct unit { /* a file, or a partition */
    char *path;
    int64_t first, end; /* offsets; a file: 0 and its size */
};

struct dirty_reader {
    struct dirty_options options;
    struct unit *units;
    size_t count, capacity;
    rd_kafka_t *rk; /* NULL: files */
    rd_kafka_topic_t *topic;
    struct kafka_login *login;
    rd_kafka_resp_err_t code; /* the newest reason why brokers are not reached */
    bool refused;
    char reason[512];
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct unit *)a)->path, ((const struct unit *)b)->path);
}

static bool files_list(struct dirty_reader *reader, struct error *error)
{
    const char *directory = reader->options.directory;
    DIR *folder = opendir(directory);
    struct dirent *entry;
    int reason = 0;

    if (!folder && errno == ENOENT)
        return true; /* it is made by the first run */
    if (!folder)
        return error_set(error, ERROR_FATAL, "the folder %s of dirty rows cannot be read: %s", directory, strerror(errno));
    while (errno = 0, !reason && (entry = readdir(folder))) {
        struct stat status;

        if (!dirty_file_name(entry->d_name))
            continue;
        if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            reason = errno == ENOENT ? 0 : errno; /* a person may move files away meanwhile */
            continue;
        }
        if (!S_ISREG(status.st_mode))
            continue;
        XGROW(reader->units, reader->count, reader->capacity);
        reader->units[reader->count++] =
            (struct unit){.path = xasprintf("%s/%s", directory, entry->d_name), .end = status.st_size};
    }
    reason = reason ? reason : errno;
    closedir(folder);
    if (reason)
        return error_set(error, ERROR_FATAL, "the folder %s of dirty rows cannot be read: %s", directory, strerror(reason));
    if (reader->count)
        qsort(reader->units, reader->count, sizeof(*reader->units), by_path);
    return true;
}

static bool file_walk(const struct unit *unit, uint32_t number, dirty_row row, void *arg, struct error *error)
{
    FILE *file = fopen(unit->path, "re");
    struct dirty_position position = {.unit = number};
    char *line = NULL;
    size_t room = 0;
    int64_t left = unit->end;
    ssize_t size;
    bool ok = true;

    if (!file)
        return error_set(error, ERROR_FATAL, "%s cannot be read: %s", unit->path, strerror(errno));
    while (ok && left > 0 && (size = getline(&line, &room, file)) > 0) {
        left -= size;
        if (left >= 0 && line[size - 1] == '\n')
            ok = row(arg, position, str_make(line, (size_t)size - 1), error);
        position.at++;
    }
    /* Without memory for a line getline ends as at the end of the file, and sets no error. */
    if (ok && left > 0 && !feof(file))
        ok = error_set(error, ERROR_FATAL, "%s cannot be read: %s", unit->path, strerror(errno));
    fclose(file);
    free(line);
    return ok;
}

/* On the thread that polls. */
static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct dirty_reader *reader = kafka_login_owner(opaque);
    struct error error;

    (void)rk;
    /* "All brokers are down" says less than the reason before it. */
    if (reader->refused || (reader->code && code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN))
        return;
    reader->code = (rd_kafka_resp_err_t)code;
    reader->refused = kafka_login_refusal(reader->login, reader->code, text, &error) && error.kind == ERROR_FATAL;
    snprintf(reader->reason, sizeof(reader->reason), "%s", text);
}

static void on_log(const rd_kafka_t *rk UNUSED, int level UNUSED, const char *facility UNUSED, const char *text UNUSED)
{
}

static bool kafka_failed(struct dirty_reader *reader, rd_kafka_resp_err_t code, struct error *error)
{
    bool silent = code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT;

    if ((silent || reader->refused) && reader->code &&
        kafka_login_refusal(reader->login, reader->code, reader->reason, error))
        return false;
    if (silent && reader->code)
        dirty_kafka_error(&reader->options, reader->code, reader->reason, "READ", 0, error);
    else
        dirty_kafka_error(&reader->options, code, rd_kafka_err2str(code), "READ", 0, error);
    return false;
}

static bool topic_list(struct dirty_reader *reader, struct error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int64_t end_ms = clock_monotonic_ms() + SILENCE_MS;
    rd_kafka_resp_err_t code;

    /* In slices, for a refused log-in shows in the error callback at once, while the call would wait to its end. */
    do {
        code = rd_kafka_metadata(reader->rk, 0, reader->topic, &metadata, 500);
        rd_kafka_poll(reader->rk, 0);
    } while ((code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT) &&
             !reader->refused && clock_monotonic_ms() < end_ms);
    if (!code && metadata->topic_cnt == 1)
        code = metadata->topics[0].err;
    for (int i = 0; !code && i < metadata->topics[0].partition_cnt; i++) {
        struct unit unit = {0};

        code = rd_kafka_query_watermark_offsets(reader->rk, reader->options.topic, i, &unit.first, &unit.end, SILENCE_MS);
        XGROW(reader->units, reader->count, reader->capacity);
        reader->units[reader->count++] = unit;
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    return !code || kafka_failed(reader, code, error);
}

/* One message's turn. *done_out: the partition's end was reached. */
static bool message_take(struct dirty_reader *reader, const rd_kafka_message_t *message, uint32_t number, dirty_row row,
                         void *arg, bool *done_out, struct error *error)
{
    int64_t end = reader->units[number].end;

    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        *done_out = true; /* compaction may have taken the last ones */
        return true;
    }
    if (message->err)
        return kafka_failed(reader, message->err, error);
    *done_out = message->offset + 1 >= end;
    if (message->offset >= end || !message->payload)
        return true;
    return row(arg, (struct dirty_position){number, message->offset}, str_make(message->payload, message->len), error);
}

static bool partition_walk(struct dirty_reader *reader, uint32_t number, dirty_row row, void *arg, struct error *error)
{
    const struct unit *unit = &reader->units[number];
    int64_t heard_ms = clock_monotonic_ms();
    bool ok = true, done = unit->first >= unit->end;

    if (done)
        return true;
    if (rd_kafka_consume_start(reader->topic, (int32_t)number, unit->first) != 0)
        return kafka_failed(reader, rd_kafka_last_error(), error);
    while (ok && !done) {
        rd_kafka_message_t *message = rd_kafka_consume(reader->topic, (int32_t)number, POLL_MS);

        rd_kafka_poll(reader->rk, 0);
        if (message) {
            ok = message_take(reader, message, number, row, arg, &done, error);
            rd_kafka_message_destroy(message);
            heard_ms = clock_monotonic_ms();
        } else if (clock_monotonic_ms() - heard_ms > SILENCE_MS) {
            ok = kafka_failed(reader, RD_KAFKA_RESP_ERR__TIMED_OUT, error);
        }
    }
    rd_kafka_consume_stop(reader->topic, (int32_t)number);
    return ok;
}

static bool topic_open(struct dirty_reader *reader, struct error *error)
{
    static const struct dirty_setting settings[] = {
        {"enable.partition.eof", "true"}, {"auto.offset.reset", "error"}, {"queued.max.messages.kbytes", "16384"},
    };
    rd_kafka_conf_t *conf;
    char text[512];

    reader->login = kafka_login_new(reader->options.cluster, reader->options.cluster->properties,
                                    reader->options.cluster->property_count, reader, NULL);
    conf = dirty_conf_make(&reader->options, reader->login, settings, COUNT_OF(settings), error);
    if (!conf)
        return false;
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    reader->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!reader->rk) {
        rd_kafka_conf_destroy(conf);
        return error_set(error, ERROR_CONFIG, "the Kafka client does not start with these settings: %s", text);
    }
    kafka_login_begin(reader->login, reader->rk);
    reader->topic = rd_kafka_topic_new(reader->rk, reader->options.topic, NULL);
    if (!reader->topic)
        return error_set(error, ERROR_CONFIG, "\"%s\" cannot be a topic's name; correct dirty.kafka.topic",
                         reader->options.topic);
    return topic_list(reader, error);
}

bool dirty_reader_open(struct dirty_reader **reader_out, const struct dirty_options *options, struct error *error)
{
    struct dirty_reader *reader = xcalloc(1, sizeof(*reader));

    reader->options = *options;
    if (!(options->topic ? topic_open(reader, error) : files_list(reader, error))) {
        dirty_reader_close(reader);
        return false;
    }
    *reader_out = reader;
    return true;
}

void dirty_reader_close(struct dirty_reader *reader)
{
    if (!reader)
        return;
    if (reader->topic)
        rd_kafka_topic_destroy(reader->topic);
    if (reader->login)
        kafka_login_stop(reader->login);
    if (reader->rk)
        rd_kafka_destroy(reader->rk);
    kafka_login_free(reader->login);
    for (size_t i = 0; i < reader->count; i++)
        free(reader->units[i].path);
    free(reader->units);
    free(reader);
}

bool dirty_reader_walk(struct dirty_reader *reader, dirty_row row, void *arg, struct error *error)
{
    for (size_t i = 0; i < reader->count; i++) {
        uint32_t number = (uint32_t)i;

        if (!(reader->rk ? partition_walk(reader, number, row, arg, error)
                         : file_walk(&reader->units[i], number, row, arg, error)))
            return false;
    }
    return true;
}
