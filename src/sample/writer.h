/* writer.h: a sample file that is being written: a temporary one beside it, FILE.PID.tmp (mode 0600: values may be personal
 * data), takes its name when all is in it, so that a sample is there whole or not at all. Only a killed process leaves the
 * temporary one. Ownership: sample_writer_close ends it, whatever it returns. Threads: one owner.
 * Errors: CONFIG when the file is there already, else FATAL. */
#ifndef LUADUCT_SAMPLE_WRITER_H
#define LUADUCT_SAMPLE_WRITER_H

#include "sample/sample.h"

struct sample_writer;

/* path NULL: standard output, where lines go as they come. force: a file of that name is replaced, else it is an error (CONFIG).
 */
bool sample_writer_open(struct sample_writer **writer_out, const char *path, bool force, const struct sample_origin *origin,
                        struct error *error) MUST_USE;
bool sample_writer_add(struct sample_writer *writer, const struct sample_record *record, struct error *error) MUST_USE;
/* The same with the line of a record, without its end, as somebody else has printed it. */
bool sample_writer_add_line(struct sample_writer *writer, struct str line, struct error *error) MUST_USE;
int64_t sample_writer_bytes(const struct sample_writer *writer);
/* keep: the file gets its name; else it is gone. */
bool sample_writer_close(struct sample_writer *writer, bool keep, struct error *error) MUST_USE;

#endif
