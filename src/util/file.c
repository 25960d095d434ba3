/* file.c */
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a file without a text to compare with it is only asked whether it can be read. */
enum { FILE_HOLDS_BYTES_MIN = 4 << 20 };

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static void stamp_set(struct file_stamp *stamp, const struct stat *status)
{
    *stamp = (struct file_stamp){(uint64_t)status->st_dev, (uint64_t)status->st_ino, (int64_t)status->st_size,
                                 nanoseconds(&status->st_mtim), nanoseconds(&status->st_ctim)};
}

bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->modified_ns == b->modified_ns &&
           a->changed_ns == b->changed_ns;
}

void file_stamp_get(const char *path, struct file_stamp *stamp_out)
{
    struct stat status;

    *stamp_out = (struct file_stamp){0};
    if (stat(path, &status) == 0)
        stamp_set(stamp_out, &status);
}

static bool bytes_read(struct buffer *content, int fd, const char *path, size_t bytes_max, struct error *error)
{
    size_t before = content->size;

    for (;;) {
        char piece[4096];
        ssize_t size = read(fd, piece, sizeof(piece));

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return error_set(error, ERROR_CONFIG, "the file %s cannot be read: %s", path, strerror(errno));
        if (size == 0)
            return true;
        if (content->size - before + (size_t)size > bytes_max)
            return error_set(error, ERROR_CONFIG, "the file %s is larger than %zu KiB", path, bytes_max >> 10);
        buffer_append(content, piece, (size_t)size);
        explicit_bzero(piece, (size_t)size);
    }
}

bool file_read(struct buffer *content, const char *path, size_t bytes_max, struct file_stamp *stamp_out, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    bool ok = false;

    if (stamp_out)
        *stamp_out = (struct file_stamp){0};
    if (fd < 0 || fstat(fd, &status) != 0) {
        error_set(error, ERROR_CONFIG, "the file %s cannot be read: %s", path, strerror(errno));
        goto out;
    }
    if (S_ISDIR(status.st_mode)) {
        error_set(error, ERROR_CONFIG, "%s is a folder", path);
        goto out;
    }
    if (stamp_out)
        stamp_set(stamp_out, &status);
    ok = bytes_read(content, fd, path, bytes_max, error);
out:
    if (fd >= 0)
        close(fd);
    return ok;
}

bool file_holds(const char *path, struct str text)
{
    struct buffer content;
    struct error error;
    bool same;

    buffer_init(&content, 0);
    if (file_read(&content, path, size_max(text.size, FILE_HOLDS_BYTES_MIN), NULL, &error))
        same = text.data && str_equal(buffer_str(&content), text);
    else
        same = !text.data;
    buffer_release(&content);
    return same;
}
