/* epoch.h: what the two halves of `luaduct epoch` share.
 * Ownership: everything is borrowed. Threads: the command's main thread. */
#ifndef LUADUCT_CLI_EPOCH_H
#define LUADUCT_CLI_EPOCH_H

#include "cli/survey.h"

/* One prepared epoch: who and since when, its Kafka partitions, its sessions. */
void epoch_print(const struct ends *ends, const struct survey *survey, const struct survey_epoch *epoch, int64_t now_ms,
                 struct buffer *text);

int epoch_resolve(int argc, char **argv);

#endif
