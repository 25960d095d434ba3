/* resolve.h: ${env:NAME} and ${file:PATH} in the scalars of a tree, so that secrets stay out of job files.
 * "$${" stands for a plain "${". Below `stages` of a job file, ${job} and the other variables of expressions stay as they are
 * written (expression/expression.h) in `condition`, `expression` and `options`, and are mistakes elsewhere; in `with` beside
 * `find` and regex: true, ${name} and $$ stay: they are the pattern's (a stage of kind replace).
 *
 * Ownership: new texts belong to the tree, or to the caller's buffer; path_join's is the caller's. Threads: one owner of the
 * tree.
 *
 * Errors: CONFIG, in the report with its place; no value is part of a text. */
#ifndef LUADUCT_JOB_RESOLVE_H
#define LUADUCT_JOB_RESOLVE_H

#include "job/report.h"
#include "util/tree.h"

/* Replaces them in every scalar below node, which keeps what was written there. Paths are relative to directory. Unset variables,
 * unreadable files and other kinds are mistakes; such a scalar stays as written. */
void resolve_tree(struct tree_node *node, const char *directory, struct report *report);
/* The same for one text, as it is written; for reading it anew when the files have changed. */
bool resolve_text(struct str written, const char *directory, struct buffer *text, struct error *error) MUST_USE;
/* Calls `found` with the path, as seen from directory, of each file that the text names. */
void resolve_files(struct str written, const char *directory, void (*found)(void *arg, const char *path), void *arg);
/* Whether the scalar is one that could not be resolved: it was told already, and its text says nothing about the value. */
static inline bool resolve_failed(const struct tree_node *node)
{
    return node->written.data && str_equal(node->written, node->text);
}
/* The path as seen from directory, on the heap: absolute ones stay. */
char *path_join(const char *directory, struct str path) MUST_USE;

#endif
