/* automatic_test.c: what a machine is told to be, and what runtime.auto makes of machines. */
#include "pipeline/automatic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pipeline/budget.h"

#define MIB(n) ((int64_t)(n) << 20)
#define GIB(n) ((int64_t)(n) << 30)

static void file_write(const char *root, const char *path, const char *text)
{
    char *full = xasprintf("%s/%s", root, path);
    FILE *file;

    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(full);
}

static struct machine machine_of(const char *group, const char *cpu_above, const char *cpu, const char *memory_above, const char *memory)
{
    char root[] = "/tmp/machine_test.XXXXXX", command[64];
    struct machine machine;

    assert_non_null(mkdtemp(root));
    file_write(root, "proc/meminfo", "MemTotal:       8388608 kB\nMemFree: 1 kB\n");
    if (group)
        file_write(root, "proc/self/cgroup", group);
    file_write(root, "sys/fs/cgroup/a/cpu.max", cpu_above);
    file_write(root, "sys/fs/cgroup/a/b/cpu.max", cpu);
    file_write(root, "sys/fs/cgroup/a/memory.max", memory_above);
    file_write(root, "sys/fs/cgroup/a/b/memory.max", memory);
    machine_read(&machine, root);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    assert_int_equal(system(command), 0);
    return machine;
}

static void test_machine(void **state)
{
    struct machine here, machine;

    (void)state;
    machine_read(&here, "");
    assert_true(here.cores >= 1);
    assert_true(here.memory_bytes > MIB(64));

    machine = machine_of(NULL, "10000 100000", "10000 100000", "1", "1");
    assert_int_equal(machine.memory_bytes, GIB(8)); /* another group's limits are not ours */
    machine = machine_of("1:cpu:/x\n0::/a/b\n", "max 100000", "max 100000", "max", "max");
    assert_int_equal(machine.memory_bytes, GIB(8));
    machine = machine_of("0::/a/b\n", "50000 100000", "max 100000", "1073741824", "max");
    assert_int_equal(machine.cores, 1); /* half a core is one, and the group above limits too */
    assert_int_equal(machine.memory_bytes, GIB(1));
    machine = machine_of("0::/a/b\n", "max 100000", "100000 100000", "4294967296", "536870912");
    assert_int_equal(machine.cores, 1);
    assert_int_equal(machine.memory_bytes, MIB(512));
    machine = machine_of("0::/a/b\n", "nonsense", "", "-1", "nonsense");
    assert_int_equal(machine.memory_bytes, GIB(8));
}

static char path_text[] = "job.yaml", name_text[] = "orders", project_text[] = "p", table_text[] = "t", day_text[] = "day", format_text[] = "yyyyMMdd";
static struct job_partition day = {.name = day_text, .kind = PARTITION_TIME, .format = format_text};
static struct tree_node nothing = {.kind = TREE_MAP};

static struct job job_make(void)
{
    return (struct job){
        .path = path_text,
        .name = name_text,
        .tree = &nothing,
        .target = {.maxcompute = {.project = project_text}, .table = table_text, .partitions = &day, .partition_count = 1, .partitions_open_max = 32,
                   .quota_share = 100},
        .runtime = {.automatic = true, .workers = 1, .batch_rows = 1024, .flush_interval_ms = 60000, .flush_bytes = MIB(16), .memory_max = MIB(256),
                    .uploads_in_flight = 4, .lua_memory_max = MIB(64)},
    };
}

