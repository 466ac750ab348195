#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
/* Kernels built in worker processes: the same results, and no worker's misfortune is an error. Each test
 * is a process of its own and may set the environment. */
#include "base/tmp.h"
#include "base/util.h"
#include "device/pool.h"
#include "device/wire.h"
#include "testdev.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ITEMS = 64 };
static const struct clv_source two = {
    "two", "kernel void one(global int *x, ulong at, int n)\n{\n"
           "    if ((int)get_global_id(0) < n)\n        x[at + get_global_id(0)] += ADD;\n}\n"
           "kernel void other(global int *x, ulong at, int n, local int *s)\n{\n"
           "    s[get_local_id(0)] = MUL * x[at + get_global_id(0)];\n"
           "    barrier(CLK_LOCAL_MEM_FENCE);\n"
           "    x[at + get_global_id(0)] = s[get_local_size(0) - 1 - get_local_id(0)];\n}\n"};

struct bench {
    char dir[64];
    struct clv_context *ctx;
    struct clv_device *dev;
    struct clv_buffer *buffer;
};

static struct bench open_bench(const char *dir)
{
    struct bench b = {.ctx = NULL};
    if (dir)
        snprintf(b.dir, sizeof(b.dir), "%s", dir);
    else
        tmp_dir(b.dir);
    b.ctx = test_context(b.dir, 0);
    clv_device_share_cache(b.ctx);
    b.dev = test_device(b.ctx, NULL);
    ok(b.ctx, clv_buffer_create(b.dev, 4 * ITEMS, &b.buffer));
    return b;
}

static void close_bench(struct bench *b, bool remove_dir)
{
    clv_buffer_destroy(&b->buffer);
    test_close(&b->ctx, &b->dev);
    if (remove_dir)
        tmp_remove(b->dir);
}

static int builds; /* progress lines */
static int last_build = 1 << 30; /* after so many lines no more is wanted */

static bool on_build(void *priv, const char *what)
{
    snprintf(priv, 200, "%s", what);
    builds += !strncmp(what, "building ", 9);
    return builds >= last_build;
}

/* Three kernels of two programs. */
static void build(struct bench *b, char progress[200])
{
    const struct clv_build_arg args[] = {{CLV_BUILD_BUFFER, b->buffer, clv_buffer_bytes(b->buffer), 0},
                                         {CLV_BUILD_VALUE, NULL, 8, 0},
                                         {CLV_BUILD_VALUE, NULL, 4, ITEMS},
                                         {CLV_BUILD_LOCAL, NULL, 64, 0}};
    const struct clv_build want[] = {
        {&two, "one", "-DADD=3 -DMUL=2", 1, {ITEMS}, {8}, args, 3},
        {&two, "other", "-DADD=3 -DMUL=2", 1, {ITEMS}, {16}, args, 4},
        {&two, "one", "-DADD=7 -DMUL=2", 1, {ITEMS}, {0}, args, 3},
        {&two, "one", "-DADD=3 -DMUL=2", 1, {ITEMS}, {8}, args, 3},
    };
    builds = 0;
    progress[0] = 0;
    clv_device_on_build(b->dev, on_build, progress);
    clv_device_build(b->dev, want, CLV_COUNT(want));
    clv_device_on_build(b->dev, NULL, NULL);
}

static void launch(struct bench *b, const char *name, const char *options, size_t local)
{
    struct clv_kernel *k = NULL;
    const size_t global = ITEMS;
    const cl_ulong at = 0;
    const cl_int n = ITEMS;
    ok(b->ctx, clv_kernel_create(b->dev, &two, name, options, "test", &k));
    ok(b->ctx, clv_kernel_set_buffer(k, 0, b->buffer));
    ok(b->ctx, clv_kernel_set_value(k, 1, sizeof(at), &at));
    ok(b->ctx, clv_kernel_set_value(k, 2, sizeof(n), &n));
    if (!strcmp(name, "other"))
        ok(b->ctx, clv_kernel_set_local(k, 3, 64));
    ok(b->ctx, clv_queue_kernel(b->dev, k, 1, &global, local ? &local : NULL, -1));
    ok(b->ctx, clv_queue_finish(b->dev));
    clv_kernel_destroy(&k);
}

