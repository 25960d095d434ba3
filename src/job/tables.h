/* tables.h: the option tables of the two files. Constant.
 * Ownership: nothing to release. Threads: any. */
#ifndef LUADUCT_JOB_TABLES_H
#define LUADUCT_JOB_TABLES_H

#include "job/job.h"
#include "job/options.h"

extern const struct option job_options[];        /* base: struct job */
extern const struct option datasources_options[]; /* the file's two maps of names; stores nothing */
extern const struct option kafka_options[];      /* base: struct job_kafka */
extern const struct option maxcompute_options[]; /* base: struct job_maxcompute */

#endif