static void test_derived(void **state)
{
    static const struct {
        struct machine machine;
        unsigned partitions, open_max;
        int share;
        unsigned workers, uploads;
        int64_t memory_mib, block_mib, interval_s;
    } cases[] = {
        {{1, GIB(1)}, 0, 32, 100, 1, 4, 256, 20, 60},
        {{2, GIB(24)}, 12, 32, 100, 1, 4, 256, 20, 60},
        {{4, GIB(16)}, 12, 32, 100, 3, 8, 560, 26, 60},
        {{64, GIB(256)}, 100, 32, 100, 8, 16, 1200, 30, 60},
        {{64, GIB(256)}, 1, 32, 100, 2, 6, 416, 24, 60},  /* two workers a Kafka partition */
        {{64, GIB(1)}, 100, 32, 100, 1, 4, 256, 20, 60},  /* memory for one only */
        {{2, MIB(300)}, 100, 32, 100, 1, 4, 64, 4, 60},   /* the least ceiling there is; check warns of it */
        {{2, GIB(24)}, 12, 200, 100, 1, 4, 256, 20, 120}, /* 200 tenants: sessions ask for longer intervals */
        {{2, GIB(24)}, 12, 200, 33, 1, 4, 256, 20, 364},
        {{2, GIB(24)}, 12, 200, -1, 1, 4, 256, 20, 60},
        {{2, 0}, 12, 32, 100, 1, 4, 256, 20, 60},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct job job = job_make();
        struct budget sum;

        job.target.partitions_open_max = cases[i].open_max;
        job.target.quota_share = cases[i].share;
        automatic_set(&job, &cases[i].machine, cases[i].partitions);
        if (job.runtime.workers != cases[i].workers || job.runtime.uploads_in_flight != cases[i].uploads ||
            job.runtime.memory_max != MIB(cases[i].memory_mib) || job.runtime.flush_bytes != MIB(cases[i].block_mib) ||
            job.runtime.flush_interval_ms != cases[i].interval_s * 1000)
            fail_msg("case %zu: workers %u, uploads %u, memory %lld MiB, blocks %lld MiB, interval %lld s", i, job.runtime.workers,
                     job.runtime.uploads_in_flight, (long long)job.runtime.memory_max >> 20, (long long)job.runtime.flush_bytes >> 20,
                     (long long)job.runtime.flush_interval_ms / 1000);
        /* What is derived does not contradict itself, wherever the machine has the memory. */
        budget(&sum, &job);
        if (cases[i].memory_mib >= 256) {
            assert_true(sum.sum <= sum.memory_max);
            assert_true(sum.chunks >= 0);
        }
        if (sum.sessions_limit)
            assert_true(sum.sessions_asked <= sum.sessions_limit);
        assert_true(job.runtime.flush_bytes <= job.runtime.memory_max / 4);
    }
}

/* What a job writes stays, and the rest is made to fit it. */
static void test_written_values_stay(void **state)
{
    static const struct machine machine = {8, GIB(64)};
    struct str keys[] = {STR("memory_max"), STR("workers")};
    struct tree_node scalar = {.kind = TREE_SCALAR}, runtime = {.kind = TREE_MAP, .count = 2}, top = {.kind = TREE_MAP, .count = 1};
    struct tree_entry entries[] = {{.key = keys[0], .value = &scalar}, {.key = keys[1], .value = &scalar}};
    struct tree_entry top_entry = {.key = STR("runtime"), .value = &runtime};
    struct job job = job_make();
    struct buffer text;

    (void)state;
    runtime.entries = entries;
    top.entries = &top_entry;
    job.tree = &top;
    job.runtime.memory_max = MIB(512);
    job.runtime.workers = 2;
    automatic_set(&job, &machine, 12);
    assert_int_equal(job.runtime.workers, 2);
    assert_int_equal(job.runtime.memory_max, MIB(512));
    assert_int_equal(job.runtime.uploads_in_flight, 6);
    assert_int_equal(job.runtime.flush_bytes, MIB(30));
    buffer_init(&text, 0);
    automatic_print(&job, &machine, 12, &text);
    assert_string_equal(buffer_text(&text), "runtime.auto: 8 cores, 64.0 GiB of memory and 12 Kafka partitions: workers 2*, memory_max 512MiB*, "
                                            "uploads_in_flight 6, flush_bytes 30MiB, flush_interval 60s (* as the job says)");
    buffer_release(&text);

    job.runtime.automatic = false;
    job.runtime.uploads_in_flight = 1;
    automatic_set(&job, &machine, 12);
    assert_int_equal(job.runtime.uploads_in_flight, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_written_values_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
