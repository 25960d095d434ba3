/* fake_server.h: an HTTP server on loopback that gives scripted answers in order and keeps the requests.
 * Ownership: the server copies nothing of the script: it must live as long. Requests belong to the server.
 * Threads: one of its own serves; the functions may be called from the test's thread at any time. */
#ifndef LUADUCT_TESTS_SUPPORT_FAKE_SERVER_H
#define LUADUCT_TESTS_SUPPORT_FAKE_SERVER_H

#include "util/buffer.h"

enum fake_cut {
    FAKE_WHOLE,
    FAKE_CUT_ANSWER,  /* takes the request, closes without a byte */
    FAKE_CUT_BODY,    /* closes after half of the answer's body */
    FAKE_CUT_REQUEST, /* closes when the request's headers are there, its body unread */
};

struct fake_answer {
    int status;
    const char *headers; /* complete lines with \r\n, or NULL */
    const char *body;    /* or NULL */
    enum fake_cut cut;
    const char *only;    /* given only to a request whose target has this text in it; NULL: to any. For requests that come at the
                          * same time, in any order */
};

struct fake_request {
    char *method;
    char *target;  /* as in the request line */
    char *headers; /* complete lines with \r\n */
    char *body;    /* zero-terminated */
    size_t body_size;
};

struct fake_server;

/* Each request gets the first answer that fits and was not given yet. A request beyond the script is answered with 418. */
struct fake_server *fake_server_new(const struct fake_answer *answers, size_t count) MUST_USE;
void fake_server_free(struct fake_server *server);
unsigned fake_server_port(const struct fake_server *server);
size_t fake_server_count(struct fake_server *server);
/* NULL when there were fewer. */
const struct fake_request *fake_server_request(struct fake_server *server, size_t index);

#endif
