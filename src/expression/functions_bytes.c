/* functions_bytes.c: digests, base64 and hex, and values out of JSON. */
#include "batch/convert.h"
#include "batch/kernels/hash.h"
#include "batch/kernels/json_get.h"
#include "batch/kernels/text.h"
#include "expression/function.h"

#include <stdio.h>

/* ---- digests ---- */

static void hash_release(void *state)
{
    hasher_free(state);
}

static bool hasher_prepare(struct function_call *call, struct str algorithm, struct str salt, struct error *error)
{
    struct hasher *hasher;

    if (!hasher_new(&hasher, algorithm, salt, error))
        return false;
    call->state = hasher;
    return true;
}

/* By the function's own name. */
static bool digest_prepare(struct function_call *call, struct error *error)
{
    return hasher_prepare(call, str_of(call->name), STR_NONE, error);
}

static bool hash_prepare(struct function_call *call, struct error *error)
{
    struct str algorithm, salt;

    if (!function_constant_text(call, 2, "the salt", &salt, error) ||
        !function_constant_text(call, 0, "the algorithm", &algorithm, error))
        return false;
    return hasher_prepare(call, algorithm, salt, error);
}

static bool hash_rows(const struct function_call *call, struct batch *batch, struct operand a, struct column **column_out,
                      struct error *error)
{
    struct column *spread;

    if (!a.constant)
        return kernel_hash(call->state, batch, a.column, column_out, error);
    spread = function_result(batch, a.column->type, &a, 1);
    if (!spread)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++)
        spread->text[batch->selection[i]] = a.column->text[0];
    return kernel_hash(call->state, batch, spread, column_out, error);
}

static bool digest_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                       struct column **column_out, struct error *error)
{
    return hash_rows(call, batch, arguments[0], column_out, error);
}

static bool hash_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                     struct column **column_out, struct error *error)
{
    return hash_rows(call, batch, arguments[1], column_out, error);
}

/* ---- base64 and hex ---- */

/* Of one value: NULL, or why not. *size_out: at most room_of(size). */
struct coding {
    size_t (*room)(size_t size);
    const char *(*code)(struct str from, char *to, size_t *size_out);
};

static size_t base64_room(size_t size)
{
    return (size + 2) / 3 * 4;
}

static const char *base64_code(struct str from, char *to, size_t *size_out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)from.data;
    size_t i = 0;
    char *start = to;

    for (; i + 3 <= from.size; i += 3) {
        uint32_t bits = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];

        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = digits[bits >> 6 & 63];
        *to++ = digits[bits & 63];
    }
    if (i < from.size) {
        uint32_t bits = (uint32_t)p[i] << 16 | (i + 1 < from.size ? (uint32_t)p[i + 1] << 8 : 0);

        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = i + 1 < from.size ? digits[bits >> 6 & 63] : '=';
        *to++ = '=';
    }
    *size_out = (size_t)(to - start);
    return NULL;
}

static size_t unbase64_room(size_t size)
{
    return size / 4 * 3;
}

static const char *unbase64_code(struct str from, char *to, size_t *size_out)
{
    return str_decode_base64(from, to, size_out) ? NULL : "the text is not base64";
}

static size_t hex_room(size_t size)
{
    return size * 2;
}

static const char *hex_code(struct str from, char *to, size_t *size_out)
{
    for (size_t i = 0; i < from.size; i++) {
        to[2 * i] = "0123456789ABCDEF"[(unsigned char)from.data[i] >> 4];
        to[2 * i + 1] = "0123456789ABCDEF"[(unsigned char)from.data[i] & 15];
    }
    *size_out = from.size * 2;
    return NULL;
}

static size_t unhex_room(size_t size)
{
    return size / 2;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *unhex_code(struct str from, char *to, size_t *size_out)
{
    for (size_t i = 0; i + 1 < from.size; i += 2) {
        int high = hex_digit(from.data[i]), low = hex_digit(from.data[i + 1]);

        if (high < 0 || low < 0)
            return "the text has other characters than hexadecimal digits";
        to[i / 2] = (char)(high << 4 | low);
    }
    *size_out = from.size / 2;
    return from.size % 2 ? "the text has an odd number of hexadecimal digits" : NULL;
}

static bool code_rows(const struct function_call *call, struct batch *batch, struct operand a, const struct coding *coding,
                      struct column **column_out, struct error *error)
{
    struct column *column = function_result(batch, call->type, &a, 1);
    uint32_t mask = operand_mask(a);

    if (!column)
        return operand_out_of_memory(batch, error);
    column->utf8 = call->type.kind == TYPE_STRING; /* digits and letters */
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const char *why = NULL;
        struct str from;
        size_t room, size = 0;
        char *to;

        if (column_is_null(column, row))
            continue;
        from = a.column->text[row & mask];
        if (from.size > TEXT_RESULT_MAX || coding->room(from.size) > TEXT_RESULT_MAX) {
            why = "the result would be larger than 8 MiB";
        } else {
            room = coding->room(from.size);
            to = arena_try_alloc(&batch->arena, room);
            if (!to)
                return operand_out_of_memory(batch, error);
            why = coding->code(from, to, &size);
            column->text[row] = str_make(to, size);
        }
        if (why && !function_fail(batch, column, row, call->name, why))
            return operand_out_of_memory(batch, error);
    }
    *column_out = column;
    return true;
}

static bool base64_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                       struct column **column_out, struct error *error)
{
    return code_rows(call, batch, arguments[0], &(struct coding){base64_room, base64_code}, column_out, error);
}

