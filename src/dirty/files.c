/* files.c: the store of files: files of JSON lines that are only ever appended to.
 * Method: each file is made anew under a name that nobody has (O_EXCL), so that several processes may share a folder. An append
 * that fails half-way is cut back to the last whole line. A file is made durable before the next one is begun.
 * People clean folders up while a job runs. What is written to a file without a name is lost with the descriptor, so before each
 * write and each sync it is looked at whether the file still is where it was made; if not, a new one is begun, and lines that no
 * sync has been told of are copied into it. (Those before were on the disk, and somebody took them away.)
 * Cost: one write and one look per append, one fsync per sync, and one of the folder per new file. */
#include "dirty/store.h"

#include "batch/time.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct files {
    struct dirty_store store; /* bytes: of all files of the folder */
    char *directory;
    int folder;
    int file; /* -1: none yet */
    char *path;
    int64_t file_bytes, synced_bytes;
    int64_t wall_ms;      /* of the last append */
    struct log *log;
    bool unsynced;        /* the file has bytes that may not be on the disk */
    bool broken;          /* and never will be: the system forgets what it could not write, and says yes the next time */
    bool folder_unsynced; /* the same of its name */
};

static const struct dirty_ops files_ops;

static struct files *files_of(struct dirty_store *store)
{
    return CONTAINER_OF(store, struct files, store);
}

bool dirty_file_name(const char *name)
{
    struct str text = str_of(name);

    return str_starts_with(text, STR("dirty-")) && text.size > 7 && strcmp(name + text.size - 7, ".ndjson") == 0;
}

/* Makes the folder and those above it. */
static bool make_folders(const char *path, struct error *error)
{
    bool ok = true;
    char *copy = xstrdup(path);

    for (char *at = copy + 1; ok && copy[0]; at++) {
        char c = *at;

        if (c && c != '/')
            continue;
        *at = '\0';
        if (mkdir(copy, 0750) != 0 && errno != EEXIST)
            ok = error_set(error, ERROR_FATAL, "the folder %s for dirty rows cannot be made: %s; make it, or name another one",
                           copy, system_reason(errno));
        *at = c;
        if (!c)
            break;
    }
    free(copy);
    return ok;
}

static bool count_files(struct files *files, struct error *error)
{
    DIR *folder = opendir(files->directory);
    struct dirent *entry;
    int reason = 0;

    files->store.bytes = 0;
    if (!folder)
        return error_set(error, ERROR_FATAL, "the folder %s for dirty rows cannot be read: %s", files->directory,
                         system_reason(errno));
    while (errno = 0, !reason && (entry = readdir(folder))) {
        struct stat status;

        if (!dirty_file_name(entry->d_name))
            continue;
        if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            reason = errno == ENOENT ? 0 : errno; /* a person may move files away meanwhile */
        else if (S_ISREG(status.st_mode))
            files->store.bytes += status.st_size;
    }
    reason = reason ? reason : errno;
    closedir(folder);
    return !reason || error_set(error, ERROR_FATAL, "the folder %s for dirty rows cannot be read: %s", files->directory,
                                system_reason(reason));
}

/* Makes the folder if it is not there, and counts what is in it. */
static bool open_folder(struct files *files, struct error *error)
{
    if (!make_folders(files->directory, error))
        return false;
    files->folder = open(files->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->folder < 0)
        return error_set(error, ERROR_FATAL, "the folder %s for dirty rows cannot be opened: %s", files->directory,
                         system_reason(errno));
    if (faccessat(files->folder, ".", W_OK | X_OK, AT_EACCESS) != 0)
        return error_set(error, ERROR_FATAL, "the folder %s for dirty rows cannot be written: %s; give this user the right to",
                         files->directory, strerror(errno));
    return count_files(files, error);
}

bool dirty_files_open(struct dirty_store **store_out, const struct dirty_options *options, struct error *error)
{
    struct files *files = xcalloc(1, sizeof(*files));
    bool ok;

    files->store.ops = &files_ops;
    files->store.place = dirty_options_place(options);
    files->directory = xstrdup(options->directory);
    dirty_set_limits(&files->store, options->file_bytes_max, options->bytes_max);
    files->log = options->log;
    files->file = files->folder = -1;
    ok = open_folder(files, error);
    if (ok)
        *store_out = &files->store;
    else
        dirty_store_close(&files->store);
    return ok;
}

