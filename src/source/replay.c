/* replay.c: a record's place is arithmetic on partition and offset, so handing one out costs a copy of its struct.
 * Records of one partition come in runs, as a fetch from a broker gives them. There is no descriptor: `deadline` says "now" while
 * there is something to do. */
#include "source/replay.h"
#include <stdlib.h>

enum { RUN_RECORDS = 512 };

struct replay_partition {
    bool assigned;
    bool committed;
    int64_t count; /* records of one round */
    int64_t next;
    int64_t end;
    size_t *own; /* with partition_of: its records, by index */
    size_t own_count;
    size_t own_next;
    int64_t commit_offset;
    char *commit_metadata;
    size_t commit_metadata_size;
};

struct replay {
    struct source source;
    const struct message *records;
    struct replay_partition *partitions;
    size_t *own; /* of all partitions, one behind the other; NULL: places are arithmetic */
    unsigned partition_count;
    unsigned current; /* the partition whose run goes on */
    unsigned run;
    bool paused;
    bool ready_due, assign_due, commit_due, end_due;
    bool end_told;
    struct source_partition *told;    /* of SOURCE_ASSIGN */
    struct source_partition *answer;  /* of SOURCE_COMMITTED, texts not included */
    size_t answer_count;
};

static struct replay *replay_of(const struct source *source)
{
    return CONTAINER_OF((struct source *)source, struct replay, source);
}

static bool replay_start(struct source *source, struct error *error)
{
    (void)error;
    replay_of(source)->ready_due = replay_of(source)->assign_due = true;
    return true;
}

static int replay_descriptor(const struct source *source)
{
    (void)source;
    return -1;
}

static struct replay_partition *partition_at(struct replay *replay, int32_t partition)
{
    assert(partition >= 0);
    assert((unsigned)partition < replay->partition_count);
    return &replay->partitions[partition];
}

static void end_check(struct replay *replay)
{
    if (replay->end_told)
        return;
    for (unsigned i = 0; i < replay->partition_count; i++) {
        if (replay->partitions[i].next < replay->partitions[i].end || !replay->partitions[i].assigned)
            return;
    }
    replay->end_due = replay->end_told = true;
}

/* Records that have places of their own, up to the end of the run. */
static uint32_t own_fetch(struct replay *replay, struct message *messages, int32_t *partitions, void **handles, uint32_t room)
{
    struct replay_partition *partition = &replay->partitions[replay->current];
    uint32_t filled = 0;

    while (partition->assigned && partition->own_next < partition->own_count && filled < room && replay->run < RUN_RECORDS) {
        messages[filled] = replay->records[partition->own[partition->own_next++]];
        partition->next = messages[filled].offset + 1;
        partitions[filled] = (int32_t)replay->current;
        handles[filled++] = NULL;
        replay->run++;
    }
    return filled;
}

static void own_seek(struct replay *replay, struct replay_partition *partition)
{
    size_t low = 0, high = partition->own_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (replay->records[partition->own[middle]].offset < partition->next)
            low = middle + 1;
        else
            high = middle;
    }
    partition->own_next = low;
}

static uint32_t replay_fetch(struct source *source, struct message *messages, int32_t *partitions, void **handles, uint32_t room)
{
    struct replay *replay = replay_of(source);
    uint32_t filled = 0;
    unsigned idle = 0; /* partitions in a row that gave nothing */

    while (!replay->paused && filled < room && idle < replay->partition_count) {
        struct replay_partition *partition = &replay->partitions[replay->current];
        uint32_t before = filled;

        if (replay->own)
            filled += own_fetch(replay, messages + filled, partitions + filled, handles + filled, room - filled);
        while (!replay->own && partition->assigned && partition->next < partition->end && filled < room &&
               replay->run < RUN_RECORDS) {
            size_t index = (size_t)(partition->next % partition->count) * replay->partition_count + replay->current;

            messages[filled] = replay->records[index];
            messages[filled].offset = partition->next++;
            partitions[filled] = (int32_t)replay->current;
            handles[filled++] = NULL;
            replay->run++;
        }
        if (filled == room && replay->run < RUN_RECORDS)
            break;
        idle = filled > before ? 0 : idle + 1;
        replay->current = (replay->current + 1) % replay->partition_count;
        replay->run = 0;
    }
    end_check(replay);
    return filled;
}

