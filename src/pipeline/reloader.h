/* reloader.h: the thread that gets a job new code while it runs: it watches the files, hears `luaduct reload` and the signal HUP,
 * tries new code in the shadow of the old (shadow.h), and hands it to the hub, which swaps it in (hub_reload.c).
 * Ownership: reloader_stop frees; it keeps references of versions. Threads: start, stop, next, answer, retire and replace are the
 * hub's; poke is any thread's. Stages' open, save and close of retired code run on the reloader's thread, not on the hub's.
 * Time: files are looked at every second, and a change is taken when it was there at two looks (and later while a file is
 * missing, as in the middle of a checkout). Errors: what is refused is logged, counted, and told to whoever asked. */
#ifndef LUADUCT_PIPELINE_RELOADER_H
#define LUADUCT_PIPELINE_RELOADER_H

#include "pipeline/shadow.h"
#include "pipeline/stats.h"

struct reloader;

struct reloader_options {
    struct shadow_options shadow; /* its log is made here: a child of the one below */
    struct code *running;         /* a reference is taken */
    struct stats *stats;
    void (*wake)(void *arg); /* the hub: reloader_next has something; may wake a waiter and do nothing else */
    void *wake_arg;
    struct log *log;
};

struct reloader *reloader_start(const struct reloader_options *options) MUST_USE;
/* False: the thread is inside of a C function that does not come back; nothing may be freed, and the process has to end. */
bool reloader_stop(struct reloader *reloader) MUST_USE;
/* Look now, as for a command. */
void reloader_poke(struct reloader *reloader);
/* A version that passed, with its reference and what is to be said of it; NULL: none. The hub owes an answer to each. */
struct code *reloader_next(struct reloader *reloader, struct buffer *said) MUST_USE;
/* What became of the newest offer. */
void reloader_answer(struct reloader *reloader, bool accepted, const char *text);
/* What runs from now on, without an offer: the hub went back to it. */
void reloader_running(struct reloader *reloader, struct code *code);
/* A list of runners that nobody uses any more. */
void reloader_retire(struct reloader *reloader, struct runner *runners);
/* Whether new code has been tried for so long that it will not come back. */
bool reloader_is_stuck(struct reloader *reloader, int64_t now_ms);
/* Another thread goes on with the files, the socket and the retired runners; whoever asked for what is being tried is told why.
 * The stuck thread is left to itself: it holds the memory of its trial, and reloader_stop answers for it as well. False: it is
 * not stuck any more. */
bool reloader_replace(struct reloader **reloader, const char *why) MUST_USE;

#endif
