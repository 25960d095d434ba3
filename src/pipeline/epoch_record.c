/* epoch_record.c: an epoch as the record that is stored beside the offsets of its Kafka partitions (position.h), and how large
 * that may become. Printing costs some microseconds, so that it is done once per epoch and Kafka partition, and when an epoch is
 * nearly full. */
#include "pipeline/epoch_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int session_compare(const void *a, const void *b)
{
    return strcmp(((const struct position_session *)a)->spec, ((const struct position_session *)b)->spec);
}

static bool extra_is_new(const struct epoch *epoch, const struct chunk *chunk)
{
    return !gather_has(&epoch->gather, chunk_spec(chunk));
}

/* Sessions in the order of their table partitions. One that is not sealed yet gets an id as long as the longest that was seen,
 * which shares nothing with its neighbours, and as many blocks and rows as it may come to. */
static void record_sessions(const struct epochs *epochs, const struct epoch *epoch, const struct chunk *extra,
                            struct position *position)
{
    enum { BLOCKS_MAX = 20000, ROWS_MAX = 2000000000 };
    bool sealed = epoch->state >= EPOCH_SEALED;
    struct sink *sink = epochs->options.sink;
    size_t room = epoch->gather.count;

    for (const struct chunk *chunk = extra; chunk; chunk = chunk->next)
        room++;
    position->sessions = xcalloc(room + 1, sizeof(*position->sessions));
    for (const struct target *target = epoch->gather.first; target; target = target->next) {
        const char *id = sealed && target->session ? sink->ops->session_id(target->session) : NULL;

        if (sealed && !id)
            continue; /* nothing of it is at the service */
        position->sessions[position->session_count++] = (struct position_session){
            .spec = xstrndup(target->spec, target->spec_size),
            .id = id ? xstrdup(id) : NULL,
            .blocks = sealed ? target->blocks : BLOCKS_MAX,
            .rows = sealed ? target->rows : ROWS_MAX,
        };
    }
    for (; extra; extra = extra->next)
        if (extra_is_new(epoch, extra))
            position->sessions[position->session_count++] = (struct position_session){
                .spec = xstrndup(chunk_spec(extra).data, extra->spec_size), .blocks = BLOCKS_MAX, .rows = ROWS_MAX};
    qsort(position->sessions, position->session_count, sizeof(*position->sessions), session_compare);
    for (size_t i = 0; i < position->session_count; i++) {
        if (position->sessions[i].id)
            continue;
        position->sessions[i].id = xcalloc(epochs->id_bytes + 1, 1);
        memset(position->sessions[i].id, i % 2 ? 'x' : 'y', epochs->id_bytes);
    }
}

void epoch_record_print(const struct epochs *epochs, const struct epoch *epoch, const struct cover *cover,
                        const struct counts *ledger, const struct chunk *extra, struct buffer *text)
{
    struct position position = {
        .ledger = *ledger,
        .prepared = true,
        /* One time for all its partitions, however often it is sent: their records are compared. */
        .at_ms = epoch->sealed_wall_ms ? epoch->sealed_wall_ms : epochs->options.wall_ms(),
        .counts = cover->counts,
    };

    snprintf(position.epoch, sizeof(position.epoch), "%" PRIu64 "-%s", epoch->number, epochs->run);
    memcpy(position.by, epochs->by, sizeof(position.by));
    position.covers = xcalloc(epoch->cover_count + 1, sizeof(*position.covers));
    for (size_t i = 0; i < epoch->cover_count; i++)
        position.covers[position.cover_count++] =
            (struct position_cover){epoch->covers[i].partition, epoch->covers[i].base, epoch->covers[i].next};
    if (!epoch_cover(epoch, cover->partition))
        position.covers[position.cover_count++] = (struct position_cover){cover->partition, cover->base, cover->next};
    record_sessions(epochs, epoch, extra, &position);
    position_print(&epochs->options.owner, &position, text);
    position_release(&position);
}

size_t epochs_record_room(const struct epochs *epochs)
{
    size_t taken = epochs->record_bytes_fixed + POSITION_BYTES_COVER;

    return !epochs_exactly_once(epochs) ? 0 : taken < POSITION_BYTES_MAX ? POSITION_BYTES_MAX - taken : 1;
}

bool epoch_record_fits(struct epochs *epochs, const struct epoch *epoch)
{
    struct sink *sink = epochs->options.sink;
    struct buffer text;
    bool fits = true;

    for (const struct target *target = epoch->gather.first; target; target = target->next) {
        const char *id = target->session ? sink->ops->session_id(target->session) : NULL;

        epochs->id_bytes = size_max(epochs->id_bytes, id ? strlen(id) : 0);
    }
    for (size_t i = 0; i < epoch->cover_count && fits; i++) {
        const struct held *held = held_of_cover(epochs, &epoch->covers[i]);

        if (!held)
            continue;
        buffer_init(&text, 0);
        epoch_record_print(epochs, epoch, &epoch->covers[i], &held->ledger, NULL, &text);
        fits = text.size + RECORD_BYTES_SPARE <= POSITION_BYTES_MAX;
        buffer_release(&text);
    }
    return fits;
}
