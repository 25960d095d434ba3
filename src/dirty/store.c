/* store.c: files of JSON lines that are only ever appended to.
 * Method: each file is made anew under a name that nobody has (O_EXCL), so that several processes may share a folder. An append
 * that fails half-way is cut back to the last whole line. A file is made durable before the next one is begun.
 * Cost: one write per append, one fsync per sync, and one of the folder per new file. */
#include "dirty/dirty.h"

#include "batch/time.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct dirty_store {
    char *directory;
    int64_t file_bytes_max;
    int64_t bytes_max; /* 0: none */
    int64_t bytes;     /* of all files of the folder */
    int folder;
    int file; /* -1: none yet */
    char *path;
    int64_t file_bytes;
    bool unsynced;        /* the file has bytes that may not be on the disk */
    bool folder_unsynced; /* the same of its name */
};

static bool is_dirty_name(const char *name)
{
    struct str text = str_of(name);

    return str_starts_with(text, STR("dirty-")) && text.size > 7 && strcmp(name + text.size - 7, ".ndjson") == 0;
}

/* Makes the folder and those above it. */
static bool make_folder(const char *path, struct error *error)
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
                           copy, strerror(errno));
        *at = c;
        if (!c)
            break;
    }
    free(copy);
    return ok;
}

static bool count_files(struct dirty_store *store, struct error *error)
{
    DIR *folder = opendir(store->directory);
    struct dirent *entry;

    if (!folder)
        return error_set(error, ERROR_FATAL, "the folder %s for dirty rows cannot be read: %s", store->directory,
                         strerror(errno));
    while ((entry = readdir(folder))) {
        struct stat status;

        if (is_dirty_name(entry->d_name) && fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            store->bytes += status.st_size;
    }
    closedir(folder);
    return true;
}

bool dirty_store_open(struct dirty_store **store_out, const struct dirty_options *options, struct error *error)
{
    bool ok = false;
    struct dirty_store *store = xcalloc(1, sizeof(*store));

    store->directory = xstrdup(options->directory);
    store->file_bytes_max = options->file_bytes_max;
    store->bytes_max = options->bytes_max;
    store->file = store->folder = -1;
    if (!make_folder(store->directory, error))
        goto out;
    store->folder = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder < 0) {
        error_set(error, ERROR_FATAL, "the folder %s for dirty rows cannot be opened: %s", store->directory, strerror(errno));
        goto out;
    }
    if (faccessat(store->folder, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        error_set(error, ERROR_FATAL, "the folder %s for dirty rows cannot be written: %s; give this user the right to",
                  store->directory, strerror(errno));
        goto out;
    }
    if (!count_files(store, error))
        goto out;
    *store_out = store;
    store = NULL;
    ok = true;
out:
    dirty_store_close(store);
    return ok;
}

void dirty_store_close(struct dirty_store *store)
{
    if (!store)
        return;
    if (store->file >= 0)
        close(store->file);
    if (store->folder >= 0)
        close(store->folder);
    free(store->path);
    free(store->directory);
    free(store);
}

static bool file_new(struct dirty_store *store, int64_t wall_ms, struct error *error)
{
    for (int tries = 0; tries < 1000; tries++) {
        int64_t ms = wall_ms + tries;
        int64_t seconds = ms / 1000 - (ms % 1000 < 0);
        struct civil civil;
        char name[80];

        time_civil_from_seconds(seconds, &civil);
        snprintf(name, sizeof(name), "dirty-%04d%02u%02uT%02u%02u%02u%03d-%ld.ndjson", civil.year, civil.month, civil.day,
                 civil.hour, civil.minute, civil.second, (int)(ms - seconds * 1000), (long)getpid());
        store->file = openat(store->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
        if (store->file < 0 && errno == EEXIST)
            continue;
        free(store->path);
        store->path = xasprintf("%s/%s", store->directory, name);
        if (store->file < 0)
            return error_set(error, ERROR_FATAL, "%s for dirty rows cannot be made: %s", store->path, strerror(errno));
        store->file_bytes = 0;
        store->folder_unsynced = true;
        return true;
    }
    return error_set(error, ERROR_FATAL, "no free name for a file of dirty rows in %s; look at what fills this folder",
                     store->directory);
}

static bool write_all(struct dirty_store *store, struct str lines, struct error *error)
{
    size_t written = 0;
    int reason;

    while (written < lines.size) {
        ssize_t size = write(store->file, lines.data + written, lines.size - written);

        if (size < 0 && errno == EINTR)
            continue;
        if (size > 0) {
            written += (size_t)size;
            continue;
        }
        reason = size < 0 ? errno : ENOSPC;
        if (ftruncate(store->file, store->file_bytes) != 0) {
            /* The torn line stays; nothing may be written behind it. Whole lines before it are made durable as far as that goes.
             * */
            if (fsync(store->file) == 0)
                store->unsynced = false;
            close(store->file);
            store->file = -1;
        }
        return error_set(error, ERROR_FATAL, "%s: dirty rows cannot be written: %s; make room or name another folder",
                         store->path, strerror(reason));
    }
    return true;
}

bool dirty_append(struct dirty_store *store, struct str lines, int64_t wall_ms, struct error *error)
{
    int64_t total;

    if (!lines.size)
        return true;
    if (__builtin_add_overflow(store->bytes, lines.size, &total) || (store->bytes_max > 0 && total > store->bytes_max))
        return error_set(error, ERROR_FATAL, "the dirty rows in %s would exceed dirty.bytes_max (%lld bytes): look at them, move "
                         "the files away, or raise it", store->directory, (long long)store->bytes_max);
    if (store->file >= 0 && store->file_bytes > 0 && store->file_bytes_max > 0 &&
        (int64_t)lines.size > store->file_bytes_max - store->file_bytes) {
        if (!dirty_sync(store, error))
            return false;
        close(store->file);
        store->file = -1;
    }
    if (store->file < 0 && !file_new(store, wall_ms, error))
        return false;
    if (!write_all(store, lines, error))
        return false;
    store->file_bytes += (int64_t)lines.size;
    store->bytes = total;
    store->unsynced = true;
    return true;
}

bool dirty_sync(struct dirty_store *store, struct error *error)
{
    if (store->unsynced) {
        if (store->file < 0 || fsync(store->file) != 0)
            return error_set(error, ERROR_FATAL, "%s: dirty rows cannot be made durable: %s", store->path,
                             store->file < 0 ? "writing failed before" : strerror(errno));
        store->unsynced = false;
    }
    if (store->folder_unsynced) {
        if (fsync(store->folder) != 0)
            return error_set(error, ERROR_FATAL, "the folder %s cannot be made durable: %s", store->directory, strerror(errno));
        store->folder_unsynced = false;
    }
    return true;
}

bool dirty_durable(struct dirty_store *store, bool *durable_out, struct error *error UNUSED)
{
    *durable_out = !store->unsynced && !store->folder_unsynced;
    return true;
}

int64_t dirty_bytes(const struct dirty_store *store)
{
    return store->bytes;
}
