/* tables.h: the option tables of the two files. Constant. */
#ifndef LUADUCT_JOB_TABLES_H
#define LUADUCT_JOB_TABLES_H

#include "job/job.h"
#include "job/options.h"

extern const struct option job_options[];        /* base: struct job */
extern const struct option datasources_options[]; /* the file's two maps of names; stores nothing */
extern const struct option kafka_options[];      /* base: struct job_kafka */
extern const struct option maxcompute_options[]; /* base: struct job_maxcompute */

/* A start position as the job says it, before the zone of local times is known. kind START_TIME needs start_time_resolve. */
bool start_parse(struct str text, enum start_kind *kind_out);
/* The point in time a start names; zone (a name) is for times that name none, NULL: such a time is an error. */
bool start_time_parse(struct str text, const char *zone, int64_t *ms_out, struct error *error) MUST_USE;

#endif
