/* kafka_admin.c: librdkafka's admin calls, each sent and waited for in slices, for a refused log-in shows in the error callback
 * at once while the call itself would wait to its end. */
#include "source/kafka_admin.h"

#include <stdio.h>
#include <stdlib.h>

#include "source/kafka_internal.h"
#include "util/clock.h"

enum { SLICE_MS = 200, AGAIN_MS = 200 };

struct kafka_admin {
    struct kafka_source kafka; /* only .job, .login and .source are used: the log callback finds no log */
    rd_kafka_t *rk;
    rd_kafka_queue_t *answers;
    int timeout_ms;
    int64_t until_ms; /* of the call in hand */
    int32_t partitions;
    /* The newest reason why the brokers could not be reached: a call only says "timed out". */
    rd_kafka_resp_err_t code;
    bool refused;
    char text[512];
};

static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct kafka_admin *admin = (struct kafka_admin *)kafka_of(kafka_login_owner(opaque));
    struct error error;

    (void)rk;
    /* "All brokers are down" says less than the reason before it. */
    if (admin->refused || (admin->code && code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN))
        return;
    admin->code = code;
    admin->refused = kafka_login_refusal(admin->kafka.login, admin->code, text, &error) && error.kind == ERROR_FATAL;
    snprintf(admin->text, sizeof(admin->text), "%s", text);
}

static bool refuse(struct kafka_admin *admin, rd_kafka_resp_err_t code, const char *text, const char *doing, struct error *error)
{
    if (admin->code && (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT))
        kafka_error_set(&admin->kafka, error, admin->code, admin->text,
                        "the brokers do not answer (check `brokers` of the data source and the network)");
    else
        kafka_error_set(&admin->kafka, error, code, text, doing);
    return false;
}

static void call_begin(struct kafka_admin *admin)
{
    admin->until_ms = clock_monotonic_ms() + admin->timeout_ms;
    admin->code = RD_KAFKA_RESP_ERR_NO_ERROR;
    admin->refused = false;
}

static int left_ms(const struct kafka_admin *admin)
{
    return (int)int64_max(1, admin->until_ms - clock_monotonic_ms());
}

/* The brokers move the group to another coordinator, or have just started: asked again within the call's time. */
static bool again(struct kafka_admin *admin, rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
        if (left_ms(admin) <= AGAIN_MS)
            return false;
        (void)rd_kafka_poll(admin->rk, AGAIN_MS);
        return true;
    default:
        return false;
    }
}

static rd_kafka_AdminOptions_t *options_make(struct kafka_admin *admin, rd_kafka_admin_op_t operation)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->rk, operation);
    char text[256];

    /* The value is in range, so this cannot fail. */
    rd_kafka_AdminOptions_set_request_timeout(options, left_ms(admin), text, sizeof(text));
    if (operation == RD_KAFKA_ADMIN_OP_LISTOFFSETS) {
        rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_isolation_level(options, RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED);

        if (refused)
            rd_kafka_error_destroy(refused);
    }
    return options;
}

/* The answer to the call that was sent last; NULL with an error. *code_out tells a broker's refusal. */
static rd_kafka_event_t *answer_wait(struct kafka_admin *admin, const char *doing, rd_kafka_resp_err_t *code_out,
                                     struct error *error)
{
    rd_kafka_event_t *event = NULL;

    *code_out = RD_KAFKA_RESP_ERR__TIMED_OUT;
    do {
        event = rd_kafka_queue_poll(admin->answers, (int)int64_min(left_ms(admin), SLICE_MS));
        (void)rd_kafka_poll(admin->rk, 0);
    } while (!event && !admin->refused && clock_monotonic_ms() < admin->until_ms);
    if (!event) {
        /* The answer of a call that was given up must not be taken for that of the next one. */
        rd_kafka_queue_destroy(admin->answers);
        admin->answers = rd_kafka_queue_new(admin->rk);
        refuse(admin, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, doing, error);
        return NULL;
    }
    *code_out = rd_kafka_event_error(event);
    if (*code_out) {
        refuse(admin, *code_out, rd_kafka_event_error_string(event), doing, error);
        rd_kafka_event_destroy(event);
        return NULL;
    }
    return event;
}

