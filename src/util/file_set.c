/* file_set.c: a sorted array; a job has a handful of Lua files. */
#include "util/file_set.h"

#include <stdlib.h>

struct kept {
    char *path;
    char *data; /* NULL: looked for only */
    size_t size;
};

struct file_set {
    pthread_mutex_t lock;
    /* guarded by lock */
    struct kept **files; /* by path; each stays where it is while the array grows */
    size_t count, capacity;
};

struct file_set *file_set_new(void)
{
    struct file_set *set = xcalloc(1, sizeof(*set));

    pthread_mutex_init(&set->lock, NULL);
    return set;
}

void file_set_free(struct file_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++) {
        free(set->files[i]->path);
        free(set->files[i]->data);
        free(set->files[i]);
    }
    free(set->files);
    pthread_mutex_destroy(&set->lock);
    free(set);
}

static struct str text_of(const struct kept *kept)
{
    return kept->data ? str_make(kept->data, kept->size) : STR_NONE;
}

/* The place of the path, or where it would be put. */
static size_t place_of(const struct file_set *set, const char *path)
{
    size_t at = 0;

    while (at < set->count && strcmp(set->files[at]->path, path) < 0)
        at++;
    return at;
}

struct str file_set_find(struct file_set *set, const char *path)
{
    struct str text = STR_NONE;
    size_t at;

    pthread_mutex_lock(&set->lock);
    at = place_of(set, path);
    if (at < set->count && strcmp(set->files[at]->path, path) == 0)
        text = text_of(set->files[at]);
    pthread_mutex_unlock(&set->lock);
    return text;
}

struct str file_set_put(struct file_set *set, const char *path, struct str text)
{
    struct kept *kept;
    struct str found;
    size_t at;

    pthread_mutex_lock(&set->lock);
    at = place_of(set, path);
    if (at == set->count || strcmp(set->files[at]->path, path) != 0) {
        if (!text.data && set->count >= FILE_SET_NOTED_MAX) {
            pthread_mutex_unlock(&set->lock);
            return STR_NONE;
        }
        XGROW(set->files, set->count, set->capacity);
        memmove(set->files + at + 1, set->files + at, (set->count - at) * sizeof(*set->files));
        set->files[at] = xcalloc(1, sizeof(*kept));
        set->files[at]->path = xstrdup(path);
        set->count++;
    }
    kept = set->files[at];
    if (!kept->data && text.data) {
        kept->data = xmalloc(text.size + 1);
        memcpy(kept->data, text.data, text.size);
        kept->data[text.size] = '\0';
        kept->size = text.size;
    }
    found = text_of(kept);
    pthread_mutex_unlock(&set->lock);
    return found;
}

void file_set_put_all(struct file_set *set, struct file_set *from, bool only_texts)
{
    const char *path;
    struct str text;

    for (size_t i = 0; file_set_get(from, i, &path, &text); i++)
        if (text.data || !only_texts)
            (void)file_set_put(set, path, text);
}

bool file_set_get(struct file_set *set, size_t index, const char **path_out, struct str *text_out)
{
    bool there;

    pthread_mutex_lock(&set->lock);
    there = index < set->count;
    if (there) {
        *path_out = set->files[index]->path;
        *text_out = text_of(set->files[index]);
    }
    pthread_mutex_unlock(&set->lock);
    return there;
}
