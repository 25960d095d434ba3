/* compress.c: isa-l writes the zlib container at level 1, some 530 MB/s and zlib 1's ratio; zlib writes it where isa-l is absent.
 * zstd at its level 1 costs about the same and is some 5 % smaller (performance.md 1).
 * Unpacking is zlib's and zstd's: it serves the local endpoint and downloads, where their checks matter more than speed.
 * Output is made in steps of 64 kB at the buffer's end. */
#include "maxcompute/compress.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#ifdef LUADUCT_HAVE_ISAL
#include <isa-l.h>
#endif

/* Deflate's libraries count a piece in 32 bits. */
enum { STEP_BYTES = 64 * 1024, PIECE_BYTES_MAX = 1 << 30, ZSTD_LEVEL = 1 };

struct compressor {
    enum compression compression;
    ZSTD_CCtx *zstd;
#ifdef LUADUCT_HAVE_ISAL
    struct isal_zstream stream;
    uint8_t *level_buffer;
#else
    z_stream stream;
#endif
};

const char *compression_name(enum compression compression)
{
    static const char *const names[] = {
        [COMPRESSION_DEFLATE] = "deflate", [COMPRESSION_ZSTD] = "zstd", [COMPRESSION_NONE] = NULL};

    return names[compression];
}

static bool fail_room(const struct buffer *output, struct error *error)
{
    return error_set(error, ERROR_DATA, "compress: the body does not fit its limit of %zu bytes", output->bytes_max);
}

/* Room for at least one byte at the output's end, a step if the limit allows it. */
static size_t reserve_step(struct buffer *output)
{
    size_t room = STEP_BYTES;

    if (output->bytes_max)
        room = size_min(room, output->bytes_max - output->size);
    return room && buffer_reserve(output, room) ? room : 0;
}

/* A codec is three functions: one sets up the state, one begins a body, one runs until the input is taken or, at the end, until
 * the trailer is written. */

#ifdef LUADUCT_HAVE_ISAL

const char *compression_library(void)
{
    return "isa-l";
}

static void deflate_open(struct compressor *compressor)
{
    compressor->level_buffer = xmalloc(ISAL_DEF_LVL1_DEFAULT);
}

static void deflate_close(struct compressor *compressor)
{
    free(compressor->level_buffer);
}

static bool deflate_begin(struct compressor *compressor, struct error *error UNUSED)
{
    struct isal_zstream *stream = &compressor->stream;

    isal_deflate_init(stream);
    stream->level = 1;
    stream->level_buf = compressor->level_buffer;
    stream->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    stream->gzip_flag = IGZIP_ZLIB;
    stream->flush = NO_FLUSH;
    return true;
}

static bool deflate_run(struct compressor *compressor, struct str piece, bool last, struct buffer *output, struct error *error)
{
    struct isal_zstream *stream = &compressor->stream;

    stream->next_in = (uint8_t *)(uintptr_t)piece.data;
    stream->avail_in = (uint32_t)piece.size;
    stream->end_of_stream = last;
    for (;;) {
        size_t room = reserve_step(output);
        int status;

        if (!room)
            return fail_room(output, error);
        stream->next_out = (uint8_t *)output->data + output->size;
        stream->avail_out = (uint32_t)room;
        status = isal_deflate(stream);
        output->size += room - stream->avail_out;
        if (status != COMP_OK)
            return error_set(error, ERROR_FATAL, "compress: isa-l answered %d", status);
        if (last ? stream->internal_state.state == ZSTATE_END : !stream->avail_in && stream->avail_out)
            return true;
    }
}

#else

const char *compression_library(void)
{
    return "zlib";
}

static void deflate_open(struct compressor *compressor)
{
    if (deflateInit(&compressor->stream, 1) != Z_OK)
        stop_out_of_memory("a zlib compressor");
}

static void deflate_close(struct compressor *compressor)
{
    deflateEnd(&compressor->stream);
}

static bool deflate_begin(struct compressor *compressor, struct error *error)
{
    return deflateReset(&compressor->stream) == Z_OK || error_set(error, ERROR_FATAL, "compress: zlib cannot begin again");
}

static bool deflate_run(struct compressor *compressor, struct str piece, bool last, struct buffer *output, struct error *error)
{
    z_stream *stream = &compressor->stream;

    stream->next_in = (Bytef *)(uintptr_t)piece.data;
    stream->avail_in = (uInt)piece.size;
    for (;;) {
        size_t room = reserve_step(output);
        int status;

        if (!room)
            return fail_room(output, error);
        stream->next_out = (Bytef *)output->data + output->size;
        stream->avail_out = (uInt)room;
        status = deflate(stream, last ? Z_FINISH : Z_NO_FLUSH);
        output->size += room - stream->avail_out;
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return error_set(error, ERROR_FATAL, "compress: zlib answered %d", status);
        if (last ? status == Z_STREAM_END : !stream->avail_in && stream->avail_out)
            return true;
    }
}

