/* trust.h: the certificates that a file names as trusted, held in memory and read again when the file changes.
 * In memory, for libcurl keeps what it read from a file for a day; and the bytes are part of what it compares before it takes a
 * kept connection or a TLS session, so that those of an older trust are left alone. A file that is broken while it is being
 * replaced changes nothing. Ownership: trust_free. Threads: one owner.
 * Errors: FATAL, with the file. */
#ifndef LUADUCT_MAXCOMPUTE_TRUST_H
#define LUADUCT_MAXCOMPUTE_TRUST_H

#include "util/error.h"
#include "util/log.h"
#include "util/str.h"

struct trust;

struct trust *trust_new(const char *path, struct log *log) MUST_USE;
void trust_free(struct trust *trust);
/* The file's bytes (PEM), borrowed until the next call; absent: it was never right, and the error (FATAL) says why. */
struct str trust_get(struct trust *trust, struct error *error);
/* Whether the file can be read and has certificates in it. */
bool trust_check(const char *path, struct error *error) MUST_USE;

#endif
