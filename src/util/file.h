/* file.h: a small file read as a whole, and the stamp by which a later change of it is seen.
 * Ownership: the caller's buffer takes the bytes. Threads: any, no state. Errors: kind CONFIG, with the file's path. */
#ifndef LUADUCT_UTIL_FILE_H
#define LUADUCT_UTIL_FILE_H

#include "util/buffer.h"
#include "util/error.h"

/* Two stamps of one path that differ: it was written, or another file took its place. */
struct file_stamp {
    uint64_t device, inode;
    int64_t size, modified_ns, changed_ns;
};

/* Whether the file's text is that one; absent: whether there is none to be read. */
bool file_holds(const char *path, struct str text);
bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b);
/* Zeroes when there is nothing at the path. */
void file_stamp_get(const char *path, struct file_stamp *stamp_out);
/* Appends the bytes. The stamp (may be NULL) is taken before they are read, so that a change meanwhile is seen later. A folder,
 * and what is larger than bytes_max, are refused; a pipe that has nothing in it is not waited for. */
bool file_read(struct buffer *content, const char *path, size_t bytes_max, struct file_stamp *stamp_out,
               struct error *error) MUST_USE;

#endif
