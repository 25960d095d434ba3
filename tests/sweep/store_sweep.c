/* store_sweep.c: what writes files: the dirty store and the log, with memory, the disk and descriptors failing; and small things
 * that live beside them. A dirty row that was told durable is in the store, whole and once; a log that cannot be written costs
 * lines, never the job. */
#include "sweep/sweep.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dirty/dirty.h"
#include "dirty/read.h"
#include "pipeline/position.h"
#include "pipeline/work.h"
#include "util/log.h"
#include "util/metrics.h"

enum { ROWS = 12 };

static struct seen {
    unsigned rows[ROWS], others;
} seen;

/* Each run of a process has places of its own. */
static unsigned turn;

static bool look(void *arg, struct dirty_position position, struct str line, struct error *error)
{
    struct dirty_record record;

    (void)arg, (void)position, (void)error;
    if (!dirty_record_read(&record, line) || record.offset >= ROWS) {
        seen.others++;
        return true;
    }
    seen.rows[record.offset]++;
    dirty_record_release(&record);
    return true;
}

static bool dirty(struct error *error)
{
    char path[128], line[200];
    struct dirty_options options = {.directory = path, .file_bytes_max = 400, .bytes_max = 1 << 20};
    struct dirty_store *store = NULL;
    struct dirty_reader *reader = NULL;
    struct error later = {0};
    int written = 0, durable = 0;
    bool ok, again;

    memset(&seen, 0, sizeof(seen));
    snprintf(path, sizeof(path), "%s/a/dirty%u", sweep_folder(), turn++);
    fault_on();
    ok = dirty_store_open(&store, &options, error);
    for (int i = 0; ok && i < ROWS; i++) {
        snprintf(line, sizeof(line),
                 "{\"partition\":0,\"offset\":%d,\"index\":0,\"reason\":\"some words to fill the line with text\"}\n", i);
        ok = dirty_append(store, str_of(line), 1700000000000, error);
        written += ok;
        if (!ok) {
            /* The hub stops here. Who goes on all the same must not be told that anything is durable that is not. */
            again = dirty_append(store, str_of(line), 1700000000000, &later) && dirty_sync(store, &later);
            durable = again ? i + 1 : durable;
            break;
        }
        if (i % 3 == 2) {
            ok = dirty_sync(store, error);
            if (!ok && strstr(error->text, "rows cannot be made durable"))
                SWEEP_CHECK(!dirty_sync(store, &later));
            durable = ok ? written : durable;
        }
    }
    dirty_store_close(store);
    fault_off();
    if (store) {
        SWEEP_CHECK(dirty_reader_open(&reader, &options, &later) && dirty_reader_walk(reader, look, NULL, &later));
        dirty_reader_close(reader);
        for (int i = 0; i < ROWS; i++)
            SWEEP_CHECK(seen.rows[i] == (i < durable) || (i >= durable && seen.rows[i] <= 1));
        SWEEP_CHECK(seen.others == 0);
    }
    if (ok)
        SWEEP_CHECK(durable == ROWS);
    else if (strstr(error->text, "no space left"))
        SWEEP_CHECK(strstr(error->text, "/tmp") && strstr(error->text, "make room"));
    else if (strstr(error->text, "open files"))
        SWEEP_CHECK(strstr(error->text, "ulimit -n"));
    return ok;
}

/* A store that is full stays full, whatever its folder is like to read. */
static bool full(struct error *error)
{
    static const char line[] = "{\"partition\":0,\"offset\":1,\"index\":0}\n";
    char path[128];
    struct dirty_options options = {.directory = path, .file_bytes_max = 100, .bytes_max = 10 * (sizeof(line) - 1)};
    struct dirty_store *store;
    struct error refused = {0};
    bool ok;

    snprintf(path, sizeof(path), "%s/dirty%u", sweep_folder(), turn++);
    SWEEP_CHECK(dirty_store_open(&store, &options, error));
    for (int i = 0; i < 10; i++)
        SWEEP_CHECK(dirty_append(store, STR(line), 1700000000000, error));
    dirty_store_close(store);
    fault_on();
    ok = dirty_store_open(&store, &options, error);
    fault_off();
    if (ok) {
        SWEEP_CHECK(!dirty_append(store, STR(line), 1700000000000, &refused) && strstr(refused.text, "max"));
        dirty_store_close(store);
    }
    return ok;
}

static bool read_back(struct error *error)
{
    char path[128], line[200];
    struct dirty_options options = {.directory = path, .file_bytes_max = 400, .bytes_max = 1 << 20};
    struct dirty_store *store;
    struct dirty_reader *reader = NULL;
    bool ok;

    memset(&seen, 0, sizeof(seen));
    snprintf(path, sizeof(path), "%s/dirty%u", sweep_folder(), turn++);
    SWEEP_CHECK(dirty_store_open(&store, &options, error));
    for (int i = 0; i < ROWS; i++) {
        snprintf(line, sizeof(line),
                 "{\"partition\":0,\"offset\":%d,\"index\":0,\"reason\":\"some words to fill the line with text\"}\n", i);
        SWEEP_CHECK(dirty_append(store, str_of(line), 1700000000000, error));
    }
    dirty_store_close(store);
    fault_on();
    ok = dirty_reader_open(&reader, &options, error) && dirty_reader_walk(reader, look, NULL, error);
    fault_off();
    dirty_reader_close(reader);
    for (int i = 0; ok && i < ROWS; i++)
        SWEEP_CHECK(seen.rows[i] == 1);
    return ok;
}