/* --- the topic --- */

static bool topic_read(struct kafka_admin *admin, rd_kafka_event_t *event, struct error *error)
{
    static const char doing[] = "asking for the topic";
    size_t count, partitions;
    const rd_kafka_TopicDescription_t **topics =
        rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
    struct source *source = &admin->kafka.source;
    const rd_kafka_error_t *refused;
    const rd_kafka_Uuid_t *id;
    char *cluster;

    if (count != 1)
        return refuse(admin, RD_KAFKA_RESP_ERR__BAD_MSG, "the answer does not describe the topic", doing, error);
    refused = rd_kafka_TopicDescription_error(topics[0]);
    if (refused && rd_kafka_error_code(refused))
        return refuse(admin, rd_kafka_error_code(refused), rd_kafka_error_string(refused), doing, error);
    rd_kafka_TopicDescription_partitions(topics[0], &partitions);
    if (partitions == 0 || partitions > KAFKA_PARTITIONS_MAX)
        return error_set(error, ERROR_RETRY, "source: the brokers %s tell %zu partitions of topic %s; try again",
                         admin->kafka.job->source.kafka.brokers, partitions, admin->kafka.job->source.topic);
    admin->partitions = (int32_t)partitions;
    /* Brokers before 2.8 know no topic ids and give zero. */
    id = rd_kafka_TopicDescription_topic_id(topics[0]);
    if (id && (rd_kafka_Uuid_most_significant_bits(id) || rd_kafka_Uuid_least_significant_bits(id)))
        snprintf(source->topic_id, sizeof(source->topic_id), "%s", rd_kafka_Uuid_base64str(id));
    cluster = rd_kafka_clusterid(admin->rk, left_ms(admin));
    if (cluster) {
        snprintf(source->cluster_id, sizeof(source->cluster_id), "%s", cluster);
        rd_kafka_mem_free(admin->rk, cluster);
    }
    return true;
}

