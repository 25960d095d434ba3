/* chunk.c: Lua's own debug interface tells of functions that exist, and a function inside of one that never ran does not; so
 * this is read from the compiled chunk. Its form is that of Lua 5.4 (ldump.c and lopcodes.h of its release are the only
 * description); it never comes from outside, but is read as if it did. */
#include "script/chunk.h"

#include <stdlib.h>

#include "util/buffer.h"

/* lopcodes.h: the operation is in the lowest seven bits, A in the next eight, B from bit 16 on, C from bit 24 on. */
enum { OPERATION_BITS = 0x7F, GET_GLOBAL = 11, SET_GLOBAL = 15 };

struct reader {
    struct str rest;
    bool broken;
    const struct chunk_visitor *visitor;
};

/* One function, while it is read. */
struct function {
    const unsigned char *code;
    size_t code_size;
    struct str *constants; /* absent: not a text */
    size_t constant_count;
    long *lines;          /* of each instruction */
    unsigned environment; /* the upvalue in which globals are; UINT_MAX: it has none */
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

static struct str take_text(struct reader *reader)
{
    size_t size = take_size(reader);
    const unsigned char *bytes = size > 1 ? take(reader, size - 1) : NULL;

    return bytes ? str_make((const char *)bytes, size - 1) : STR_NONE;
}

/* A count of things of at least one byte each. */
static size_t take_count(struct reader *reader)
{
    size_t count = take_size(reader);

    reader->broken = reader->broken || count > reader->rest.size;
    return reader->broken ? 0 : count;
}

static void read_constants(struct reader *reader, struct function *function)
{
    size_t count = take_count(reader);

    function->constants = xcalloc(count + 1, sizeof(*function->constants));
    function->constant_count = count;
    for (size_t i = 0; i < count && !reader->broken; i++) {
        const unsigned char *tag = take(reader, 1);

        if (tag && (*tag == 0x03 || *tag == 0x13)) /* integer, float */
            (void)take(reader, 8);
        else if (tag && (*tag == 0x04 || *tag == 0x14)) /* short and long texts */
            function->constants[i] = take_text(reader);
    }
}

static void read_lines(struct reader *reader, struct function *function, long line)
{
    size_t count = take_count(reader), absolute;
    const unsigned char *deltas = take(reader, count);
    struct reader absolutes;

    if (!deltas || count != function->code_size) {
        reader->broken = true;
        return;
    }
    absolute = take_count(reader);
    absolutes = *reader;
    for (size_t i = 0; i < absolute && !reader->broken; i++)
        (void)take_size(reader), (void)take_size(reader);
    function->lines = xcalloc(count + 1, sizeof(*function->lines));
    for (size_t i = 0; i < count && !reader->broken; i++) {
        int8_t delta = (int8_t)deltas[i];

        if (delta == -0x80) {
            (void)take_size(&absolutes);
            line = (long)take_size(&absolutes);
        } else {
            line += delta;
        }
        function->lines[i] = line;
    }
}

static void read_names(struct reader *reader, struct function *function)
{
    size_t count = take_count(reader);

    for (size_t i = 0; i < count && !reader->broken; i++) { /* local variables */
        struct str name = take_text(reader);

        (void)take_size(reader), (void)take_size(reader);
        if (name.size && name.data[0] != '(' && reader->visitor->local)
            reader->visitor->local(reader->visitor->arg, name);
    }
    count = take_count(reader);
    for (size_t i = 0; i < count && !reader->broken; i++)
        if (str_is(take_text(reader), "_ENV"))
            function->environment = (unsigned)i;
}

/* The first instruction of a function with "..." prepares arguments; the last one is the return that is there whether it can be
 * reached or not. Neither is a line that a person could hit. */
static void tell(const struct chunk_visitor *visitor, const struct function *function, bool varargs)
{
    for (size_t i = 0; i < function->code_size; i++) {
        const unsigned char *code = function->code + 4 * i;
        unsigned operation = code[0] & OPERATION_BITS, a = (unsigned)code[0] >> 7 | (code[1] & OPERATION_BITS) << 1;
        bool set = operation == SET_GLOBAL;
        unsigned table = set ? a : code[2], name = set ? code[2] : code[3];

        if (visitor->line && !(i == 0 && varargs) && i + 1 < function->code_size)
            visitor->line(visitor->arg, function->lines[i]);
        if (visitor->global && (set || operation == GET_GLOBAL) && table == function->environment &&
            name < function->constant_count && function->constants[name].data)
            visitor->global(visitor->arg, function->constants[name], function->lines[i], set);
    }
}

/* A function and those in it. */
static void read_function(struct reader *reader, unsigned depth)
{
    enum { DEPTH_MAX = 250 };
    struct function function = {.environment = UINT_MAX};
    const unsigned char *head;
    size_t count;
    long line;

    (void)take_text(reader);
    line = (long)take_size(reader);
    (void)take_size(reader);
    head = take(reader, 3); /* parameters, varargs, stack */
    function.code_size = take_count(reader);
    function.code = take(reader, function.code_size * 4);
    if (depth > DEPTH_MAX || !head || !function.code) {
        reader->broken = true;
        return;
    }
    read_constants(reader, &function);
    count = take_count(reader);
    (void)take(reader, count * 3); /* upvalues */
    count = take_count(reader);
    for (size_t i = 0; i < count && !reader->broken; i++)
        read_function(reader, depth + 1);
    read_lines(reader, &function, line);
    read_names(reader, &function);
    if (!reader->broken)
        tell(reader->visitor, &function, head[1]);
    free(function.constants);
    free(function.lines);
}

static int dump_piece(lua_State *L, const void *data, size_t size, void *arg)
{
    (void)L;
    buffer_append(arg, data, size);
    return 0;
}

void chunk_visit(lua_State *L, const struct chunk_visitor *visitor)
{
    struct reader reader = {.visitor = visitor};
    struct buffer compiled;

    buffer_init(&compiled, 0);
    lua_dump(L, dump_piece, &compiled, 0);
    reader.rest = buffer_str(&compiled);
    /* Signature, version, format, a test text, three sizes, two test numbers; the number of upvalues. */
    (void)take(&reader, 4 + 1 + 1 + 6 + 3 + 8 + 8 + 1);
    read_function(&reader, 0);
    assert(!reader.broken && reader.rest.size == 0);
    buffer_release(&compiled);
}
