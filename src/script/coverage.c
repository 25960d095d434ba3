/* coverage.c: a line that was hit is found by the running module's folder and the chunk's name, which together are the file's
 * path. */
#include "script/coverage.h"

#include <stdlib.h>

#include "script/chunk.h"
#include "script/internal.h"

struct file {
    char *path;
    uint8_t *lines;
    unsigned line_count;
};

struct coverage {
    struct file *files;
    size_t count, capacity;
    /* The file of the last line that was hit, for there are many lines in a row. */
    const struct script_module *module;
    const char *source;
    size_t last;
};

struct coverage *coverage_new(void)
{
    return xcalloc(1, sizeof(struct coverage));
}

void coverage_free(struct coverage *coverage)
{
    if (!coverage)
        return;
    for (size_t i = 0; i < coverage->count; i++) {
        free(coverage->files[i].path);
        free(coverage->files[i].lines);
    }
    free(coverage->files);
    free(coverage);
}

void script_state_cover(struct script_state *state, struct coverage *coverage)
{
    state->coverage = coverage;
    if (coverage)
        coverage->module = NULL; /* another state's module may have had its address */
}

size_t coverage_count(const struct coverage *coverage)
{
    return coverage->count;
}

struct coverage_file coverage_file(const struct coverage *coverage, size_t index)
{
    const struct file *file = &coverage->files[index];
    struct coverage_file answer = {.path = file->path, .lines = file->lines, .line_count = file->line_count};

    for (unsigned line = 1; line <= file->line_count; line++) {
        answer.active += (file->lines[line] & COVERAGE_ACTIVE) != 0;
        answer.hit += file->lines[line] == (COVERAGE_ACTIVE | COVERAGE_HIT);
    }
    return answer;
}

static void line_add(void *arg, long line)
{
    struct file *file = arg;
    enum { LINES_MAX = 1 << 24 };

    if (line < 1 || line > LINES_MAX)
        return;
    if ((unsigned long)line > file->line_count) {
        file->lines = xrealloc(file->lines, (size_t)line + 1);
        memset(file->lines + file->line_count + 1, 0, (size_t)line - file->line_count);
        file->lines[0] = 0;
        file->line_count = (unsigned)line;
    }
    file->lines[line] |= COVERAGE_ACTIVE;
}

static char *path_of(const struct script_module *module, const char *source)
{
    return strcmp(module->folder, ".") == 0 ? xstrdup(source + 1) : xasprintf("%s/%s", module->folder, source + 1);
}

static struct file *file_find(struct coverage *coverage, const char *path)
{
    for (size_t i = 0; i < coverage->count; i++)
        if (strcmp(coverage->files[i].path, path) == 0)
            return &coverage->files[i];
    return NULL;
}

void coverage_chunk(lua_State *L, const struct script_module *module, const char *source)
{
    struct coverage *coverage = script_of(L)->coverage;
    struct chunk_visitor visitor = {.line = line_add};
    struct file *file;
    char *path;

    if (!coverage || !module->folder)
        return;
    path = path_of(module, source);
    coverage->module = NULL;
    file = file_find(coverage, path);
    if (file) {
        free(path);
        return;
    }
    XGROW(coverage->files, coverage->count, coverage->capacity);
    file = &coverage->files[coverage->count++];
    *file = (struct file){.path = path, .lines = xcalloc(1, 1)};
    visitor.arg = file;
    chunk_visit(L, &visitor);
}

void coverage_line(struct script_state *state, lua_State *L, lua_Debug *ar)
{
    struct coverage *coverage = state->coverage;
    const struct script_module *module = state->opening ? state->opening : state->run.module;
    struct file *file;

    if (!module || !module->folder || !lua_getinfo(L, "S", ar) || ar->source[0] != '@')
        return;
    if (coverage->module != module || coverage->source != ar->source) {
        char *path = path_of(module, ar->source);

        file = file_find(coverage, path);
        free(path);
        if (!file)
            return; /* a text that a script compiled itself */
        coverage->module = module;
        coverage->source = ar->source;
        coverage->last = (size_t)(file - coverage->files);
    }
    file = &coverage->files[coverage->last];
    if (ar->currentline >= 1 && (unsigned)ar->currentline <= file->line_count && file->lines[ar->currentline])
        file->lines[ar->currentline] |= COVERAGE_HIT;
}