static void replay_release_handles(void **handles, uint32_t count)
{
    (void)handles;
    (void)count;
}

static bool replay_next(struct source *source, struct source_event *event_out)
{
    struct replay *replay = replay_of(source);

    memset(event_out, 0, sizeof(*event_out));
    if (replay->ready_due) {
        replay->ready_due = false;
        event_out->kind = SOURCE_READY;
        return true;
    }
    if (replay->assign_due) {
        replay->assign_due = false;
        event_out->kind = SOURCE_ASSIGN;
        event_out->partitions = replay->told;
        event_out->count = replay->partition_count;
        return true;
    }
    if (replay->commit_due) {
        replay->commit_due = false;
        event_out->kind = SOURCE_COMMITTED;
        event_out->partitions = replay->answer;
        event_out->count = replay->answer_count;
        return true;
    }
    if (replay->end_due) {
        replay->end_due = false;
        event_out->kind = SOURCE_END;
        return true;
    }
    return false;
}

static void replay_assign(struct source *source, const struct source_partition *partitions, size_t count)
{
    struct replay *replay = replay_of(source);

    for (size_t i = 0; i < count; i++) {
        struct replay_partition *partition = partition_at(replay, partitions[i].partition);

        assert(partitions[i].offset >= 0);
        partition->assigned = true;
        partition->next = partitions[i].offset;
        own_seek(replay, partition);
    }
    end_check(replay);
}

static void replay_release(struct source *source, const int32_t *partitions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        partition_at(replay_of(source), partitions[i])->assigned = false;
}

static void replay_pause(struct source *source)
{
    replay_of(source)->paused = true;
}

static void replay_resume(struct source *source)
{
    replay_of(source)->paused = false;
}

static void replay_seek(struct source *source, int32_t partition, int64_t offset)
{
    struct replay *replay = replay_of(source);

    assert(offset >= 0);
    partition_at(replay, partition)->next = offset;
    own_seek(replay, partition_at(replay, partition));
    replay->end_due = replay->end_told = false;
    end_check(replay);
}

static void replay_commit(struct source *source, const struct source_partition *partitions, size_t count)
{
    struct replay *replay = replay_of(source);

    assert(!replay->commit_due); /* one at a time */
    assert(count <= replay->partition_count);
    for (size_t i = 0; i < count; i++) {
        struct replay_partition *partition = partition_at(replay, partitions[i].partition);

        partition->committed = true;
        partition->commit_offset = partitions[i].offset;
        free(partition->commit_metadata);
        partition->commit_metadata = partitions[i].metadata.data ? str_dup(partitions[i].metadata) : NULL;
        partition->commit_metadata_size = partitions[i].metadata.size;
        replay->answer[i] = partitions[i];
        replay->answer[i].metadata = STR_NONE;
    }
    replay->answer_count = count;
    replay->commit_due = true;
}

struct source_partition replay_committed(const struct source *source, int32_t number)
{
    const struct replay_partition *partition = partition_at(replay_of(source), number);

    return (struct source_partition){
        .partition = number,
        .offset = partition->committed ? partition->commit_offset : 0,
        .metadata = str_make(partition->commit_metadata, partition->commit_metadata ? partition->commit_metadata_size : 0),
        .committed = partition->committed,
    };
}

static size_t replay_lag(const struct source *source, struct source_lag *lags_out, size_t max)
{
    const struct replay *replay = replay_of(source);
    size_t count = 0;

    for (unsigned i = 0; i < replay->partition_count && count < max; i++)
        lags_out[count++] = (struct source_lag){.partition = (int32_t)i, .end_offset = replay->partitions[i].end};
    return count;
}

static void replay_step(struct source *source, int64_t now_ms)
{
    (void)source;
    (void)now_ms;
}

