/* coverage.c: lines that can be hit are read from the compiled chunk, for Lua's own debug interface tells them of functions that
 * exist, and a function inside of one that never ran does not. The form of a compiled chunk is that of Lua 5.4 (ldump.c of its
 * release is the only description); it never comes from outside, but is read as if it did.
 * A line that was hit is found by the running module's folder and the chunk's name, which together are the file's path. */
#include "script/coverage.h"

#include <stdlib.h>

#include "script/internal.h"
#include "util/buffer.h"

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

/* --- the compiled chunk --- */

struct reader {
    struct str rest;
    bool broken;
    struct file *file;
};

static const unsigned char *take(struct reader *reader, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)reader->rest.data;

    if (reader->broken || size > reader->rest.size) {
        reader->broken = true;
        return NULL;
    }
    reader->rest = str_make(reader->rest.data + size, reader->rest.size - size);
    return bytes;
}

static size_t take_size(struct reader *reader)
{
    size_t value = 0;
    const unsigned char *byte;

    do {
        byte = take(reader, 1);
        if (!byte || value >> (sizeof(value) * 8 - 7)) {
            reader->broken = true;
            return 0;
        }
        value = value << 7 | (*byte & 0x7F);
    } while (!(*byte & 0x80));
    return value;
}

static void pass_text(struct reader *reader)
{
    size_t size = take_size(reader);

    if (size > 1)
        (void)take(reader, size - 1);
}

static void line_add(struct file *file, long line)
{
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

static void pass_constants(struct reader *reader)
{
    size_t count = take_size(reader);

    for (size_t i = 0; i < count && !reader->broken; i++) {
        const unsigned char *tag = take(reader, 1);

        if (tag && (*tag == 0x03 || *tag == 0x13)) /* integer, float */
            (void)take(reader, 8);
        else if (tag && (*tag == 0x04 || *tag == 0x14)) /* short and long texts */
            pass_text(reader);
    }
}

/* One function and those in it. Its first instruction, of one with "...", prepares arguments; its last one is the return that is
 * there whether it can be reached or not. Neither is a line that a person could hit. */
static void read_function(struct reader *reader, unsigned depth)
{
    enum { DEPTH_MAX = 250 };
    const unsigned char *head, *deltas;
    size_t code, count, next_absolute = 0;
    long line;
    struct reader absolutes;

    pass_text(reader);
    line = (long)take_size(reader);
    (void)take_size(reader);
    head = take(reader, 3); /* parameters, varargs, stack */
    code = take_size(reader);
    if (depth > DEPTH_MAX || !head || !take(reader, code * 4)) {
        reader->broken = true;
        return;
    }
    pass_constants(reader);
    count = take_size(reader);
    (void)take(reader, count * 3); /* upvalues */
    count = take_size(reader);
    for (size_t i = 0; i < count && !reader->broken; i++)
        read_function(reader, depth + 1);
    count = take_size(reader);
    deltas = take(reader, count);
    if (!deltas || count != code) {
        reader->broken = true;
        return;
    }
    next_absolute = take_size(reader);
    absolutes = *reader;
    for (size_t i = 0; i < next_absolute && !reader->broken; i++)
        (void)take_size(reader), (void)take_size(reader);
    for (size_t i = 0; i < code && !reader->broken; i++) {
        int8_t delta = (int8_t)deltas[i];

        if (delta == -0x80) {
            (void)take_size(&absolutes);
            line = (long)take_size(&absolutes);
        } else {
            line += delta;
        }
        if (!(i == 0 && head[1]) && i + 1 < code)
            line_add(reader->file, line);
    }
    count = take_size(reader);
    for (size_t i = 0; i < count && !reader->broken; i++) /* local variables */
        pass_text(reader), (void)take_size(reader), (void)take_size(reader);
    count = take_size(reader);
    for (size_t i = 0; i < count && !reader->broken; i++)
        pass_text(reader);
}

static int dump_piece(lua_State *L, const void *data, size_t size, void *arg)
{
    (void)L;
    buffer_append(arg, data, size);
    return 0;
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
    struct reader reader = {0};
    struct buffer compiled;
    char *path;

    if (!coverage || !module->folder)
        return;
    path = path_of(module, source);
    coverage->module = NULL;
    reader.file = file_find(coverage, path);
    if (reader.file) {
        free(path);
        return;
    }
    XGROW(coverage->files, coverage->count, coverage->capacity);
    reader.file = &coverage->files[coverage->count++];
    *reader.file = (struct file){.path = path, .lines = xcalloc(1, 1)};
    buffer_init(&compiled, 0);
    lua_dump(L, dump_piece, &compiled, 0);
    reader.rest = buffer_str(&compiled);
    /* Signature, version, format, a test text, three sizes, two test numbers; the number of upvalues. */
    (void)take(&reader, 4 + 1 + 1 + 6 + 3 + 8 + 8 + 1);
    read_function(&reader, 0);
    assert(!reader.broken && reader.rest.size == 0);
    buffer_release(&compiled);
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
