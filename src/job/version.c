/* version.c: both files are compared as trees, since the struct does not say by which keys it was made. */
#include "job/version.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "util/file.h"

static const char *const live_keys[] = {
    "stages", "time_zone", "dirty.max", "dirty.file_bytes_max", "dirty.bytes_max", "log.level", "reload",
};

/* --- the hash --- */

static void hash_text(EVP_MD_CTX *hash, struct str text)
{
    uint64_t size = text.size;

    EVP_DigestUpdate(hash, &size, sizeof(size));
    EVP_DigestUpdate(hash, text.data ? text.data : "", text.size);
}

static void hash_tree(EVP_MD_CTX *hash, const struct tree_node *node)
{
    char kind = node ? (char)('0' + node->kind * 2 + node->quoted) : '-';

    EVP_DigestUpdate(hash, &kind, 1);
    if (!node)
        return;
    if (node->kind == TREE_SCALAR)
        hash_text(hash, node->text);
    for (size_t i = 0; i < node->count; i++) {
        if (node->kind == TREE_MAP)
            hash_text(hash, node->entries[i].key);
        hash_tree(hash, node->kind == TREE_MAP ? node->entries[i].value : node->items[i]);
    }
    EVP_DigestUpdate(hash, "]", 1);
}

void job_version(const struct job *job, char version[JOB_VERSION_MAX])
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    size_t directory = strcmp(job->directory, ".") == 0 ? 0 : strlen(job->directory) + 1;
    unsigned char digest[EVP_MAX_MD_SIZE];
    const char *path;
    struct str text;

    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
        stop_out_of_memory("the hash of a job");
    hash_tree(hash, tree_get(job->tree, "stages"));
    hash_text(hash, job->time_zone ? str_of(job->time_zone) : STR_NONE);
    for (size_t i = 0; file_set_get(job->files, i, &path, &text); i++) {
        if (!text.data)
            continue;
        /* Relative to the job, so that the same job has the same version wherever it lies. */
        hash_text(hash, str_of(directory && strncmp(path, job->directory, directory - 1) == 0 && path[directory - 1] == '/'
                                   ? path + directory
                                   : path));
        hash_text(hash, text);
    }
    EVP_DigestFinal_ex(hash, digest, NULL);
    EVP_MD_CTX_free(hash);
    for (size_t i = 0; i < (JOB_VERSION_MAX - 1) / 2; i++)
        snprintf(version + 2 * i, 3, "%02x", digest[i]);
}

/* --- the differences --- */

static bool same_tree(const struct tree_node *a, const struct tree_node *b)
{
    struct str text_a, text_b;

    if (!a || !b || a->kind != b->kind || a->count != b->count)
        return a == b;
    text_a = a->written.data ? a->written : a->text;
    text_b = b->written.data ? b->written : b->text;
    if (a->kind == TREE_SCALAR)
        return a->quoted == b->quoted && str_equal(text_a, text_b);
    for (size_t i = 0; i < a->count; i++) {
        if (a->kind == TREE_LIST && !same_tree(a->items[i], b->items[i]))
            return false;
        if (a->kind == TREE_MAP &&
            (!str_equal(a->entries[i].key, b->entries[i].key) || !same_tree(a->entries[i].value, b->entries[i].value)))
            return false;
    }
    return true;
}

static bool is_live(const char *path)
{
    for (size_t i = 0; i < COUNT_OF(live_keys); i++)
        if (strcmp(path, live_keys[i]) == 0)
            return true;
    return false;
}

static void note(struct job_changes *changes, const char *path)
{
    if (is_live(path))
        changes->live = true;
    else
        buffer_print(&changes->fixed, "%s%s", changes->fixed.size ? ", " : "", path);
}

/* prefix ends with a dot, or is empty. The keys are zero-terminated (yaml.c). */
static void compare_maps(struct job_changes *changes, const char *prefix, const struct tree_node *a, const struct tree_node *b,
                         unsigned depth)
{
    const struct tree_node *sides[] = {a, b};

    for (size_t side = 0; side < COUNT_OF(sides); side++) {
        const struct tree_node *map = sides[side], *other = sides[!side];

        for (size_t i = 0; map && map->kind == TREE_MAP && i < map->count; i++) {
            const struct tree_node *value = map->entries[i].value;
            const struct tree_node *its = other && other->kind == TREE_MAP ? tree_get(other, map->entries[i].key.data) : NULL;
            char path[200];

            if ((side == 1 && its) || same_tree(value, its))
                continue;
            snprintf(path, sizeof(path), "%s%.*s", prefix, STR_ARG(map->entries[i].key));
            /* A map that is not there is one without keys: `dirty: {max: 5}` differs from nothing by dirty.max. */
            if (value->kind == TREE_MAP && (!its || its->kind == TREE_MAP) && depth && !is_live(path)) {
                snprintf(path, sizeof(path), "%s%.*s.", prefix, STR_ARG(map->entries[i].key));
                compare_maps(changes, path, value, its, depth - 1);
            } else {
                note(changes, path);
            }
        }
    }
}

static void compare_datasource(struct job_changes *changes, const struct job *running, const struct job *wanted, const char *kind,
                               const char *name)
{
    char prefix[200];

    if (!name)
        return;
    snprintf(prefix, sizeof(prefix), "(data source) %s.%s.", kind, name);
    compare_maps(changes, prefix, tree_get(tree_get(running->datasources_tree, kind), name),
                 tree_get(tree_get(wanted->datasources_tree, kind), name), 1);
}

void job_compare(const struct job *running, const struct job *wanted, struct job_changes *changes_out)
{
    enum { DEPTH = 3 };

    changes_out->live = false;
    buffer_init(&changes_out->fixed, 0);
    compare_maps(changes_out, "", running->tree, wanted->tree, DEPTH);
    compare_datasource(changes_out, running, wanted, "kafka", running->source.kafka.name);
    compare_datasource(changes_out, running, wanted, "maxcompute", running->target.maxcompute.name);
    if (running->dirty.kafka.name && strcmp(running->dirty.kafka.name, running->source.kafka.name) != 0)
        compare_datasource(changes_out, running, wanted, "kafka", running->dirty.kafka.name);
}

void job_changes_release(struct job_changes *changes)
{
    buffer_release(&changes->fixed);
}

bool job_files_changed(const struct job *job)
{
    bool changed = false;
    const char *path;
    struct str text;

    for (size_t i = 0; !changed && file_set_get(job->files, i, &path, &text); i++)
        changed = !file_holds(path, text);
    return changed;
}
