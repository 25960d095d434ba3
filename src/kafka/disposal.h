/* disposal.h: librdkafka clients that nobody needs any more, destroyed on threads of their own: rd_kafka_destroy waits for the
 * client's threads, which may wait for a name server, and for messages that are still in somebody's hands.
 * Ownership: a list that begins as NULL; kafka_disposals_join empties it. Threads: one owner of the list. */
#ifndef LUADUCT_KAFKA_DISPOSAL_H
#define LUADUCT_KAFKA_DISPOSAL_H

#include <librdkafka/rdkafka.h>

struct kafka_disposal;

/* Never waits. Queues of the client have to be given up before. A consumer does not leave its group by this. */
void kafka_dispose(struct kafka_disposal **list, rd_kafka_t *rk);
/* Waits until all are gone. */
void kafka_disposals_join(struct kafka_disposal **list);

#endif
