/* version.c: `luaduct version`: what this binary is made of, for bug reports. */
#include <curl/curl.h>
#include <librdkafka/rdkafka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <yyjson.h>

#include "cli/cli.h"
#include "maxcompute/compress.h"
#include "util/base.h"

int cli_version(int argc UNUSED, char **argv UNUSED)
{
    printf("luaduct %s\n", LUADUCT_VERSION);
    printf("librdkafka %s, libcurl %s, yyjson %s, SQLite %s, deflate by %s\n", rd_kafka_version_str(),
           curl_version_info(CURLVERSION_NOW)->version, YYJSON_VERSION_STRING, sqlite3_libversion(), compression_library());
    return EXIT_OK;
}
