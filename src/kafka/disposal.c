/* disposal.c: see disposal.h. */
#include "kafka/disposal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "util/base.h"

struct kafka_disposal {
    pthread_t thread;
    bool threaded;
    rd_kafka_t *rk;
    atomic_bool done;
    struct kafka_disposal *next;
};

static void *destroy(void *arg)
{
    struct kafka_disposal *disposal = arg;

    rd_kafka_destroy_flags(disposal->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    atomic_store(&disposal->done, true);
    return NULL;
}

static void disposal_end(struct kafka_disposal *disposal)
{
    if (disposal->threaded)
        pthread_join(disposal->thread, NULL);
    else
        destroy(disposal); /* the machine had no thread left */
    free(disposal);
}

void kafka_dispose(struct kafka_disposal **list, rd_kafka_t *rk)
{
    struct kafka_disposal *disposal = xcalloc(1, sizeof(*disposal));

    for (struct kafka_disposal **link = list; *link;) {
        struct kafka_disposal *other = *link;

        if (atomic_load(&other->done)) {
            *link = other->next;
            disposal_end(other);
        } else {
            link = &other->next;
        }
    }
    disposal->rk = rk;
    disposal->threaded = pthread_create(&disposal->thread, NULL, destroy, disposal) == 0;
    disposal->next = *list;
    *list = disposal;
}

void kafka_disposals_join(struct kafka_disposal **list)
{
    while (*list) {
        struct kafka_disposal *disposal = *list;

        *list = disposal->next;
        disposal_end(disposal);
    }
}