/* Runs the three and checks the numbers; the last local size was not announced. */
static struct clv_program_stats use(struct bench *b)
{
    int x[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        x[i] = i;
    ok(b->ctx, clv_queue_write_wait(b->dev, b->buffer, 0, x, sizeof(x)));
    launch(b, "one", "-DADD=3 -DMUL=2", 8);
    launch(b, "other", "-DADD=3 -DMUL=2", 16);
    launch(b, "one", "-DADD=7 -DMUL=2", 0);
    launch(b, "one", "-DADD=7 -DMUL=2", 32);
    ok(b->ctx, clv_queue_read_wait(b->dev, b->buffer, 0, x, sizeof(x)));
    for (int i = 0; i < ITEMS; i++)
        cr_assert_eq(x[i], 2 * (i / 16 * 16 + 15 - i % 16 + 3) + 14, "item %d", i);
    return clv_device_program_stats(b->dev);
}

static bool has_workers(void)
{
    char *path = clv_pool_find();
    free(path);
    return path != NULL;
}

static void no_folder_is_left(const struct bench *b)
{
    char **names = NULL;
    size_t n = 0;
    cr_assert_eq(clv_dir_list(b->dir, &names, &n, NULL), CLV_OK);
    for (size_t i = 0; i < n; i++)
        cr_expect(!strstr(names[i], "work"), "%s was left", names[i]);
    clv_list_free(names, n);
}

Test(worker, builds_what_is_missing_once)
{
    char progress[200];
    cr_assert(has_workers(), "no clavicle-worker: %s", getenv("CLAVICLE_WORKER"));
    struct bench b = open_bench(NULL);
    build(&b, progress);
    cr_expect_eq(builds, 2);
    cr_expect_str_eq(progress, b.dev->is_pocl ? "building 3 of 3 kernels" : "building 2 of 2 kernels");
    no_folder_is_left(&b);
    const struct clv_program_stats s = use(&b);
    cr_expect_eq(s.built, 0);
    cr_expect_eq(s.loaded, 2);
    build(&b, progress);
    cr_expect_eq(builds, 0, "%s", progress);
    close_bench(&b, false);
    /* The next process finds it all, too; in PoCL's case also that the folder's own seal holds. */
    b = open_bench(b.dir);
    build(&b, progress);
    cr_expect_eq(builds, 0, "%s", progress);
    cr_expect_eq(use(&b).loaded, 2);
    close_bench(&b, true);
}

Test(worker, no_more_is_wanted)
{
    char progress[200];
    struct bench b = open_bench(NULL);
    last_build = 1;
    build(&b, progress);
    cr_expect_eq(builds, 1, "%s", progress);
    no_folder_is_left(&b);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a child was left");
    cr_expect_eq(use(&b).built, 2, "what was cut short counts as nothing");
    close_bench(&b, true);
}

/* What PoCL keeps may be gone while our entries are there. */
Test(worker, a_driver_that_lost_its_cache)
{
    char progress[200], pocl[100];
    struct bench b = open_bench(NULL);
    build(&b, progress);
    close_bench(&b, false);
    snprintf(pocl, sizeof(pocl), "%s/pocl", b.dir);
    tmp_remove(pocl);
    b = open_bench(b.dir);
    const struct clv_program_stats s = use(&b);
    cr_expect_eq(s.built + s.loaded, 2);
    close_bench(&b, true);
}

/* CLAVICLE_WORKER names this text as a program. */
static void with_program(const char *text, double seconds)
{
    char dir[64], progress[200];
    tmp_dir(dir);
    char *path = clv_path_join(dir, "program");
    cr_assert_eq(clv_file_write(path, text, strlen(text), NULL), CLV_OK);
    cr_assert_eq(chmod(path, 0700), 0);
    setenv("CLAVICLE_WORKER", path, 1);
    struct bench b = open_bench(NULL);
    b.dev->worker_seconds = seconds;
    const double begin = clv_now();
    build(&b, progress);
    cr_expect_lt(clv_now() - begin, 30);
    no_folder_is_left(&b);
    cr_expect_eq(use(&b).built, 2);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a child was left");
    close_bench(&b, true);
    free(path);
    tmp_remove(dir);
}

/* A driver that nobody here knows: what its compiler hangs or crashes on is not tried in this process. */
static void unknown_driver(const char *text, enum clv_err want)
{
    char dir[64];
    struct clv_kernel *k = NULL;
    tmp_dir(dir);
    char *path = clv_path_join(dir, "program");
    cr_assert_eq(clv_file_write(path, text, strlen(text), NULL), CLV_OK);
    cr_assert_eq(chmod(path, 0700), 0);
    setenv("CLAVICLE_WORKER", path, 1);
    struct bench b = open_bench(NULL);
    b.dev->worker_seconds = 1;
    b.dev->is_trusted = false;
    for (int i = 0; i < 2; i++) {
        const double begin = clv_now();
        cr_expect_eq(clv_kernel_create(b.dev, &two, "one", "-DADD=3 -DMUL=2", "test", &k), want);
        if (want)
            cr_expect(strstr(clv_error_text(b.ctx), "compiler of"), "%s", clv_error_text(b.ctx));
        /* The second time nobody is asked. */
        cr_expect_lt(clv_now() - begin, i ? .9 : 30);
        clv_kernel_destroy(&k);
    }
    /* What has nothing to do with it goes on. */
    unsetenv("CLAVICLE_WORKER");
    b.dev->worker_seconds = 60;
    ok(b.ctx, clv_kernel_create(b.dev, &two, "one", "-DADD=4 -DMUL=2", "test", &k));
    clv_kernel_destroy(&k);
    close_bench(&b, true);
    free(path);
    tmp_remove(dir);
}

Test(worker, unknown_driver_hangs)
{
    unknown_driver("#!/bin/sh\nexec sleep 1000\n", CLV_ERR_BUILD);
}
Test(worker, unknown_driver_crashes)
{
    unknown_driver("#!/bin/sh\nread x\nkill -SEGV $$\n", CLV_ERR_BUILD);
}
Test(worker, unknown_driver_without_workers) { unknown_driver("#!/bin/sh\nexit 1\n", CLV_OK); }

Test(worker, one_that_ends_at_once) { with_program("#!/bin/sh\nexit 3\n", 20); }
Test(worker, one_that_crashes) { with_program("#!/bin/sh\nread x\nkill -SEGV $$\n", 20); }
Test(worker, one_that_hangs) { with_program("#!/bin/sh\nexec sleep 1000\n", .5); }
Test(worker, one_that_talks_nonsense)
{
    with_program("#!/bin/sh\nprintf '\\377\\377\\377\\377nonsense' >&0\nexec sleep 1000\n", 20);
}
Test(worker, one_that_stops_in_the_middle)
{
    with_program("#!/bin/sh\nprintf '\\020\\000\\000\\000x' >&0\nexec sleep 1000\n", 20);
}
Test(worker, one_that_cannot_be_started) { with_program("#!/no/such/interpreter\n", 20); }

Test(worker, none_at_all)
{
    char progress[200];
    setenv("CLAVICLE_WORKER", "", 1);
    cr_expect(!has_workers());
    setenv("CLAVICLE_WORKER", "/no/such/program", 1);
    cr_expect(!has_workers());
    struct bench b = open_bench(NULL);
    build(&b, progress);
    cr_expect_eq(builds, 0);
    cr_expect_eq(use(&b).built, 2);
    close_bench(&b, true);
}

/* A file lies where the folder of programs should be. */
Test(worker, a_cache_that_takes_nothing)
{
    char progress[200], path[100];
    struct bench b = open_bench(NULL);
    snprintf(path, sizeof(path), "%s/programs", b.dir);
    cr_assert_eq(clv_file_write(path, "a file", 6, NULL), CLV_OK);
    build(&b, progress);
    cr_expect_eq(builds, 0);
    cr_expect_eq(use(&b).built, 2);
    close_bench(&b, true);
}

/* No assertions in the child: Criterion knows only the process that it started. */
static int build_apart(const char *dir)
{
    const pid_t child = fork();
    if (child)
        return child;
    alarm(100);
    char progress[200];
    struct bench b = open_bench(dir);
    build(&b, progress);
    const bool right = use(&b).loaded == 2;
    close_bench(&b, false);
    _exit(right ? 0 : 1);
}

Test(worker, two_processes_at_once)
{
    char dir[64];
    tmp_dir(dir);
    const pid_t a = build_apart(dir), b = build_apart(dir);
    int status[2] = {-1, -1};
    cr_assert(a > 0 && b > 0);
    cr_assert_eq(waitpid(a, &status[0], 0), a);
    cr_assert_eq(waitpid(b, &status[1], 0), b);
    cr_expect_eq(status[0], 0);
    cr_expect_eq(status[1], 0);
    tmp_remove(dir);
}

/* Words of a message that is cut at any place read as failed, never as others. */
Test(worker, messages_cut_short)
{
    struct clv_str s = {0};
    clv_wire_add_u32(&s, 7);
    clv_wire_add_text(&s, "text");
    clv_wire_add_u64(&s, 1ull << 40);
    for (size_t n = 0; n <= s.len; n++) {
        struct clv_wire w = {(const unsigned char *)s.text, n, false};
        const uint32_t a = clv_wire_u32(&w);
        const char *text = clv_wire_text(&w);
        const uint64_t c = clv_wire_u64(&w);
        cr_expect_eq(w.failed, n < s.len, "%zu bytes", n);
        cr_expect(a == 7 || a == 0);
        cr_expect(!strcmp(text, "text") || !*text);
        cr_expect_eq(c, n < s.len ? 0 : 1ull << 40);
    }
    clv_str_finish(&s);
}

static void old_folder(char path[256], long pid, long age)
{
    snprintf(path, 256, "%s.work-%ld-0", getenv("POCL_CACHE_DIR"), pid);
    const struct timespec then[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    cr_assert(!mkdir(path, 0700) && !utimensat(AT_FDCWD, path, then, 0), "%s", path);
}

/* Folders of a process that was killed go; those that someone may still use stay. */
Test(worker, sweeps_what_the_killed_left)
{
    struct bench b = open_bench(NULL);
    if (!has_workers() || !getenv("POCL_CACHE_DIR"))
        cr_skip_test("no worker, or no PoCL cache");
    const pid_t gone = fork();
    if (!gone)
        _exit(0);
    cr_assert(gone > 0 && waitpid(gone, NULL, 0) == gone);
    char left[256], recent[256], alive[256], progress[200];
    old_folder(left, gone, 7200);
    old_folder(recent, gone + 100000, 60); /* a number that nobody has, most likely */
    old_folder(alive, getppid(), 7200);
    build(&b, progress);
    cr_expect(access(left, F_OK), "%s was left", left);
    cr_expect(!access(recent, F_OK) && !access(alive, F_OK));
    close_bench(&b, true);
}
