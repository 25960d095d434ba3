/* yaml.h: a YAML file as a tree of values with their places (util/tree.h).
 * A job file is data: anchors, aliases, merge keys, tags and several documents are refused, so are keys that occur twice.
 * Bounds: 4 MiB a file, 32 levels, 4,096 keys a map.
 * Ownership: tree_free on the root. Threads: any, no state. */
#ifndef LUADUCT_JOB_YAML_H
#define LUADUCT_JOB_YAML_H

#include "job/report.h"
#include "util/tree.h"

/* Reads the file; what is wrong goes to report. Locations borrow path, which must live as long as the tree. The tree may be set
 * although false is returned (a key that occurs twice), so that the rest can be checked as well; it is NULL when nothing could
 * be read. Its root is a map then. */
bool yaml_read(struct tree_node **root_out, const char *path, struct report *report) MUST_USE;

#endif
