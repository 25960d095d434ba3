/* sink.c: what all kinds of sink share: blocks, and a linked list of events. */
#include "sink/sink.h"

#include <stdlib.h>

struct sink_event_item {
    struct sink_event event;
    struct sink_event_item *next;
};

void block_free(struct block *block)
{
    if (!block)
        return;
    free(block->data);
    free(block);
}

void *sink_session_user(const struct sink_session *session)
{
    return session->user;
}

void sink_event_push(struct sink *sink, enum sink_event_kind kind, struct sink_session *session, struct block *block,
                     const struct error *error)
{
    struct sink_event_item *item = xcalloc(1, sizeof(*item));

    item->event.kind = kind;
    item->event.session = session;
    item->event.block = block;
    if (error)
        item->event.error = *error;
    if (sink->events_last)
        sink->events_last->next = item;
    else
        sink->events_first = item;
    sink->events_last = item;
}

bool sink_event_pop(struct sink *sink, struct sink_event *event_out)
{
    struct sink_event_item *item = sink->events_first;

    if (!item)
        return false;
    sink->events_first = item->next;
    if (!item->next)
        sink->events_last = NULL;
    *event_out = item->event;
    free(item);
    return true;
}

void sink_events_drop(struct sink *sink, const struct sink_session *session)
{
    struct sink_event_item **link = &sink->events_first, *last = NULL;

    while (*link) {
        struct sink_event_item *item = *link;

        if (session && item->event.session != session) {
            last = item;
            link = &item->next;
            continue;
        }
        *link = item->next;
        block_free(item->event.block);
        free(item);
    }
    sink->events_last = last;
}