static bool unbase64_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                         struct column **column_out, struct error *error)
{
    return code_rows(call, batch, arguments[0], &(struct coding){unbase64_room, unbase64_code}, column_out, error);
}

static bool hex_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                    struct column **column_out, struct error *error)
{
    return code_rows(call, batch, arguments[0], &(struct coding){hex_room, hex_code}, column_out, error);
}

static bool unhex_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                      struct column **column_out, struct error *error)
{
    return code_rows(call, batch, arguments[0], &(struct coding){unhex_room, unhex_code}, column_out, error);
}

/* ---- JSON ---- */

static void json_release(void *state)
{
    json_getter_free(state);
}

static bool json_prepare(struct function_call *call, struct error *error)
{
    struct str path, name;
    struct json_getter *getter;

    if (!function_constant_text(call, 2, "the type", &name, error) || (name.data && !type_parse(name, &call->type, error)) ||
        !function_constant_text(call, 1, "the path", &path, error) ||
        !json_getter_new(&getter, path, name.data ? call->type : TYPE_OF(TYPE_STRING), call->environment->zone, &call->blamed_at,
                         error))
        return false;
    call->state = getter;
    return true;
}

static bool json_get_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                         struct column **column_out, struct error *error)
{
    char what[160], excerpt[128];

    snprintf(what, sizeof(what), "%s(%.*s)", call->name, STR_ARG(convert_excerpt(call->arguments[1].constant, 0, excerpt)));
    return json_get(call->state, batch, arguments[0], str_of(what), column_out, error);
}

static bool json_exists_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                            struct column **column_out, struct error *error)
{
    return json_exists(call->state, batch, arguments[0], str_of(call->name), column_out, error);
}

#define ARGUMENTS(minimum, maximum) .arguments_min = (minimum), .arguments_max = (maximum)

#define DIGEST(name_, text, digest)                                                                                              \
    {                                                                                                                            \
        .name = name_, .parameters = "text", ARGUMENTS(1, 1), .takes = "b", .gives = TYPE_STRING, .prepare = digest_prepare,     \
        .run = digest_run, .release = hash_release,                                                                              \
        .sentence = "The " text " digest of its bytes in lower-case hex; what can be guessed, such as a phone number, "          \
                    "is not hidden by it.",                                                                                      \
        .example = name_ "('abc')", .result = digest                                                                             \
    }

extern const struct expression_function functions_bytes[];
const struct expression_function functions_bytes[] = {
    DIGEST("md5", "MD5", "900150983cd24fb0d6963f7d28e17f72"),
    DIGEST("sha256", "SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    DIGEST("sha512", "SHA-512",
           "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
           "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
    DIGEST("sm3", "SM3", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    {.name = "hash",
     .parameters = "algorithm, text [, salt]",
     ARGUMENTS(2, 3),
     .takes = "tbt",
     .gives = TYPE_STRING,
     .prepare = hash_prepare,
     .run = hash_run,
     .release = hash_release,
     .sentence = "The digest (md5, sha256, sha512, sm3) of the salt's bytes followed by the text's, in lower-case hex.",
     .example = "hash('md5', 'c', 'ab')",
     .result = "900150983cd24fb0d6963f7d28e17f72"},
    {.name = "base64",
     .parameters = "text",
     ARGUMENTS(1, 1),
     .fails = true,
     .takes = "b",
     .gives = TYPE_STRING,
     .run = base64_run,
     .sentence = "The bytes of a text or a binary as base64.",
     .example = "base64('上海')",
     .result = "5LiK5rW3"},
    {.name = "unbase64",
     .parameters = "text",
     ARGUMENTS(1, 1),
     .fails = true,
     .takes = "t",
     .gives = TYPE_BINARY,
     .run = unbase64_run,
     .sentence = "The bytes that base64 stands for, as a binary.",
     .example = "cast(unbase64('5LiK5rW3') as string)",
     .result = "上海"},
    {.name = "hex",
     .parameters = "text",
     ARGUMENTS(1, 1),
     .fails = true,
     .takes = "b",
     .gives = TYPE_STRING,
     .run = hex_run,
     .sentence = "The bytes of a text or a binary as upper-case hex.",
     .example = "hex('ab~')",
     .result = "61627E"},
    {.name = "unhex",
     .parameters = "text",
     ARGUMENTS(1, 1),
     .fails = true,
     .takes = "t",
     .gives = TYPE_BINARY,
     .run = unhex_run,
     .sentence = "The bytes that hex stands for, as a binary.",
     .example = "cast(unhex('6162') as string)",
     .result = "ab"},
    {.name = "json_get",
     .parameters = "text, path [, type]",
     ARGUMENTS(2, 3),
     .fails = true,
     .takes = "t",
     .gives = TYPE_STRING,
     .prepare = json_prepare,
     .run = json_get_run,
     .release = json_release,
     .sentence = "The value at the path, NULL where there is none or null; without a type as a string, whatever it is; [*] gives "
                 "a JSON array. "
                 "For many values of one text the stage kind json is quicker.",
     .example = "json_get('{\"a\":[{\"b\":1.50}]}', '$.a[0].b', 'decimal(10,2)')",
     .result = "1.50"},
    {.name = "json_exists",
     .parameters = "text, path",
     ARGUMENTS(2, 2),
     .fails = true,
     .takes = "t",
     .gives = TYPE_BOOLEAN,
     .prepare = json_prepare,
     .run = json_exists_run,
     .release = json_release,
     .sentence = "Whether there is a value at the path, be it null.",
     .example = "json_exists('{\"a\":null}', '$.a')",
     .result = "true"},
    {0},
};
