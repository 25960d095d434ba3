/* kafka_admin.h: blocking questions to the brokers for commands: who is in the job's group, what it has stored, where the log
 * begins and ends, and storing offsets for a group that is empty. Never joins the group and reads no record.
 * A call takes at most the time-out given at kafka_admin_open. Ownership: kafka_admin_free; what a call gives is released by the
 * caller. Threads: one owner, the command's main thread. Errors: RETRY = the brokers do not answer, FATAL = they refuse. */
#ifndef LUADUCT_SOURCE_KAFKA_ADMIN_H
#define LUADUCT_SOURCE_KAFKA_ADMIN_H

#include "job/job.h"
#include "util/str.h"

struct kafka_admin;

/* Reaches the brokers and asks for the topic. */
bool kafka_admin_open(struct kafka_admin **admin_out, const struct job *job, int timeout_ms, struct error *error) MUST_USE;
void kafka_admin_free(struct kafka_admin *admin);
const char *kafka_admin_cluster_id(const struct kafka_admin *admin); /* "" when unknown */
const char *kafka_admin_topic_id(const struct kafka_admin *admin);   /* "" when the broker knows no ids */
int32_t kafka_admin_partitions(const struct kafka_admin *admin);

struct kafka_member {
    char *client_id;
    char *host;
};

struct kafka_group {
    char state[32]; /* Kafka's word, such as Empty or Stable; "none" for a group that the brokers do not know */
    struct kafka_member *members;
    size_t member_count;
};
bool kafka_admin_group(struct kafka_admin *admin, struct kafka_group *group_out, struct error *error) MUST_USE;
void kafka_group_release(struct kafka_group *group);

/* What the group has stored for one partition of the topic, and the partition's log. */
struct kafka_place {
    int64_t offset;  /* -1: nothing is stored */
    char *metadata;  /* with a zero behind it; never NULL */
    size_t metadata_size;
    int64_t begin, end; /* end: after the last record that read_committed gives */
};
/* kafka_admin_partitions() places, by partition number. */
bool kafka_admin_places(struct kafka_admin *admin, struct kafka_place **places_out, struct error *error) MUST_USE;
void kafka_places_free(struct kafka_place *places, int32_t count);

/* Where records with a time of time_ms or later begin, by partition number; -1: no record is that new. The array has room for
 * kafka_admin_partitions(). */
bool kafka_admin_offsets_at(struct kafka_admin *admin, int64_t time_ms, int64_t *offsets_out, struct error *error) MUST_USE;

/* Where the logs begin and end, in arrays as above. Asks nothing of the group. */
bool kafka_admin_bounds(struct kafka_admin *admin, int64_t *begins_out, int64_t *ends_out, struct error *error) MUST_USE;

struct kafka_position {
    int32_t partition;
    int64_t offset;
    struct str metadata; /* borrowed, without zero bytes */
};
/* One OffsetCommit without a member for all of them: the broker refuses it while the group has members. Whether it is stored
 * after an error is not known: read it back. */
bool kafka_admin_store(struct kafka_admin *admin, const struct kafka_position *positions, size_t count,
                       struct error *error) MUST_USE;

#endif
