/* SQLite, as the amalgamation made from its Debian source, on a script of tables, indexes, joins,
 * aggregates and texts in memory. It stands alone: no file system, and its heap is an array, so
 * that every engine and the native build do the same work and need no imports. */
#include "bench.h"

#define SQLITE_OS_OTHER               1
#define SQLITE_THREADSAFE             0
#define SQLITE_TEMP_STORE             3
#define SQLITE_DEFAULT_MEMSTATUS      0
#define SQLITE_ENABLE_MEMSYS5         1
#define SQLITE_OMIT_LOAD_EXTENSION    1
#define SQLITE_OMIT_LOCALTIME         1
#define SQLITE_OMIT_WAL               1
#define SQLITE_OMIT_SHARED_CACHE      1
#define SQLITE_OMIT_DEPRECATED        1
#define SQLITE_OMIT_PROGRESS_CALLBACK 1
#define SQLITE_API                    static
#define SQLITE_EXTERN                 static
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "sqlite3.c"

static const char *const script[] = {
    "CREATE TABLE host(id INTEGER PRIMARY KEY, name TEXT, net INTEGER)",
    "CREATE TABLE flow(id INTEGER PRIMARY KEY, host INTEGER, port INTEGER, bytes INTEGER, note "
    "TEXT)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
    " INSERT INTO host SELECT i, 'host-' || (i * 7919 % 1000), i % 16 FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
    " INSERT INTO flow SELECT i, i * 48271 % 400 + 1, i * 69621 % 1024, i * 16807 % 65537,"
    " hex(i * 40692) || '/' || substr('abcdefghijklmnop', i % 11, 5) FROM n",
    "CREATE INDEX flow_host ON flow(host, port)",
    "CREATE INDEX host_name ON host(name)",
    "SELECT net, count(*), sum(bytes), max(note) FROM flow JOIN host ON host.id = flow.host"
    " GROUP BY net ORDER BY 3 DESC",
    "SELECT name, (SELECT count(*) FROM flow WHERE flow.host = host.id AND port < 128) AS c"
    " FROM host WHERE c > 1 ORDER BY c DESC, name LIMIT 20",
    "UPDATE flow SET bytes = bytes + port, note = upper(note) || port WHERE port BETWEEN 100 AND "
    "400",
    "SELECT count(*), sum(length(note)), min(note) FROM flow WHERE note LIKE '%CDE%' OR note GLOB "
    "'*gh*'",
    "SELECT port / 64, group_concat(id % 10, '') FROM (SELECT * FROM flow ORDER BY bytes, id LIMIT "
    "500)"
    " GROUP BY 1",
    "DELETE FROM flow WHERE id % 3 = 0 OR host IN (SELECT id FROM host WHERE name LIKE 'host-1%')",
    "SELECT count(DISTINCT port), total(bytes) < 1e9, sum(CASE WHEN bytes & 1 THEN port ELSE -1 "
    "END)"
    " FROM flow",
    "SELECT a.name, b.name FROM host a JOIN host b ON a.name = b.name AND a.id < b.id ORDER BY 1 "
    "LIMIT 50",
    "PRAGMA integrity_check",
};

/* All of an operating system that a database in memory asks for. */
static int no_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs, (void)name, (void)flags, (void)out;
    file->pMethods = NULL;
    return SQLITE_CANTOPEN;
}
static int full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}
static int randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    memset(out, 7, (size_t)size);
    return size;
}
static int no_time(sqlite3_vfs *vfs, double *now)
{
    (void)vfs;
    *now = 2460000.5;
    return SQLITE_OK;
}
static sqlite3_vfs nothing = {.iVersion = 1,
                              .szOsFile = sizeof(sqlite3_file),
                              .mxPathname = 64,
                              .zName = "nothing",
                              .xOpen = no_file,
                              .xFullPathname = full_path,
                              .xRandomness = randomness,
                              .xCurrentTime = no_time};

int sqlite3_os_init(void)
{
    return sqlite3_vfs_register(&nothing, 1);
}
int sqlite3_os_end(void)
{
    return SQLITE_OK;
}

static uint32_t execute(sqlite3 *db, const char *sql, uint32_t sum)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return 0;
    int state;
    while ((state = sqlite3_step(statement)) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            for (const unsigned char *c = sqlite3_column_text(statement, i); c && *c; c++)
                sum = mix(sum, *c);
    sqlite3_finalize(statement);
    return state == SQLITE_DONE ? mix(sum, (uint32_t)sqlite3_changes(db)) : 0;
}

EXPORT
{
    static _Alignas(16) char heap[8 << 20];
    static int configured;
    if (!configured++)
        sqlite3_config(SQLITE_CONFIG_HEAP, heap, sizeof heap, 32);
    uint32_t sum = 1;
    for (uint32_t n = 0; n < rounds; n++) {
        sqlite3 *db;
        if (sqlite3_open(":memory:", &db) != SQLITE_OK)
            return 0;
        for (size_t i = 0; i < sizeof script / sizeof *script; i++)
            sum = execute(db, script[i], sum);
        sqlite3_close(db);
    }
    return sum;
}
