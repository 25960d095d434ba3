/* mock_kafka.h: the demo's embedded Kafka: librdkafka's mock cluster with one topic and a generator of order records.
 * The mock keeps only 5 MB a partition, so the generator must not overrun what the group has committed: it asks the group's
 * committed offsets and stays at most `ahead_bytes_max` in front of them.
 * Ownership: mock_kafka_stop frees and joins the generator's thread. Threads: its own; start and stop from one thread.
 * Errors: FATAL. */
#ifndef LUADUCT_LOCAL_MOCK_KAFKA_H
#define LUADUCT_LOCAL_MOCK_KAFKA_H

#include "util/error.h"
#include "util/log.h"

struct mock_kafka;

struct mock_kafka_options {
    const char *topic;
    unsigned partitions;
    const char *group;         /* whose progress throttles the generator */
    int64_t records;           /* how many to make; -1: for ever */
    unsigned rate;             /* records per second at most; 0: as fast as the group follows */
    unsigned broken_permille;  /* as in the orders generator */
    uint64_t seed;
    int64_t start_ms;          /* `ts` of the first record; 0: some days before now */
    int64_t hours;             /* spread `records` over so many hours; 0: as orders come, about a day per million */
    struct log *log;
};

bool mock_kafka_start(struct mock_kafka **kafka_out, const struct mock_kafka_options *options, struct error *error) MUST_USE;
const char *mock_kafka_brokers(const struct mock_kafka *kafka);
int64_t mock_kafka_produced(const struct mock_kafka *kafka);
void mock_kafka_stop(struct mock_kafka *kafka);

#endif