static bool topic_ask(struct kafka_admin *admin, struct error *error)
{
    const char *name = admin->kafka.job->source.topic;
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(&name, 1);
    rd_kafka_AdminOptions_t *options;
    rd_kafka_resp_err_t code;
    rd_kafka_event_t *event;
    bool ok;

    call_begin(admin);
    options = options_make(admin, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    rd_kafka_DescribeTopics(admin->rk, topics, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_TopicCollection_destroy(topics);
    event = answer_wait(admin, "asking for the topic", &code, error);
    if (!event)
        return false;
    ok = topic_read(admin, event, error);
    rd_kafka_event_destroy(event);
    return ok;
}

bool kafka_admin_open(struct kafka_admin **admin_out, const struct job *job, int timeout_ms, struct error *error)
{
    struct kafka_admin *admin = xcalloc(1, sizeof(*admin));
    rd_kafka_conf_t *conf;
    char text[512];
    bool ok = false;

    *admin_out = NULL;
    admin->kafka.job = job;
    admin->kafka.login = kafka_login_new(&job->source.kafka, job->source.properties, job->source.property_count,
                                         &admin->kafka.source, NULL);
    admin->timeout_ms = timeout_ms;
    conf = kafka_conf_make(admin->kafka.login, job, NULL, error);
    if (!conf)
        goto out;
    rd_kafka_conf_set_error_cb(conf, on_error);
    admin->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!admin->rk) {
        rd_kafka_conf_destroy(conf);
        error_set(error, ERROR_CONFIG, "source: the Kafka client does not start with these settings: %s", text);
        goto out;
    }
    kafka_login_begin(admin->kafka.login, admin->rk);
    admin->answers = rd_kafka_queue_new(admin->rk);
    if (!topic_ask(admin, error))
        goto out;
    *admin_out = admin;
    admin = NULL;
    ok = true;
out:
    kafka_admin_free(admin);
    return ok;
}

void kafka_admin_free(struct kafka_admin *admin)
{
    if (!admin)
        return;
    if (admin->answers)
        rd_kafka_queue_destroy(admin->answers);
    if (admin->kafka.login)
        kafka_login_stop(admin->kafka.login);
    if (admin->rk)
        rd_kafka_destroy_flags(admin->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    kafka_login_free(admin->kafka.login);
    free(admin);
}

const char *kafka_admin_cluster_id(const struct kafka_admin *admin)
{
    return admin->kafka.source.cluster_id;
}

const char *kafka_admin_topic_id(const struct kafka_admin *admin)
{
    return admin->kafka.source.topic_id;
}

int32_t kafka_admin_partitions(const struct kafka_admin *admin)
{
    return admin->partitions;
}

/* --- the group --- */

static void group_read(const rd_kafka_ConsumerGroupDescription_t *description, struct kafka_group *group)
{
    size_t count = rd_kafka_ConsumerGroupDescription_member_count(description);

    snprintf(group->state, sizeof(group->state), "%s",
             rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(description)));
    if (strcmp(group->state, "Dead") == 0) /* what brokers before 4 say of a group that they do not know */
        snprintf(group->state, sizeof(group->state), "none");
    group->members = xcalloc(count + 1, sizeof(*group->members));
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_MemberDescription_t *member = rd_kafka_ConsumerGroupDescription_member(description, i);
        const char *client = rd_kafka_MemberDescription_client_id(member), *host = rd_kafka_MemberDescription_host(member);

        /* Java brokers write "/10.0.0.1". */
        group->members[i] = (struct kafka_member){.client_id = xstrdup(client ? client : ""),
                                                  .host = xstrdup(host ? host + (host[0] == '/') : "")};
    }
    group->member_count = count;
}

static bool group_ask(struct kafka_admin *admin, struct kafka_group *group_out, rd_kafka_resp_err_t *code,
                      struct error *error)
{
    static const char doing[] = "asking who is in the group";
    const char *name = admin->kafka.job->source.group;
    rd_kafka_AdminOptions_t *options = options_make(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    const rd_kafka_ConsumerGroupDescription_t **groups;
    const rd_kafka_error_t *refused;
    rd_kafka_event_t *event;
    size_t count;
    bool ok = false;

    rd_kafka_DescribeConsumerGroups(admin->rk, &name, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    event = answer_wait(admin, doing, code, error);
    if (!event)
        return false;
    groups = rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    refused = count == 1 ? rd_kafka_ConsumerGroupDescription_error(groups[0]) : NULL;
    if (count != 1) {
        refuse(admin, RD_KAFKA_RESP_ERR__BAD_MSG, "the answer does not describe the group", doing, error);
    } else if (refused && rd_kafka_error_code(refused) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) {
        snprintf(group_out->state, sizeof(group_out->state), "none");
        ok = true;
    } else if (refused) {
        *code = rd_kafka_error_code(refused);
        refuse(admin, *code, rd_kafka_error_string(refused), doing, error);
    } else {
        group_read(groups[0], group_out);
        ok = true;
    }
    rd_kafka_event_destroy(event);
    return ok;
}

bool kafka_admin_group(struct kafka_admin *admin, struct kafka_group *group_out, struct error *error)
{
    rd_kafka_resp_err_t code;

    memset(group_out, 0, sizeof(*group_out));
    call_begin(admin);
    do {
        if (group_ask(admin, group_out, &code, error))
            return true;
    } while (again(admin, code));
    return false;
}

void kafka_group_release(struct kafka_group *group)
{
    for (size_t i = 0; i < group->member_count; i++) {
        free(group->members[i].client_id);
        free(group->members[i].host);
    }
    free(group->members);
    memset(group, 0, sizeof(*group));
}

/* --- offsets --- */

static rd_kafka_topic_partition_list_t *list_make(const struct kafka_admin *admin, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(admin->partitions);

    for (int32_t i = 0; i < admin->partitions; i++)
        rd_kafka_topic_partition_list_add(list, admin->kafka.job->source.topic, i)->offset = offset;
    return list;
}

static bool listed_read(struct kafka_admin *admin, rd_kafka_event_t *event, int64_t *offsets, rd_kafka_resp_err_t *code)
{
    size_t count;
    const rd_kafka_ListOffsetsResultInfo_t **infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);

    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *listed = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);