static void files_close(struct dirty_store *store)
{
    struct files *files = files_of(store);

    if (files->file >= 0)
        close(files->file);
    if (files->folder >= 0)
        close(files->folder);
    free(files->path);
    free(files->directory);
    free(files->store.place);
    free(files);
}

static bool fail_broken(const struct files *files, struct error *error)
{
    return error_set(error, ERROR_FATAL, "%s: dirty rows that were written before could not be made durable", files->path);
}

static bool file_new(struct files *files, int64_t wall_ms, struct error *error)
{
    int reason;

    for (int tries = 0; tries < 1000; tries++) {
        int64_t ms = wall_ms + tries;
        int64_t seconds = ms / 1000 - (ms % 1000 < 0);
        struct civil civil;
        char name[80];

        time_civil_from_seconds(seconds, &civil);
        snprintf(name, sizeof(name), "dirty-%04d%02u%02uT%02u%02u%02u%03d-%ld.ndjson", civil.year, civil.month, civil.day,
                 civil.hour, civil.minute, civil.second, (int)(ms - seconds * 1000), (long)getpid());
        files->file = openat(files->folder, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
        reason = errno;
        if (files->file < 0 && (reason == EEXIST || reason == EINTR))
            continue;
        free(files->path);
        files->path = xasprintf("%s/%s", files->directory, name);
        if (files->file < 0)
            return error_set(error, ERROR_FATAL, "%s for dirty rows cannot be made: %s, or name another folder",
                             files->path, system_reason(reason));
        files->file_bytes = files->synced_bytes = 0;
        files->folder_unsynced = true;
        return true;
    }
    return error_set(error, ERROR_FATAL, "no free name for a file of dirty rows in %s; look at what fills this folder",
                     files->directory);
}

static bool make_durable(int descriptor)
{
    int status;

    while ((status = fsync(descriptor)) != 0 && errno == EINTR)
        ;
    return status == 0;
}

static bool write_all(struct files *files, struct str lines, struct error *error)
{
    size_t written = 0;
    int reason;

    while (written < lines.size) {
        ssize_t size = write(files->file, lines.data + written, lines.size - written);

        if (size < 0 && errno == EINTR)
            continue;
        if (size > 0) {
            written += (size_t)size;
            continue;
        }
        reason = size < 0 ? errno : ENOSPC;
        if (ftruncate(files->file, files->file_bytes) != 0) {
            /* The torn line stays; nothing may be written behind it. Whole lines before it are made durable as far as that goes.
             * */
            files->broken = files->unsynced && !make_durable(files->file);
            files->unsynced = files->broken;
            close(files->file);
            files->file = -1;
        }
        return error_set(error, ERROR_FATAL, "%s: dirty rows cannot be written: %s, or name another folder",
                         files->path, system_reason(reason));
    }
    return true;
}

/* Whether what is open still has its name: the file, or the folder while there is no file. */
static bool look(const struct files *files, bool *in_place_out, struct error *error)
{
    const char *path = files->file >= 0 ? files->path : files->directory;
    struct stat open, there;
    int status;

    *in_place_out = false;
    if (files->folder < 0)
        return true;
    while ((status = fstat(files->file >= 0 ? files->file : files->folder, &open)) != 0 && errno == EINTR)
        ;
    while (status == 0 && (status = stat(path, &there)) != 0 && errno == EINTR)
        ;
    if (status != 0 && errno != ENOENT && errno != ENOTDIR)
        return error_set(error, ERROR_FATAL, "%s for dirty rows cannot be looked at: %s, or name another folder", path,
                         system_reason(errno));
    *in_place_out = status == 0 && open.st_dev == there.st_dev && open.st_ino == there.st_ino;
    return true;
}

static bool open_folder_again(struct files *files, struct error *error)
{
    if (files->folder >= 0)
        close(files->folder);
    files->folder = -1;
    return open_folder(files, error);
}

/* Appends what `file` holds from its byte `from` on. */
static bool copy_lines(struct files *files, int file, int64_t from, int64_t to, struct error *error)
{
    char bytes[64 * 1024];

    while (from < to) {
        ssize_t size = pread(file, bytes, to - from < (int64_t)sizeof(bytes) ? (size_t)(to - from) : sizeof(bytes), (off_t)from);

        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return error_set(error, ERROR_FATAL, "dirty rows of a file that was taken away from %s cannot be read again: %s",
                             files->directory, size ? system_reason(errno) : "it was cut");
        if (!write_all(files, str_make(bytes, (size_t)size), error))
            return false;
        from += size;
        files->file_bytes += size;
        files->store.bytes += size;
        files->unsynced = true;
    }
    return true;
}

/* Somebody removed the file, moved it away, or did so with the folder. When this fails, this process may never say that the lines
 * are durable; the records are read again by the next one. */
static bool begin_again(struct files *files, struct error *error)
{
    int file = files->file;
    int64_t from = files->synced_bytes, to = files->file_bytes;
    bool ok;

    log_warn(files->log, "%s for dirty rows was removed or moved away; a new file is begun", files->path);
    files->file = -1;
    ok = open_folder_again(files, error) && file_new(files, files->wall_ms, error) && copy_lines(files, file, from, to, error);
    close(file);
    files->broken = !ok;
    files->unsynced = files->unsynced || files->broken;
    return ok;
}

static bool find_place(struct files *files, struct error *error)
{
    bool in_place;

    return look(files, &in_place, error) &&
           (in_place || (files->file >= 0 ? begin_again(files, error) : open_folder_again(files, error)));
}

static bool files_append(struct dirty_store *store, struct str lines, int64_t wall_ms, struct error *error)
{
    struct files *files = files_of(store);
    int64_t total;

    if (files->broken)
        return fail_broken(files, error);
    files->wall_ms = wall_ms;
    if (!find_place(files, error))
        return false;
    if (__builtin_add_overflow(store->bytes, lines.size, &total) || (store->bytes_max > 0 && total > store->bytes_max))
        return error_set(error, ERROR_FATAL, "the dirty rows in %s would exceed dirty.bytes_max (%lld bytes): look at them, move "
                         "the files away, or raise it", files->directory, (long long)store->bytes_max);
    if (files->file >= 0 && files->file_bytes > 0 && store->file_bytes_max > 0 &&
        (int64_t)lines.size > store->file_bytes_max - files->file_bytes) {
        if (!dirty_sync(store, error))
            return false;
        close(files->file);
        files->file = -1;
    }
    if (files->file < 0 && !file_new(files, wall_ms, error))
        return false;
    if (!write_all(files, lines, error))
        return false;
    files->file_bytes += (int64_t)lines.size;
    store->bytes = total;
    files->unsynced = true;
    return true;
}

static bool files_sync(struct dirty_store *store, struct error *error)
{
    struct files *files = files_of(store);

    if (files->unsynced) {
        if (!files->broken && !find_place(files, error))
            return false;
        if (!files->broken && !make_durable(files->file)) {
            files->broken = true;
            return error_set(error, ERROR_FATAL, "%s: dirty rows cannot be made durable: %s, or name another folder",
                              files->path, system_reason(errno));
        }
        if (files->broken)
            return fail_broken(files, error);
        files->unsynced = false;
        files->synced_bytes = files->file_bytes;
    }
    if (files->folder_unsynced) {
        if (!make_durable(files->folder))
            return error_set(error, ERROR_FATAL, "the folder %s cannot be made durable: %s, or name another one",
                             files->directory, system_reason(errno));
        files->folder_unsynced = false;
    }
    return true;
}

/* A sync that returned has done it all. */
static bool files_durable(struct dirty_store *store UNUSED, bool *durable_out, struct error *error UNUSED)
{
    *durable_out = true;
    return true;
}

static int64_t files_backlog(struct dirty_store *store UNUSED)
{
    return 0;
}

static const struct dirty_ops files_ops = {
    .name = "files",
    .append = files_append,
    .sync = files_sync,
    .durable = files_durable,
    .backlog = files_backlog,
    .close = files_close,
};
