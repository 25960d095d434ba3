/* file_set.h: texts of files, each as it was when it was first asked for, so that all who ask get the same text: a worker that
 * opens a job's Lua a minute after another one runs the same code, and what was checked is what runs.
 * Ownership: the set owns paths and texts; a text lives as long as the set. Threads: any, one lock.
 * Bounds: who puts a text has bounded it; of paths without one at most FILE_SET_NOTED_MAX are noted. */
#ifndef LUADUCT_UTIL_FILE_SET_H
#define LUADUCT_UTIL_FILE_SET_H

#include "util/str.h"

enum { FILE_SET_NOTED_MAX = 256 };

struct file_set;

struct file_set *file_set_new(void) MUST_USE;
void file_set_free(struct file_set *set);
/* The text that is kept for the path; absent when there is none. */
struct str file_set_find(struct file_set *set, const char *path);
/* Keeps a copy of the text and returns it; the one that was put first wins. An absent text notes that the path was looked for,
 * and gives way to a later one. */
struct str file_set_put(struct file_set *set, const char *path, struct str text);
/* Puts all texts and paths of another set; `only_texts`: not the paths without one. */
void file_set_put_all(struct file_set *set, struct file_set *from, bool only_texts);
/* Path and text (absent: looked for only) of number `index`, by path; false behind the last one. */
bool file_set_get(struct file_set *set, size_t index, const char **path_out, struct str *text_out) MUST_USE;

#endif
