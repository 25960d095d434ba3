/* position.h: what is stored beside a committed offset: the idle record (design.md, epochs, rule 3), one per Kafka partition.
 * One line of text: luaduct/1 job=… cluster=… topic=… table=… read=… written=… filtered=… dirty=… expanded=… crc=XXXXXXXX
 * Names are percent-encoded; crc is the CRC-32C of all before " crc=". Threads: any, no state. */
#ifndef LUADUCT_PIPELINE_POSITION_H
#define LUADUCT_PIPELINE_POSITION_H

#include "pipeline/work.h"

struct position_owner {
    const char *job;
    const char *cluster; /* "" when unknown */
    const char *topic;   /* topic id, or its name where the broker knows no ids */
    const char *table;   /* project.schema.table */
};

enum { POSITION_BYTES_MAX = 4096 }; /* the broker's limit: offset.metadata.max.bytes */

void position_print(const struct position_owner *owner, const struct counts *ledger, struct buffer *text);

enum position_status {
    POSITION_NONE,    /* nothing stored, or text that is not ours: go on with a warning, the ledger starts anew */
    POSITION_OURS,    /* *ledger_out is set */
    POSITION_FOREIGN, /* well-formed, of another job, cluster, topic or table; the error says which */
    POSITION_UNKNOWN, /* a version that this release does not read */
};
enum position_status position_parse(struct str text, const struct position_owner *owner, struct counts *ledger_out,
                                    struct error *error);

#endif
