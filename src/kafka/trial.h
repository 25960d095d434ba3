/* trial.h: a second librdkafka client, made with changed certificates or secrets, that has to show that the brokers let it in
 * before it may take the place of the one in use. It asks for a topic; whatever is answered, the one in use is not touched.
 * Ownership: kafka_trial_take gives client and queue away, kafka_trial_end disposes of them. Threads: one owner, the hub's;
 * nothing waits. Times are monotonic milliseconds. */
#ifndef LUADUCT_KAFKA_TRIAL_H
#define LUADUCT_KAFKA_TRIAL_H

#include "kafka/disposal.h"
#include "kafka/login.h"

enum {
    KAFKA_TRIAL_MS = 20000,       /* for the brokers' answer */
    KAFKA_TRIAL_AGAIN_MS = 15000, /* until it is tried again */
    KAFKA_TRIAL_LOOK_MS = 100,    /* how often to step */
};

enum kafka_trial_state { KAFKA_TRIAL_NONE, KAFKA_TRIAL_RUNS, KAFKA_TRIAL_LET_IN, KAFKA_TRIAL_REFUSED };

struct kafka_trial {
    rd_kafka_t *rk;
    rd_kafka_queue_t *answers;
    int64_t until_ms;
    struct error error; /* why it was refused */
};

/* Takes the client. */
void kafka_trial_begin(struct kafka_trial *trial, rd_kafka_t *rk, const char *topic, int64_t now_ms);
/* Serves the client. REFUSED: the trial is over once kafka_trial_end was called. */
enum kafka_trial_state kafka_trial_step(struct kafka_trial *trial, struct kafka_login *login, int64_t now_ms);
/* What the client's error callback is told. */
void kafka_trial_error(struct kafka_trial *trial, struct kafka_login *login, rd_kafka_resp_err_t code, const char *text);
rd_kafka_t *kafka_trial_take(struct kafka_trial *trial, rd_kafka_queue_t **answers_out) MUST_USE;
void kafka_trial_end(struct kafka_trial *trial, struct kafka_disposal **disposals);

#endif
