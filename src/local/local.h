/* local.h: the MaxCompute-compatible endpoint on loopback: one HTTP server for control plane and tunnel, rows in SQLite.
 * It implements protocol/maxcompute.md, not whatever our client sends.
 * Ownership: local_stop frees; options are borrowed for local_start, the log until local_stop. Threads: the server has its
 * own, one a connection; the functions here are the owner's.
 * Bounds: bodies are limited, sessions expire (time passed by the server's clock).
 * Errors: CONFIG for options, FATAL for what the machine does not give. */
#ifndef LUADUCT_LOCAL_LOCAL_H
#define LUADUCT_LOCAL_LOCAL_H

#include "util/buffer.h"
#include "util/error.h"
#include "util/log.h"

struct local;

struct local_options {
    const char *address;     /* "127.0.0.1"; other than loopback is refused */
    unsigned port;           /* 0: any free one */
    const char *database;    /* SQLite file; NULL: in memory */
    const char *project;     /* the project that exists; others are made with it (comma separated) */
    const char *access_id;
    const char *access_key;
    const char *security_token;   /* that requests must carry; NULL: none */
    const char *credentials_path; /* instead of the three above: authority.h; NULL: those */
    const char *tls_certificate, *tls_key; /* PEM files: speaks HTTPS; NULL: HTTP */
    int64_t clock_ms;        /* how far its clock is ahead of the machine's */
    const char *region;      /* V4's region that is accepted; NULL: any */
    bool discard;            /* check rows and CRCs, keep counts only */
    const char *faults_path; /* a faults script; NULL: none */
    const char *second_commit; /* ok, conflict, 5xx: faults.h, whose script goes before; NULL: ok */
    const char *session_life;  /* such as 3s; NULL: 24h */
    const char *quotas;        /* quota.h; NULL: no limits */
    struct log *log;
};

bool local_start(struct local **local_out, const struct local_options *options, struct error *error) MUST_USE;
unsigned local_port(const struct local *local);
void local_stop(struct local *local);

/* For the demo's closing pages: rows and counts straight from the store. Prints partitions with their row counts and some rows of
 * each. */
void local_print_table(struct local *local, const char *project, const char *table, unsigned rows_per_partition,
                       unsigned partitions_max, struct buffer *text);
int64_t local_row_count(struct local *local, const char *project, const char *table);

#endif
