/* compress.h: bodies as Content-Encoding names them (protocol section 6.7).
 * Deflate is the zlib container, level 1 by isa-l where the build has it, else zlib. Decoding knows deflate and zstd.
 * Ownership: a compressor is reused for block after block and belongs to one thread (its state is some 300 kB).
 * Bounds: decompress stops at bytes_max, so that a small hostile body cannot fill the memory. */
#ifndef LUADUCT_MAXCOMPUTE_COMPRESS_H
#define LUADUCT_MAXCOMPUTE_COMPRESS_H

#include "util/buffer.h"
#include "util/error.h"

enum compression { COMPRESSION_NONE, COMPRESSION_DEFLATE };

struct compressor;
struct compressor *compressor_new(enum compression compression) MUST_USE;
void compressor_free(struct compressor *compressor);
/* A body is begun, fed piece by piece (chunks need not be joined first), and ended; output is appended. */
bool compressor_begin(struct compressor *compressor, struct buffer *output, struct error *error) MUST_USE;
bool compressor_feed(struct compressor *compressor, struct str piece, struct buffer *output, struct error *error) MUST_USE;
bool compressor_end(struct compressor *compressor, struct buffer *output, struct error *error) MUST_USE;
/* "deflate", or NULL for none. */
const char *compression_name(enum compression compression);
/* Which library does it: "isa-l" or "zlib". */
const char *compression_library(void);

/* encoding: a Content-Encoding value; "" and "identity" pass the bytes. Unknown ones are an error that names it. */
bool decompress(struct str encoding, struct str body, size_t bytes_max, struct buffer *output, struct error *error) MUST_USE;

#endif
