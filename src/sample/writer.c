/* writer.c */
#include "sample/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FLUSH_BYTES = 256 * 1024 };

struct sample_writer {
    char *path, *temporary; /* NULL: standard output */
    bool force;
    int fd;
    struct buffer text;
    int64_t bytes;
};

static bool exists_error(const char *path, struct error *error)
{
    return error_set(error, ERROR_CONFIG, "%s is there already; --force replaces it, another name writes another file", path);
}

static bool flush(struct sample_writer *writer, struct error *error)
{
    size_t done = 0;

    while (done < writer->text.size) {
        ssize_t size = write(writer->fd, writer->text.data + done, writer->text.size - done);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return error_set(error, ERROR_FATAL, "writing %s: %s", writer->path ? writer->path : "the records to standard output",
                             strerror(errno));
        done += (size_t)size;
    }
    buffer_clear(&writer->text);
    return true;
}

static void writer_free(struct sample_writer *writer)
{
    buffer_release(&writer->text);
    free(writer->temporary);
    free(writer->path);
    free(writer);
}

bool sample_writer_open(struct sample_writer **writer_out, const char *path, bool force, const struct sample_origin *origin,
                        struct error *error)
{
    struct sample_writer *writer;

    *writer_out = NULL;
    if (path && !force && access(path, F_OK) == 0)
        return exists_error(path, error);
    writer = xcalloc(1, sizeof(*writer));
    writer->fd = STDOUT_FILENO;
    writer->force = force;
    buffer_init(&writer->text, 0);
    if (path) {
        writer->path = xstrdup(path);
        writer->temporary = xasprintf("%s.tmp.XXXXXX", path); /* nothing that a killed process left is in the way */
        writer->fd = mkostemp(writer->temporary, O_CLOEXEC); /* mode 0600 */
    }
    if (writer->fd < 0) {
        error_set(error, ERROR_FATAL, "%s cannot be made: %s", writer->path, strerror(errno));
        writer_free(writer);
        return false;
    }
    sample_print_origin(origin, &writer->text);
    *writer_out = writer;
    return true;
}

static bool added(struct sample_writer *writer, size_t before, struct error *error)
{
    writer->bytes += (int64_t)(writer->text.size - before);
    /* A reader behind standard output wants to see records as they come. */
    return (writer->path && writer->text.size < FLUSH_BYTES) || flush(writer, error);
}

bool sample_writer_add(struct sample_writer *writer, const struct sample_record *record, struct error *error)
{
    size_t before = writer->text.size;

    sample_print_record(record, &writer->text);
    return added(writer, before, error);
}

bool sample_writer_add_line(struct sample_writer *writer, struct str line, struct error *error)
{
    size_t before = writer->text.size;

    buffer_append_str(&writer->text, line);
    buffer_append_char(&writer->text, '\n');
    return added(writer, before, error);
}

int64_t sample_writer_bytes(const struct sample_writer *writer)
{
    return writer->bytes;
}

/* Without force nobody else's file is replaced, whenever it was made. */
static bool name_take(struct sample_writer *writer, struct error *error)
{
    if (writer->force ? rename(writer->temporary, writer->path) == 0
                      : renameat2(AT_FDCWD, writer->temporary, AT_FDCWD, writer->path, RENAME_NOREPLACE) == 0)
        return true;
    if (!writer->force && errno == EEXIST)
        return exists_error(writer->path, error);
    /* A file system that does not know the flag. */
    if (!writer->force && errno == EINVAL && access(writer->path, F_OK) != 0 && rename(writer->temporary, writer->path) == 0)
        return true;
    return error_set(error, ERROR_FATAL, "%s cannot get its name: %s", writer->path, strerror(errno));
}

bool sample_writer_close(struct sample_writer *writer, bool keep, struct error *error)
{
    bool ok = true, named = false;

    if (keep) {
        ok = flush(writer, error);
        if (ok && writer->path && fsync(writer->fd) != 0)
            ok = error_set(error, ERROR_FATAL, "writing %s: %s", writer->path, strerror(errno));
        if (ok && writer->path)
            ok = named = name_take(writer, error);
    }
    if (writer->path && writer->fd >= 0)
        close(writer->fd);
    if (writer->temporary && !named)
        unlink(writer->temporary);
    writer_free(writer);
    return ok;
}
