/* job_file.c: any text as a job file and as the file of data sources beside it.
 * Input: the job, the separator, the data sources. Either both are right, or there are mistakes, which have their places inside the
 * files and print as text. The two files lie in a folder of the process, and the input may name others only below it. */
#include "fuzz.h"

#include "job/job.h"
#include "util/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], paths[2][96];
static int files[2];

/* Told secrets stay for the life of a process: a few of them are enough, or later inputs would slow down and print otherwise. The
 * linker puts this one in the place of log_secret. */
void __wrap_log_secret(const char *text);
void __real_log_secret(const char *text);
void __wrap_log_secret(const char *text)
{
    static int told;

    if (told < 32 && strncmp(text, "secret", 6) == 0)
        __real_log_secret(text), told++;
}

static void folder_remove(void)
{
    for (int i = 0; i < 2; i++)
        unlink(paths[i]);
    rmdir(folder);
}

static void folder_make(void)
{
    snprintf(folder, sizeof(folder), "/tmp/luaduct_fuzz_XXXXXX");
    if (!mkdtemp(folder))
        abort();
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%s.yaml", folder, i ? "datasources" : "job");
        files[i] = open(paths[i], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (files[i] < 0)
            abort();
    }
    atexit(folder_remove);
}

static void file_write(int file, struct str text)
{
    if (ftruncate(file, 0) != 0 || pwrite(file, text.data, text.size, 0) != (ssize_t)text.size)
        abort();
}

/* The column may be the one behind the last character; the line of an empty file is the first. */
static void check_place(const char *place, struct str text)
{
    char *end;
    unsigned long line = strtoul(place, &end, 10), column;
    struct str rest = text, current = STR("");
    size_t characters = 0;

    if (*end != ':')
        return;
    column = strtoul(end + 1, NULL, 10);
    FUZZ_CLAIM(line >= 1 && column >= 1, "a place counts from 1: %.40s", place);
    for (unsigned long i = 0; i < line; i++) {
        FUZZ_CLAIM(rest.data, "line %lu is behind the end", line);
        str_cut(rest, '\n', &current, &rest);
    }
    for (size_t i = 0; i < current.size; i++)
        characters += ((unsigned char)current.data[i] & 0xC0) != 0x80;
    FUZZ_CLAIM(column <= characters + 1, "line %lu has %zu characters, column %lu is named", line, characters, column);
}

static void check_report(const struct report *report, const struct str *texts)
{
    struct buffer printed;
    struct str rest, line;

    buffer_init(&printed, 0);
    report_print(report, &printed);
    FUZZ_CLAIM(str_is_utf8(buffer_str(&printed)), "the report is no UTF-8");
    FUZZ_CLAIM((printed.size > 0) == (report_mistakes(report) + report_warnings(report) > 0), "an empty report");
    if (getenv("FUZZ_PRINT"))
        fprintf(stderr, "%s", buffer_text(&printed));
    rest = buffer_str(&printed);
    while (rest.data) {
        str_cut(rest, '\n', &line, &rest);
        for (int i = 0; i < 2; i++) {
            size_t size = strlen(paths[i]);

            if (line.size > size + 1 && memcmp(line.data, paths[i], size) == 0 && line.data[size] == ':' &&
                (unsigned char)(line.data[size + 1] - '0') < 10)
                check_place(line.data + size + 1, texts[i]);
        }
    }
    buffer_release(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size), texts[2] = {STR(""), STR("")};
    struct report *report;
    struct job *job = NULL;
    bool ok;

    if (!folder[0])
        folder_make();
    if (memmem(data, size, "${file:/", 8) || memmem(data, size, "..", 2))
        return -1; /* other files */
    for (int i = 0; i < 2 && fuzz_part(&rest, &texts[i]); i++)
        ;
    for (int i = 0; i < 2; i++)
        file_write(files[i], texts[i]);
    report = report_new();
    ok = job_load(&job, paths[0], paths[1], report);
    FUZZ_CLAIM(ok == (report_mistakes(report) == 0), "%u mistakes", report_mistakes(report));
    FUZZ_CLAIM(!ok || (job && job->name && job->source.topic && job->target.table), "a job without a name, topic or table");
    check_report(report, texts);
    job_free(job);
    report_free(report);
    return 0;
}
