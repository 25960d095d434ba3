/* tables_internal.h: what the files of option tables share: abbreviations, and the tables that others point to. */
#ifndef LUADUCT_JOB_TABLES_INTERNAL_H
#define LUADUCT_JOB_TABLES_INTERNAL_H

#include "job/checks.h"
#include "job/tables.h"

#define KIB(n) ((int64_t)(n) << 10)
#define MIB(n) ((int64_t)(n) << 20)
#define GIB(n) ((int64_t)(n) << 30)
#define SECONDS(n) ((int64_t)(n) * 1000)
#define FOREIGN(name_, answer) {.name = (name_), .type = OPTION_FOREIGN, .sentence = (answer)}
#define LATER(name_, answer) {.name = (name_), .type = OPTION_LATER, .sentence = (answer)}
#define END {.type = OPTION_NONE}
#define JSON_ONLY .only = "json"
#define LUA_ONLY .only = "lua"
#define MASK_ONLY .only = "mask"
#define ASSIGN_ONLY .only = "assign"
#define REPLACE_ONLY .only = "replace"

extern const struct option source_rows[], target_rows[]; /* base: struct job */
extern const struct option dirty_rows[], runtime_rows[], failover_rows[], metrics_rows[], log_rows[], reload_rows[];
extern const struct option stage_rows[]; /* base: struct job_stage */
extern const struct option mask_rule_rows[]; /* checked only: the stage reads its own tree */
extern const struct option assign_set_rows[];
/* Of stage kind assign; checked, and stored nowhere. */
void renames_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node);
void casts_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node);

/* A list of field names, checked only. */
void names_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node);

/* A map of librdkafka properties, each checked by name and form. */
void properties_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node);

#endif
