/* signals.h: SIGINT and SIGTERM as a request to drain; the second one ends the process at once (nothing is lost: offsets that are
 * not committed are read again). SIGHUP asks for new code, as for daemons; not where standard error is a terminal, whose end it
 * means then. A thread waits for them, so that no code runs inside a signal handler.
 * Ownership: one a process; signals_end joins its thread, arg is borrowed until then. Threads: signals_block before the first
 * thread is made, all calls on the main thread. */
#ifndef LUADUCT_CLI_SIGNALS_H
#define LUADUCT_CLI_SIGNALS_H

void signals_block(void);
/* Calls stop(arg) on the first signal, and reload(arg) on each SIGHUP (NULL: one stops as well), from the signal
 * thread. */
void signals_start(void (*stop)(void *arg), void (*reload)(void *arg), void *arg);
/* Nothing is called any more after this returns. */
void signals_end(void);

#endif