        *code = listed->err;
        if (listed->err)
            return false;
        if (listed->partition >= 0 && listed->partition < admin->partitions)
            offsets[listed->partition] = listed->offset;
    }
    return true;
}

/* query: an rd_kafka_OffsetSpec_t or a time. */
static bool offsets_list(struct kafka_admin *admin, int64_t query, int64_t *offsets_out, struct error *error)
{
    static const char doing[] = "listing offsets of the topic";
    rd_kafka_topic_partition_list_t *list = list_make(admin, query);
    rd_kafka_resp_err_t code;
    bool ok = false;

    for (int32_t i = 0; i < admin->partitions; i++)
        offsets_out[i] = -1;
    call_begin(admin);
    do {
        rd_kafka_AdminOptions_t *options = options_make(admin, RD_KAFKA_ADMIN_OP_LISTOFFSETS);
        rd_kafka_event_t *event;

        rd_kafka_ListOffsets(admin->rk, list, options, admin->answers);
        rd_kafka_AdminOptions_destroy(options);
        event = answer_wait(admin, doing, &code, error);
        if (!event)
            continue;
        ok = listed_read(admin, event, offsets_out, &code);
        if (!ok)
            refuse(admin, code, NULL, doing, error);
        rd_kafka_event_destroy(event);
    } while (!ok && again(admin, code));
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

bool kafka_admin_offsets_at(struct kafka_admin *admin, int64_t time_ms, int64_t *offsets_out, struct error *error)
{
    return offsets_list(admin, int64_max(time_ms, 0), offsets_out, error);
}

bool kafka_admin_bounds(struct kafka_admin *admin, int64_t *begins_out, int64_t *ends_out, struct error *error)
{
    return offsets_list(admin, RD_KAFKA_OFFSET_SPEC_EARLIEST, begins_out, error) &&
           offsets_list(admin, RD_KAFKA_OFFSET_SPEC_LATEST, ends_out, error);
}

static bool committed_read(struct kafka_admin *admin, rd_kafka_event_t *event, struct kafka_place *places,
                           rd_kafka_resp_err_t *code)
{
    size_t count;
    const rd_kafka_group_result_t **groups =
        rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    const rd_kafka_error_t *refused = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
    const rd_kafka_topic_partition_list_t *list = count == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;

    *code = refused ? rd_kafka_error_code(refused) : list ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__BAD_MSG;
    for (int i = 0; !*code && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *stored = &list->elems[i];
        struct kafka_place *place;

        *code = stored->err;
        if (*code || stored->partition < 0 || stored->partition >= admin->partitions)
            continue;
        place = &places[stored->partition];
        place->offset = stored->offset >= 0 ? stored->offset : -1;
        free(place->metadata);
        place->metadata_size = stored->metadata ? stored->metadata_size : 0;
        place->metadata = str_dup(str_make(stored->metadata ? stored->metadata : "", place->metadata_size));
    }
    return !*code;
}

static bool committed_list(struct kafka_admin *admin, struct kafka_place *places, struct error *error)
{
    static const char doing[] = "listing committed offsets";
    rd_kafka_topic_partition_list_t *list = list_make(admin, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_ListConsumerGroupOffsets_t *group = rd_kafka_ListConsumerGroupOffsets_new(admin->kafka.job->source.group, list);
    rd_kafka_resp_err_t code;
    bool ok = false;

    call_begin(admin);
    do {
        rd_kafka_AdminOptions_t *options = options_make(admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
        rd_kafka_event_t *event;

        rd_kafka_ListConsumerGroupOffsets(admin->rk, &group, 1, options, admin->answers);
        rd_kafka_AdminOptions_destroy(options);
        event = answer_wait(admin, doing, &code, error);
        if (!event)
            continue;
        ok = committed_read(admin, event, places, &code);
        if (!ok)
            refuse(admin, code, NULL, doing, error);
        rd_kafka_event_destroy(event);
    } while (!ok && again(admin, code));
    rd_kafka_ListConsumerGroupOffsets_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

bool kafka_admin_places(struct kafka_admin *admin, struct kafka_place **places_out, struct error *error)
{
    size_t count = (size_t)admin->partitions;
    struct kafka_place *places = xcalloc(count, sizeof(*places));
    int64_t *begins = xcalloc(count, sizeof(*begins)), *ends = xcalloc(count, sizeof(*ends));
    bool ok;

    *places_out = NULL;
    for (size_t i = 0; i < count; i++)
        places[i] = (struct kafka_place){.offset = -1, .metadata = xstrdup("")};
    ok = committed_list(admin, places, error) && kafka_admin_bounds(admin, begins, ends, error);
    for (size_t i = 0; i < count; i++) {
        places[i].begin = begins[i];
        places[i].end = ends[i];
    }
    free(begins);
    free(ends);
    if (ok)
        *places_out = places;
    else
        kafka_places_free(places, admin->partitions);
    return ok;
}

void kafka_places_free(struct kafka_place *places, int32_t count)
{
    for (int32_t i = 0; places && i < count; i++)
        free(places[i].metadata);
    free(places);
}

/* --- storing --- */

static rd_kafka_resp_err_t stored_code(rd_kafka_event_t *event)
{
    size_t count;
    const rd_kafka_group_result_t **groups =
        rd_kafka_AlterConsumerGroupOffsets_result_groups(rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count);
    const rd_kafka_error_t *refused = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
    const rd_kafka_topic_partition_list_t *list = count == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;

    if (refused)
        return rd_kafka_error_code(refused);
    if (!list)
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err)
            return list->elems[i].err;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool kafka_admin_store(struct kafka_admin *admin, const struct kafka_position *positions, size_t count, struct error *error)
{
    static const char doing[] = "storing offsets for the group";
    const struct job *job = admin->kafka.job;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)size_min(count, KAFKA_PARTITIONS_MAX));
    rd_kafka_AlterConsumerGroupOffsets_t *group;
    rd_kafka_AdminOptions_t *options;
    rd_kafka_resp_err_t code;
    rd_kafka_event_t *event;

    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *item = rd_kafka_topic_partition_list_add(list, job->source.topic, positions[i].partition);

        item->offset = positions[i].offset;
        item->metadata = str_dup(positions[i].metadata); /* librdkafka frees it */
        item->metadata_size = positions[i].metadata.size;
    }
    call_begin(admin);
    group = rd_kafka_AlterConsumerGroupOffsets_new(job->source.group, list);
    options = options_make(admin, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    rd_kafka_AlterConsumerGroupOffsets(admin->rk, &group, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_AlterConsumerGroupOffsets_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    /* Sent once: whether a failed one was stored is the caller's to read back. */
    event = answer_wait(admin, doing, &code, error);
    if (!event)
        return false;
    code = stored_code(event);
    rd_kafka_event_destroy(event);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || code == RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC ||
        code == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP)
        return error_set(error, ERROR_FENCED,
                         "source: a process has joined group %s meanwhile, so nothing was stored; stop the job",
                         job->source.group);
    return !code || refuse(admin, code, NULL, doing, error);
}
