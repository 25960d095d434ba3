/* files.c: Lua files, and the names of those that they require.
 * A file that is read into a set brings those which it requires along, so that a `require` that runs first in the middle of a job
 * gets the text of the time at which its version was made. They are found by their written names, require("a.b") or require 'a.b'
 * in any place, a comment too, which does no harm. A name that is computed is found when it is required. */
#include "script/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/file.h"

enum {
    FILE_BYTES_MAX = 4 << 20,
    REQUIRED_DEPTH_MAX = 64, /* of files that require each other; what is deeper is read when it is required */
};

bool required_path(const char *name, char path[REQUIRED_PATH_MAX])
{
    size_t size = strlen(name);

    if (size == 0 || size > REQUIRED_NAME_MAX || name[0] == '.' || name[size - 1] == '.' || strstr(name, ".."))
        return false;
    if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != size)
        return false;
    snprintf(path, REQUIRED_PATH_MAX, "%s.lua", name);
    for (size_t i = 0; i < size; i++)
        if (path[i] == '.')
            path[i] = '/';
    return true;
}

static struct str skip(struct str text, const char *set)
{
    while (text.size && text.data[0] && strchr(set, text.data[0]))
        text = str_make(text.data + 1, text.size - 1);
    return text;
}

/* The next name that is written behind the word `require`; false behind the last one. */
static bool next_required(struct str *rest, char name[REQUIRED_NAME_MAX + 1])
{
    static const struct str word = STR("require");
    const char *at, *end;

    while (rest->size && (at = memmem(rest->data, rest->size, word.data, word.size))) {
        *rest = str_make(at + word.size, rest->size - (size_t)(at - rest->data) - word.size);
        *rest = skip(*rest, " \t\r\n(");
        if (!rest->size || (rest->data[0] != '"' && rest->data[0] != '\''))
            continue;
        end = memchr(rest->data + 1, rest->data[0], size_min(rest->size - 1, REQUIRED_NAME_MAX + 1));
        if (!end)
            continue;
        snprintf(name, REQUIRED_NAME_MAX + 1, "%.*s", (int)(end - rest->data - 1), rest->data + 1);
        return true;
    }
    return false;
}

static void read_required(struct file_set *files, const char *folder, struct str text, unsigned depth)
{
    char name[REQUIRED_NAME_MAX + 1], path[REQUIRED_PATH_MAX];

    while (depth < REQUIRED_DEPTH_MAX && next_required(&text, name)) {
        struct buffer content;
        struct error ignored; /* whoever requires it is told */
        char *full;
        bool known; /* then it brought its own along */

        if (!required_path(name, path) || strcmp(name, "luaduct") == 0 || strcmp(name, "cjson") == 0)
            continue;
        full = xasprintf("%s/%s", folder, path);
        known = file_set_find(files, full).data;
        buffer_init(&content, 0);
        if (!known && file_read(&content, full, REQUIRED_BYTES_MAX, NULL, &ignored))
            read_required(files, folder, file_set_put(files, full, buffer_str(&content)), depth + 1);
        else if (!known)
            (void)file_set_put(files, full, STR_NONE);
        buffer_release(&content);
        free(full);
    }
}

bool file_read_whole(const char *path, char **text_out, size_t *size_out, struct error *error)
{
    bool ok = false;
    FILE *file = fopen(path, "rb");
    char *text = NULL;

    if (!file)
        return error_set(error, ERROR_CONFIG, "cannot read %s: %s", path, strerror(errno));
    text = xmalloc(FILE_BYTES_MAX);
    *size_out = fread(text, 1, FILE_BYTES_MAX, file);
    if (ferror(file)) {
        error_set(error, ERROR_CONFIG, "cannot read %s: %s", path, strerror(errno));
        goto out;
    }
    if (*size_out == FILE_BYTES_MAX) {
        error_set(error, ERROR_CONFIG, "%s is larger than a Lua file may be, 4 MiB", path);
        goto out;
    }
    *text_out = text;
    text = NULL;
    ok = true;
out:
    fclose(file);
    free(text);
    return ok;
}

char *folder_of(const char *path)
{
    const char *base = strrchr(path, '/');

    return base ? xstrndup(path, (size_t)(base - path) + (base == path)) : xstrdup(".");
}

bool script_file_read(struct file_set *files, const char *path, struct str *text_out, struct error *error)
{
    char *text, *folder;
    size_t size;

    *text_out = file_set_find(files, path);
    if (text_out->data)
        return true;
    if (!file_read_whole(path, &text, &size, error)) {
        (void)file_set_put(files, path, STR_NONE);
        return false;
    }
    *text_out = file_set_put(files, path, str_make(text, size));
    free(text);
    folder = folder_of(path);
    read_required(files, folder, *text_out, 0);
    free(folder);
    return true;
}