static int64_t replay_deadline(const struct source *source)
{
    const struct replay *replay = replay_of(source);

    if (replay->ready_due || replay->assign_due || replay->commit_due || replay->end_due)
        return 0;
    for (unsigned i = 0; i < replay->partition_count && !replay->paused; i++) {
        if (replay->partitions[i].assigned && replay->partitions[i].next < replay->partitions[i].end)
            return 0;
    }
    return INT64_MAX;
}

static void replay_stop(struct source *source, int64_t deadline_ms)
{
    (void)deadline_ms;
    for (unsigned i = 0; i < replay_of(source)->partition_count; i++)
        replay_of(source)->partitions[i].assigned = false;
}

static void replay_free(struct source *source)
{
    struct replay *replay;

    if (!source)
        return;
    replay = replay_of(source);
    for (unsigned i = 0; i < replay->partition_count; i++)
        free(replay->partitions[i].commit_metadata);
    free(replay->own);
    free(replay->partitions);
    free(replay->told);
    free(replay->answer);
    free(replay);
}

static const struct source_ops replay_ops = {
    .name = "replay",
    .start = replay_start,
    .descriptor = replay_descriptor,
    .fetch = replay_fetch,
    .release_handles = replay_release_handles,
    .next = replay_next,
    .assign = replay_assign,
    .release = replay_release,
    .pause = replay_pause,
    .resume = replay_resume,
    .seek = replay_seek,
    .commit = replay_commit,
    .lag = replay_lag,
    .step = replay_step,
    .deadline = replay_deadline,
    .stop = replay_stop,
    .free = replay_free,
};

static void own_make(struct replay *replay, const struct replay_options *options)
{
    size_t *place = replay->own = xcalloc(options->count + 1, sizeof(*place));

    for (size_t i = 0; i < options->count; i++)
        partition_at(replay, options->partition_of[i])->own_count++;
    for (unsigned i = 0; i < replay->partition_count; i++) {
        replay->partitions[i].own = place;
        place += replay->partitions[i].own_count;
        replay->partitions[i].own_count = 0;
    }
    for (size_t i = 0; i < options->count; i++) {
        struct replay_partition *partition = &replay->partitions[options->partition_of[i]];

        partition->own[partition->own_count++] = i;
        assert(options->records[i].offset >= partition->end); /* ascending */
        if (partition->own_count == 1)
            replay->told[options->partition_of[i]].offset = options->records[i].offset;
        partition->end = options->records[i].offset + 1;
    }
}

struct source *replay_source_new(const struct replay_options *options)
{
    struct replay *replay = xcalloc(1, sizeof(*replay));
    unsigned partitions = options->partitions ? options->partitions : 1;
    int64_t rounds = options->rounds ? options->rounds : 1;

    assert(partitions <= INT32_MAX);
    replay->source.ops = &replay_ops;
    replay->records = options->records;
    replay->partition_count = partitions;
    replay->partitions = xcalloc(partitions, sizeof(*replay->partitions));
    replay->told = xcalloc(partitions, sizeof(*replay->told));
    replay->answer = xcalloc(partitions, sizeof(*replay->answer));
    for (unsigned i = 0; i < partitions; i++) {
        struct replay_partition *partition = &replay->partitions[i];

        replay->told[i].partition = (int32_t)i;
        if (options->partition_of)
            continue;
        partition->count = (int64_t)(options->count / partitions + (i < options->count % partitions));
        partition->end = partition->count * rounds;
    }
    if (options->partition_of) {
        assert(rounds == 1);
        own_make(replay, options);
    }
    for (size_t i = 0; i < options->committed_count; i++) {
        const struct source_partition *committed = &options->committed[i];
        struct replay_partition *partition = partition_at(replay, committed->partition);

        partition->committed = true;
        partition->commit_offset = committed->offset;
        partition->commit_metadata = committed->metadata.data ? str_dup(committed->metadata) : NULL;
        partition->commit_metadata_size = committed->metadata.size;
        /* The copy that is offered is the one that commits replace: it is read long before. */
        replay->told[committed->partition] = replay_committed(&replay->source, committed->partition);
    }
    return &replay->source;
}