/* The file's lines are whole, but for the one that failed; what is missing is counted in it or, at the end, on standard error. */
static bool logging(struct error *error)
{
    char path[128], text[8192];
    const char *lines = text, *missing;
    unsigned whole = 0, lost = 0;
    struct log *log;
    ssize_t size;
    int file;

    snprintf(path, sizeof(path), "%s/log%u", sweep_folder(), turn++);
    fault_on();
    if (!log_start(LOG_INFO, path, error)) {
        fault_off();
        SWEEP_CHECK(strstr(error->text, path));
        return false;
    }
    log = log_new(NULL, "job");
    for (int i = 0; i < ROWS; i++)
        log_print(log, LOG_INFO, i % 2 ? "odd number=%d" : "even number=%d", i);
    fault_off();
    log_print(log, LOG_INFO, "the last one");
    log_free(log);
    log_stop();
    file = open(path, O_RDONLY);
    SWEEP_CHECK(file >= 0);
    size = read(file, text, sizeof(text) - 1);
    close(file);
    text[size > 0 ? size : 0] = '\0';
    while ((missing = strstr(lines, " log lines are missing"))) {
        while (missing > lines && missing[-1] >= '0' && missing[-1] <= '9')
            missing--;
        lost += (unsigned)strtoul(missing, NULL, 10);
        lines = strstr(missing, "\n");
    }
    for (lines = strstr(text, "number="); lines; lines = strstr(lines + 1, "number="))
        whole += strchr(lines, '\n') != NULL && strspn(lines + 7, "0123456789") == strcspn(lines + 7, "\n");
    SWEEP_CHECK(strstr(text, "the last one\n"));
    /* A torn line may hold its whole text, but for the end of the line. */
    for (lines = strstr(text, "could not be formatted"); lines; lines = strstr(lines + 1, "could not be formatted"))
        lost++;
    SWEEP_CHECK(whole + lost == ROWS || (lost && whole + lost == ROWS + 1));
    return true;
}

static bool small_things(struct error *error)
{
    static const struct position_owner owner = {"j", "c", "t", "p.t", "id"};
    struct position_session sessions[] = {{(char *)"dt=1", (char *)"s1", 1, 2}, {(char *)"dt=2", (char *)"s2", 1, 2}};
    struct position_cover covers[] = {{0, 1, 2}, {1, 5, 9}};
    struct position position = {.prepared = true,
                                .epoch = "e",
                                .by = "h:1",
                                .covers = covers,
                                .cover_count = 2,
                                .sessions = sessions,
                                .session_count = 2};
    struct position parsed = {0};
    struct dirty_reasons *reasons;
    struct metrics *metrics;
    struct buffer text;
    bool ok;

    buffer_init(&text, 0);
    fault_on();
    position_print(&owner, &position, &text);
    ok = position_parse(buffer_str(&text), &owner, &parsed, error) == POSITION_OURS;
    SWEEP_CHECK(ok && parsed.session_count == 2);
    metrics = metrics_new("j");
    for (int i = 0; i < 20; i++) {
        char name[16];

        snprintf(name, sizeof(name), "m%d", i);
        metric_add(metrics_add(metrics, METRIC_COUNTER, name, "help", "l", "v", false), 1);
    }
    buffer_clear(&text);
    metrics_print(metrics, &text);
    reasons = dirty_reasons_new();
    dirty_reasons_add_row(reasons, STR("s"), STR("c"), STR("r: 1"));
    dirty_reasons_print(reasons, 3, &text);
    fault_off();
    position_release(&parsed);
    dirty_reasons_free(reasons);
    metrics_free(metrics);
    buffer_release(&text);
    return ok;
}

static const struct sweep_case cases[] = {
    {.name = "dirty_memory", .run = dirty, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "dirty_files", .run = dirty, .flags = SWEEP_IO},
    {.name = "dirty_full", .run = full, .flags = SWEEP_IO},
    {.name = "dirty_read_files", .run = read_back, .flags = SWEEP_IO},
    {.name = "dirty_read", .run = read_back, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "log_memory", .run = logging, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
    {.name = "log_file", .run = logging, .flags = SWEEP_IO},
    {.name = "small_things", .run = small_things, .flags = SWEEP_STOPS | SWEEP_LIBRARIES},
};

int main(int argc, char **argv)
{
    return sweep_main(argc, argv, cases, COUNT_OF(cases));
}
