/* machine.c: a file that is not there, or not understood, is no limit. */
#include "util/machine.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

/* The first line that begins with prefix, without it and without the line's end. */
static bool line_read(const char *path, const char *prefix, char line[LINE_MAX_BYTES])
{
    FILE *file = fopen(path, "re");
    bool found = false;

    while (file && !found && fgets(line, LINE_MAX_BYTES, file)) {
        found = strncmp(line, prefix, strlen(prefix)) == 0;
        if (found) {
            memmove(line, line + strlen(prefix), strlen(line + strlen(prefix)) + 1);
            line[strcspn(line, "\n")] = '\0';
        }
    }
    if (file)
        fclose(file);
    return found;
}

static void memory_limit(struct machine *machine, int64_t bytes)
{
    if (bytes > 0 && (!machine->memory_bytes || bytes < machine->memory_bytes))
        machine->memory_bytes = bytes;
}

/* One group: "max 100000" or "150000 100000" (microseconds of a period), "max" or bytes. */
static void group_read(struct machine *machine, const char *folder)
{
    char *cpu = xasprintf("%s/cpu.max", folder), *memory = xasprintf("%s/memory.max", folder);
    char line[LINE_MAX_BYTES];
    int64_t quota, period, bytes;

    if (line_read(cpu, "", line) && sscanf(line, "%" SCNd64 " %" SCNd64, &quota, &period) == 2 && quota > 0 && period > 0) {
        int64_t cores = (quota + period - 1) / period;

        if (cores < machine->cores)
            machine->cores = (unsigned)cores;
    }
    if (line_read(memory, "", line) && sscanf(line, "%" SCNd64, &bytes) == 1)
        memory_limit(machine, bytes);
    free(cpu);
    free(memory);
}

/* The group of this process and all above it: each of them limits. */
static void groups_read(struct machine *machine, const char *root)
{
    char *own = xasprintf("%s/proc/self/cgroup", root), group[LINE_MAX_BYTES] = "";

    (void)line_read(own, "0::", group);
    free(own);
    for (;;) {
        char *folder = xasprintf("%s/sys/fs/cgroup%s", root, strcmp(group, "/") == 0 ? "" : group), *slash;

        group_read(machine, folder);
        free(folder);
        slash = strrchr(group, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
}

void machine_read(struct machine *machine_out, const char *root)
{
    char *meminfo = xasprintf("%s/proc/meminfo", root), line[LINE_MAX_BYTES];
    cpu_set_t set;
    int64_t kib;

    *machine_out = (struct machine){.cores = 1};
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        machine_out->cores = (unsigned)CPU_COUNT(&set);
    else if (sysconf(_SC_NPROCESSORS_ONLN) > 0)
        machine_out->cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (line_read(meminfo, "MemTotal:", line) && sscanf(line, "%" SCNd64, &kib) == 1)
        memory_limit(machine_out, kib << 10);
    free(meminfo);
    groups_read(machine_out, root);
}
