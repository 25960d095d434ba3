/* failure.h: why a request got no answer, in words: certificates that are not trusted and proxies that refuse are named as such,
 * with what to look at.
 * Ownership: everything is borrowed. Threads: any. Errors: FATAL for what another attempt cannot change, else RETRY. No password
 * is part of a text: libcurl names hosts only, and log_secret knows the proxy's. */
#ifndef LUADUCT_MAXCOMPUTE_FAILURE_H
#define LUADUCT_MAXCOMPUTE_FAILURE_H

#include <curl/curl.h>

#include "util/error.h"

/* text: what libcurl wrote about it, or "". */
void failure_describe(CURL *easy, CURLcode result, const char *text, const char *ca_file, struct error *error);
/* An answer that no service gives: 407 comes from a proxy. */
void failure_proxy_login(struct error *error);
/* Tells the log the password of a proxy's address, as it is written and as it is meant; NULL: of those in the environment. */
void failure_proxy_secret(const char *proxy);

#endif
