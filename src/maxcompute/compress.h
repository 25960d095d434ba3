/* compress.h: bodies as Content-Encoding names them (protocol section 6.7).
 * Deflate is the zlib container, level 1 by isa-l where the build has it, else zlib. zstd is one frame at level 1; whether every
 * region of the service takes it is not public (section 6.7), deflate it takes everywhere.
 * Ownership: a compressor is reused for block after block (its state is some 300 kB); compressor_free frees.
 * Threads: a compressor belongs to one; decompress any.
 * Bounds: decompress stops at bytes_max, so that a small hostile body cannot fill the memory.
 * Errors: DATA for bytes that are no such stream or too many, RETRY when there is no memory, FATAL when a library refuses. */
#ifndef LUADUCT_MAXCOMPUTE_COMPRESS_H
#define LUADUCT_MAXCOMPUTE_COMPRESS_H

#include "util/buffer.h"
#include "util/error.h"

enum compression { COMPRESSION_DEFLATE, COMPRESSION_ZSTD, COMPRESSION_NONE };

struct compressor;
struct compressor *compressor_new(enum compression compression) MUST_USE;
void compressor_free(struct compressor *compressor);
/* A body is begun, fed piece by piece (chunks need not be joined first), and ended; output is appended. */
bool compressor_begin(struct compressor *compressor, struct buffer *output, struct error *error) MUST_USE;
bool compressor_feed(struct compressor *compressor, struct str piece, struct buffer *output, struct error *error) MUST_USE;
bool compressor_end(struct compressor *compressor, struct buffer *output, struct error *error) MUST_USE;
/* "deflate", "zstd", or NULL for none. */
const char *compression_name(enum compression compression);
/* Which library makes deflate: "isa-l" or "zlib". */
const char *compression_library(void);

/* encoding: a Content-Encoding value; "" and "identity" pass the bytes. Unknown ones are an error that names it. */
bool decompress(struct str encoding, struct str body, size_t bytes_max, struct buffer *output, struct error *error) MUST_USE;

#endif
