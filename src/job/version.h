/* version.h: what tells two versions of one job apart: the hash of its processing logic, and the keys that differ.
 * Live keys can be taken while the job runs: stages, time_zone, the limits of dirty, log.level and reload; all others need a
 * restart.
 * Ownership: the caller's buffers. Threads: any; jobs are read only. Errors: none. */
#ifndef LUADUCT_JOB_VERSION_H
#define LUADUCT_JOB_VERSION_H

#include "job/job.h"
#include "util/buffer.h"

enum { JOB_VERSION_MAX = 13 };

/* The beginning of the SHA-256 over the stages as they are written, the time zone, and the texts of the Lua files that have been
 * read so far: of all stages and partitions, and what they require by names written out, whenever that is, or while they open. In
 * hexadecimal digits. */
void job_version(const struct job *job, char version[JOB_VERSION_MAX]);

struct job_changes {
    bool live;           /* some key that can be taken differs */
    struct buffer fixed; /* the others, "source.topic, runtime.workers"; never a value */
};

/* In the job file, and in what the job uses of its data sources. References such as ${file:PATH} are compared as they are
 * written, so that a secret which was renewed is no change. */
void job_compare(const struct job *running, const struct job *wanted, struct job_changes *changes_out);
void job_changes_release(struct job_changes *changes);
/* Whether a file that the job has read holds something else now, or is gone. */
bool job_files_changed(const struct job *job);

#endif
