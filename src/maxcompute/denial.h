/* denial.h: why the service does not let a request in, from its answer, and what a person has to look at (protocol section 1.6).
 * Ownership: everything is borrowed. Threads: any, no state. */
#ifndef LUADUCT_MAXCOMPUTE_DENIAL_H
#define LUADUCT_MAXCOMPUTE_DENIAL_H

#include "maxcompute/credentials.h"
#include "maxcompute/service_error.h"
#include "maxcompute/skew.h"

enum denial {
    DENIAL_NONE,    /* the error has nothing to do with credentials */
    DENIAL_CLOCK,   /* the request's time is too far from the service's */
    DENIAL_EXPIRED, /* the token or the request has run out */
    DENIAL_WRONG,   /* key, token or signature */
    DENIAL_RIGHTS,  /* known, but not allowed to */
    DENIAL_UNCLEAR, /* a 403 without a known code */
};

enum denial denial_of(const struct service_error *service, int status);
/* Whether other credentials could help. */
bool denial_renews(enum denial denial);
enum { DENIAL_TEXT_MAX = 700 };
/* The end of a sentence. Not of NONE. */
const char *denial_advise(enum denial denial, const struct credentials *credentials, const struct skew *skew,
                          char text[DENIAL_TEXT_MAX]);

#endif
