/* word.h: a word of the command line that a command does not take: what is told about it.
 * Ownership: all is borrowed. Threads: the main thread. */
#ifndef LUADUCT_CLI_WORD_H
#define LUADUCT_CLI_WORD_H

#include "util/str.h"

/* Prints on standard error which word of which command (as it is typed behind luaduct) is wrong, and why: an option without its
 * value, one that is nearly one of those in the usage, or a file too many. words: the wrong one and those behind it, with a NULL
 * at their end, as argv has. The options, and whether they take a value, are read out of the usage: "--name" with one blank and
 * no bracket behind it takes one. Returns EXIT_CONFIG. */
int word_refuse(const char *command, char *const *words, const char *usage);

#endif
