/* checks.h: what a text of a job file has to look like, one function a kind: the `check` of rows in the option tables
 * (options.h).
 * An error of kind CONFIG is a whole sentence; one of kind DATA goes on after the value: "is no topic name".
 * Ownership: texts are borrowed. Threads: any, no state. */
#ifndef LUADUCT_JOB_CHECKS_H
#define LUADUCT_JOB_CHECKS_H

#include "util/error.h"
#include "util/str.h"

bool name_check(struct str text, struct error *error);
bool topic_check(struct str text, struct error *error);
bool table_check(struct str text, struct error *error);
bool project_check(struct str text, struct error *error);
bool column_check(struct str text, struct error *error);
bool pipeline_type_check(struct str text, struct error *error);
bool zone_check(struct str text, struct error *error);
bool brokers_check(struct str text, struct error *error);
bool listen_check(struct str text, struct error *error);
bool url_check(struct str text, struct error *error);
bool proxy_check(struct str text, struct error *error);
bool format_check(struct str text, struct error *error);

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#endif