#endif

static void zstd_open(struct compressor *compressor)
{
    compressor->zstd = ZSTD_createCCtx();
    if (!compressor->zstd)
        stop_out_of_memory("a zstd compressor");
    (void)ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL); /* a level that every version has */
}

static bool zstd_begin(struct compressor *compressor, struct error *error)
{
    return !ZSTD_isError(ZSTD_CCtx_reset(compressor->zstd, ZSTD_reset_session_only)) ||
           error_set(error, ERROR_FATAL, "compress: zstd cannot begin again");
}

static bool zstd_run(struct compressor *compressor, struct str piece, bool last, struct buffer *output, struct error *error)
{
    ZSTD_inBuffer in = {piece.data ? piece.data : "", piece.size, 0};

    for (;;) {
        size_t room = reserve_step(output), left;
        ZSTD_outBuffer out;

        if (!room)
            return fail_room(output, error);
        out = (ZSTD_outBuffer){output->data + output->size, room, 0};
        left = ZSTD_compressStream2(compressor->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        output->size += out.pos;
        if (ZSTD_isError(left))
            return error_set(error, ERROR_FATAL, "compress: zstd: %s", ZSTD_getErrorName(left));
        if (last ? !left : in.pos == in.size)
            return true;
    }
}

struct compressor *compressor_new(enum compression compression)
{
    struct compressor *compressor = xcalloc(1, sizeof(*compressor));

    compressor->compression = compression;
    if (compression == COMPRESSION_DEFLATE)
        deflate_open(compressor);
    else if (compression == COMPRESSION_ZSTD)
        zstd_open(compressor);
    return compressor;
}

void compressor_free(struct compressor *compressor)
{
    if (!compressor)
        return;
    if (compressor->compression == COMPRESSION_DEFLATE)
        deflate_close(compressor);
    ZSTD_freeCCtx(compressor->zstd);
    free(compressor);
}

bool compressor_begin(struct compressor *compressor, struct buffer *output, struct error *error)
{
    if (output->failed)
        return fail_room(output, error);
    switch (compressor->compression) {
    case COMPRESSION_DEFLATE:
        return deflate_begin(compressor, error);
    case COMPRESSION_ZSTD:
        return zstd_begin(compressor, error);
    case COMPRESSION_NONE:
        break;
    }
    return true;
}

static bool run(struct compressor *compressor, struct str piece, bool last, struct buffer *output, struct error *error)
{
    return compressor->compression == COMPRESSION_ZSTD ? zstd_run(compressor, piece, last, output, error)
                                                       : deflate_run(compressor, piece, last, output, error);
}

bool compressor_feed(struct compressor *compressor, struct str piece, struct buffer *output, struct error *error)
{
    if (compressor->compression == COMPRESSION_NONE) {
        buffer_append_str(output, piece);
        return output->failed ? fail_room(output, error) : true;
    }
    while (piece.size) {
        struct str part = str_make(piece.data, size_min(piece.size, PIECE_BYTES_MAX));

        if (!run(compressor, part, false, output, error))
            return false;
        piece = str_make(piece.data + part.size, piece.size - part.size);
    }
    return true;
}

bool compressor_end(struct compressor *compressor, struct buffer *output, struct error *error)
{
    return compressor->compression == COMPRESSION_NONE || run(compressor, STR(""), true, output, error);
}

/* --- unpacking --- */

/* Where unpacked bytes go. At the limit one byte aside takes what follows: it tells a body of just the limit from a larger
 * one. */
struct unpacked {
    struct buffer *output;
    size_t start, bytes_max;
    uint8_t *at;
    size_t size;
    uint8_t beyond;
};

static void room_init(struct unpacked *room, struct buffer *output, size_t bytes_max)
{
    memset(room, 0, sizeof(*room));
    room->output = output;
    room->start = output->size;
    room->bytes_max = output->bytes_max ? size_min(bytes_max, output->bytes_max - output->size) : bytes_max;
}

static bool room_make(struct unpacked *room, struct error *error)
{
    size_t left = room->bytes_max - (room->output->size - room->start);

    room->at = &room->beyond;
    room->size = 1;
    if (!left)
        return true;
    left = size_min(left, STEP_BYTES);
    if (!buffer_reserve(room->output, left))
        return error_set(error, ERROR_RETRY, "decompress: no memory for the unpacked body");
    room->at = (uint8_t *)room->output->data + room->output->size;
    room->size = left;
    return true;
}

static bool room_take(struct unpacked *room, size_t size, const char *codec, struct error *error)
{
    if (room->at == &room->beyond) {
        if (size)
            return error_set(error, ERROR_DATA, "decompress: the %s body unpacks to more than %zu bytes, the limit", codec,
                             room->bytes_max);
        return true;
    }
    room->output->size += size;
    return true;
}

static bool inflate_body(struct str body, size_t bytes_max, struct buffer *output, struct error *error)
{
    z_stream stream = {0};
    struct unpacked room;
    size_t taken = 0;
    int status = Z_OK;
    bool ok = false;

    room_init(&room, output, bytes_max);
    if (inflateInit(&stream) != Z_OK)
        return error_set(error, ERROR_RETRY, "decompress: no memory for deflate");
    do {
        if (!room_make(&room, error))
            goto out;
        if (!stream.avail_in) {
            size_t size = size_min(body.size - taken, PIECE_BYTES_MAX);

            stream.next_in = (Bytef *)(uintptr_t)(body.data + taken);
            stream.avail_in = (uInt)size;
            taken += size;
        }
        stream.next_out = room.at;
        stream.avail_out = (uInt)room.size;
        status = inflate(&stream, Z_NO_FLUSH);
        if (!room_take(&room, room.size - stream.avail_out, "deflate", error))
            goto out;
        if (status == Z_BUF_ERROR && !stream.avail_in && taken == body.size) {
            error_set(error, ERROR_DATA, "decompress: the deflate body ends too early, after %zu bytes", body.size);
            goto out;
        }
        if (status == Z_NEED_DICT || (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)) {
            error_set(error, ERROR_DATA, "decompress: not a zlib container: %s", stream.msg ? stream.msg : zError(status));
            goto out;
        }
    } while (status != Z_STREAM_END);
    if (stream.avail_in || taken < body.size) {
        error_set(error, ERROR_DATA, "decompress: %zu bytes behind the end of the deflate body",
                  body.size - taken + stream.avail_in);
        goto out;
    }
    ok = true;
out:
    inflateEnd(&stream);
    return ok;
}

static bool unzstd_body(struct str body, size_t bytes_max, struct buffer *output, struct error *error)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {body.data ? body.data : "", body.size, 0};
    struct unpacked room;
    size_t status = 1;
    bool full = false, ok = false;

    room_init(&room, output, bytes_max);
    if (!stream)
        return error_set(error, ERROR_RETRY, "decompress: no memory for zstd");
    /* A full output may hide more that is still inside the decoder. */
    while (in.pos < in.size || (full && status)) {
        ZSTD_outBuffer out;

        if (!room_make(&room, error))
            goto out;
        out = (ZSTD_outBuffer){room.at, room.size, 0};
        status = ZSTD_decompressStream(stream, &out, &in);
        full = out.pos == out.size;
        if (ZSTD_isError(status)) {
            error_set(error, ERROR_DATA, "decompress: not a zstd frame: %s", ZSTD_getErrorName(status));
            goto out;
        }
        if (!room_take(&room, out.pos, "zstd", error))
            goto out;
    }
    if (status) {
        error_set(error, ERROR_DATA, "decompress: the zstd body ends too early, after %zu bytes", body.size);
        goto out;
    }
    ok = true;
out:
    ZSTD_freeDStream(stream);
    return ok;
}

bool decompress(struct str encoding, struct str body, size_t bytes_max, struct buffer *output, struct error *error)
{
    encoding = str_trim(encoding);
    if (!encoding.size || str_equal_ignore_case(encoding, STR("identity"))) {
        if (body.size > bytes_max)
            return error_set(error, ERROR_DATA, "decompress: the body has %zu bytes, more than the limit of %zu", body.size,
                             bytes_max);
        buffer_append_str(output, body);
        if (output->failed)
            return error_set(error, ERROR_DATA, "decompress: the body does not fit its buffer of %zu bytes", output->bytes_max);
        return true;
    }
    if (str_equal_ignore_case(encoding, STR("deflate")))
        return inflate_body(body, bytes_max, output, error);
    if (str_equal_ignore_case(encoding, STR("zstd")))
        return unzstd_body(body, bytes_max, output, error);
    return error_set(error, ERROR_DATA, "decompress: unknown Content-Encoding \"%.*s\"; known are deflate and zstd",
                     STR_ARG(str_head(encoding, 60)));
}
