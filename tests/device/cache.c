#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
/* The disk cache: the files alone, then through programs of the default device. */
#include "base/str.h"
#include "base/tmp.h"
#include "device/cachefile.h"
#include "device/poclcache.h"
#include "testdev.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct clv_source add = {
    "add", "kernel void add(global int *x)\n{\n    x[get_global_id(0)] += ADD;\n}\n"};

static struct clv_digest key_of(int i)
{
    return clv_sha256(&i, sizeof(i));
}

/* Path of the n-th file of a folder, and how many there are. */
static char *file_of(const char *dir, size_t index, size_t *count)
{
    char **names = NULL, *path = NULL;
    size_t n = 0;
    if (!clv_dir_list(dir, &names, &n, NULL)) {
        if (index < n)
            path = clv_path_join(dir, names[index]);
        clv_list_free(names, n);
    }
    if (count)
        *count = n;
    return path;
}

static void set_age(const char *path, long seconds)
{
    struct timespec t[2] = {{.tv_sec = time(NULL) - seconds}, {.tv_sec = time(NULL) - seconds}};
    cr_assert_eq(utimensat(AT_FDCWD, path, t, 0), 0);
}

static bool is_there(const char *dir, int key, const char *text)
{
    const struct clv_digest k = key_of(key);
    unsigned char *data = NULL;
    size_t size = 0;
    if (!clv_cachefile_load(NULL, dir, &k, &data, &size))
        return false;
    const bool same = size == strlen(text) && !memcmp(data, text, size);
    free(data);
    cr_expect(same, "key %d holds something else", key);
    return same;
}

static void put(const char *dir, int key, const char *text, unsigned long long max)
{
    const struct clv_digest k = key_of(key);
    clv_cachefile_store(NULL, dir, max, &k, text, strlen(text));
}

Test(cache, what_is_damaged_is_not_there)
{
    char dir[64];
    tmp_dir(dir);
    cr_expect(!is_there(dir, 1, ""));
    put(dir, 1, "the program", 1000);
    cr_expect(is_there(dir, 1, "the program"));
    cr_expect(!is_there(dir, 2, "the program"));
    char *path = file_of(dir, 0, NULL);
    unsigned char *good = NULL;
    size_t size = 0;
    cr_assert_eq(clv_file_read(path, &good, &size, NULL), CLV_OK);
    for (size_t i = 0; i < size; i++) {
        good[i] ^= 1;
        cr_assert_eq(clv_file_write(path, good, size, NULL), CLV_OK);
        cr_expect(!is_there(dir, 1, "the program"), "byte %zu", i);
        good[i] ^= 1;
    }
    for (size_t n = 0; n < size; n++) {
        cr_assert_eq(clv_file_write(path, good, n, NULL), CLV_OK);
        cr_expect(!is_there(dir, 1, "the program"), "%zu bytes", n);
    }
    /* A good entry under another key's name is foreign. */
    cr_assert_eq(clv_file_write(path, good, size, NULL), CLV_OK);
    put(dir, 2, "another", 1000);
    char hex[65], *other = NULL;
    const struct clv_digest two = key_of(2);
    clv_digest_hex(&two, hex);
    other = clv_strdupf("%s/%s.clvbin", dir, hex);
    cr_assert_eq(rename(path, other), 0);
    cr_expect(!is_there(dir, 2, "another"));
    free(other);
    free(path);
    free(good);
    tmp_remove(dir);
}

Test(cache, the_longest_unused_goes_first)
{
    char dir[64], *stale = NULL;
    tmp_dir(dir);
    char *alien = clv_path_join(dir, "README");
    const unsigned long long max = 3 * (80 + 10);
    for (int i = 0; i < 3; i++) {
        char hex[65];
        const struct clv_digest k = key_of(i);
        put(dir, i, "ten bytes!", max);
        clv_digest_hex(&k, hex);
        char *path = clv_strdupf("%s/%s.clvbin", dir, hex);
        set_age(path, 100 - i);
        free(path);
        if (i)
            continue;
        stale = clv_strdupf("%s/%s.clvbin.tmp7.0", dir, hex);
        cr_assert_eq(clv_file_write(stale, "x", 1, NULL), CLV_OK);
        set_age(stale, 100000);
    }
    cr_assert_eq(clv_file_write(alien, "not ours", 8, NULL), CLV_OK);
    cr_expect(is_there(dir, 0, "ten bytes!")); /* a use makes it young again */
    put(dir, 3, "ten bytes!", max);
    cr_expect(is_there(dir, 0, "ten bytes!"));
    cr_expect(!is_there(dir, 1, "ten bytes!"));
    cr_expect(is_there(dir, 2, "ten bytes!"));
    cr_expect(is_there(dir, 3, "ten bytes!"));
    cr_expect(!clv_file_exists(stale));
    cr_expect(clv_file_exists(alien));
    /* What alone is larger than the bound does not push the others out. */
    put(dir, 4, "eleven byte", 80 + 10);
    cr_expect(!is_there(dir, 4, "eleven byte"));
    cr_expect(is_there(dir, 3, "ten bytes!"));
    free(stale);
    free(alien);
    tmp_remove(dir);
}

/* Adds on a device of this context; the result is in *x. */
static enum clv_err add_once(struct clv_device *dev, const char *options, int *x)
{
    struct clv_kernel *k = NULL;
    struct clv_buffer *buf = NULL;
    const size_t one = 1;
    enum clv_err e = clv_kernel_create(dev, &add, "add", options, "test", &k);
    if (!e)
        e = clv_buffer_create(dev, sizeof(*x), &buf);
    if (!e)
        e = clv_kernel_set_buffer(k, 0, buf);
    if (!e)
        e = clv_queue_fill(dev, buf, 0, sizeof(*x), 0, -1);
    if (!e)
        e = clv_queue_kernel(dev, k, 1, &one, &one, -1);
    if (!e)
        e = clv_queue_read_wait(dev, buf, 0, x, sizeof(*x));
    clv_kernel_destroy(&k);
    clv_buffer_destroy(&buf);
    return e;
}

/* Opens a device with this cache, runs one kernel and returns the statistics. */
static struct clv_program_stats run(const char *dir, const char *options, int want)
{
    struct clv_context *ctx = test_context(dir, 0);
    struct clv_device *dev = test_device(ctx, NULL);
    int x = 0;
    ok(ctx, add_once(dev, options, &x));
    cr_expect_eq(x, want);
    const struct clv_program_stats s = clv_device_program_stats(dev);
    test_close(&ctx, &dev);
    return s;
}

static void expect_stats(struct clv_program_stats s, unsigned built, unsigned loaded)
{
    cr_expect_eq(s.built, built);
    cr_expect_eq(s.loaded, loaded);
}

Test(cache, programs_come_back_from_disk)
{
    char dir[64];
    tmp_dir(dir);
    char *programs = clv_path_join(dir, "programs"), *path;
    unsigned char *data = NULL;
    size_t size = 0, count = 0;
    expect_stats(run(dir, "-DADD=5", 5), 1, 0);
    path = file_of(programs, 0, &count);
    cr_assert_eq(count, 1);
    expect_stats(run(dir, "-DADD=5", 5), 0, 1);
    expect_stats(run(dir, "-DADD=6", 6), 1, 0);
    /* One damaged byte: built again without a word, and stored again. */
    cr_assert_eq(clv_file_read(path, &data, &size, NULL), CLV_OK);
    data[size / 2] ^= 16;
    cr_assert_eq(clv_file_write(path, data, size, NULL), CLV_OK);
    expect_stats(run(dir, "-DADD=5", 5), 1, 0);
    expect_stats(run(dir, "-DADD=5", 5), 0, 1);
    free(data);
    free(path);
    free(programs);
    tmp_remove(dir);
}

/* An entry whose checksum is right and whose content no driver takes. */
Test(cache, what_the_driver_refuses_is_built)
{
    char dir[64], *programs, *path, hex[65];
    struct clv_digest key;
    tmp_dir(dir);
    programs = clv_path_join(dir, "programs");
    expect_stats(run(dir, "-DADD=5", 5), 1, 0);
    path = file_of(programs, 0, NULL);
    snprintf(hex, sizeof(hex), "%s", clv_path_base(path));
    for (size_t i = 0; i < sizeof(key.b); i++) {
        unsigned v;
        cr_assert_eq(sscanf(hex + 2 * i, "%2x", &v), 1);
        key.b[i] = (uint8_t)v;
    }
    clv_cachefile_store(NULL, programs, 1000000, &key, "no program at all", 17);
    expect_stats(run(dir, "-DADD=5", 5), 1, 0);
    expect_stats(run(dir, "-DADD=5", 5), 0, 1);
    free(path);
    free(programs);
    tmp_remove(dir);
}

Test(cache, trouble_with_the_folder_is_silent)
{
    char dir[64];
    tmp_dir(dir);
    char *programs = clv_path_join(dir, "programs");
    cr_assert_eq(clv_file_write(programs, "a file, not a folder", 20, NULL), CLV_OK);
    expect_stats(run(dir, "-DADD=5", 5), 1, 0);
    expect_stats(run(dir, "-DADD=5", 5), 1, 0);
    expect_stats(run(NULL, "-DADD=5", 5), 1, 0);
    free(programs);
    tmp_remove(dir);
}

enum { OTHER_PLATFORM = 77, WRONG = 78 };

/* What the child below does. No assertions: Criterion knows only the process that it started. */
static int child_main(const char *dir)
{
    const struct clv_context_params params = {.cache_dir = dir};
    struct clv_context *ctx = clv_context_create(&params);
    struct clv_device *dev = NULL;
    int x = 0;
    if (!ctx)
        return WRONG;
    unsetenv("POCL_CACHE_DIR");
    clv_device_share_cache(ctx);
    /* From source each time: our own entries would bring PoCL's files back. */
    char *programs = clv_path_join(dir, "programs");
    tmp_remove(programs);
    free(programs);
    if (clv_device_open(ctx, NULL, &dev) || !dev->is_pocl)
        return OTHER_PLATFORM;
    const enum clv_err e = add_once(dev, "-DADD=9", &x);
    clv_device_close(&dev);
    clv_context_destroy(&ctx);
    return e || x != 9 ? WRONG : 0;
}

/* In a process of its own, since PoCL ends by abort(); this one must not touch OpenCL before, because
 * threads do not survive a fork. Returns the status as of waitpid(): 0 = it ran. */
static int run_apart(const char *dir)
{
    const pid_t child = fork();
    int status = -1;
    cr_assert_geq(child, 0);
    if (!child) {
        alarm(60);
        _exit(child_main(dir));
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

/* Every file of PoCL's below dir, altered in the middle, emptied or cut in half. */
static int damage(const char *dir, int how)
{
    char **names = NULL;
    size_t n = 0;
    int count = 0;
    cr_assert_eq(clv_dir_list(dir, &names, &n, NULL), CLV_OK);
    for (size_t i = 0; i < n; i++) {
        char *path = clv_path_join(dir, names[i]);
        unsigned char *data = NULL;
        size_t size = 0;
        if (clv_dir_exists(path)) {
            count += damage(path, how);
        } else if (!clv_file_read(path, &data, &size, NULL) && size) {
            data[size / 2] ^= 255;
            const size_t keep = how == 0 ? size : how == 1 ? 0 : size / 2;
            cr_assert_eq(clv_file_write(path, data, keep, NULL), CLV_OK);
            count++;
        }
        free(data);
        free(path);
    }
    clv_list_free(names, n);
    return count;
}

Test(cache, damaged_files_of_pocl_are_compiled_again)
{
    char dir[64];
    tmp_dir(dir);
    char *pocl = clv_path_join(dir, "pocl"), *sums = clv_path_join(dir, "pocl.sums");
    const int first = run_apart(dir);
    if (WIFEXITED(first) && WEXITSTATUS(first) == OTHER_PLATFORM)
        cr_skip_test("the default device is not PoCL's");
    cr_assert_eq(first, 0);
    cr_assert(clv_file_exists(sums));
    for (int how = 0; how < 3; how++) {
        cr_assert_geq(damage(pocl, how), 2);
        cr_expect_eq(run_apart(dir), 0, "damage of kind %d", how);
    }
    /* The process was killed before it could seal: what is cut short is found all the same. */
    remove(sums);
    cr_assert_geq(damage(pocl, 2), 2);
    cr_expect_eq(run_apart(dir), 0);
    cr_assert_eq(clv_file_write(sums, "no sums", 7, NULL), CLV_OK);
    cr_expect_eq(run_apart(dir), 0);
    free(pocl);
    free(sums);
    tmp_remove(dir);
}

/* The seal with each file's stamp as it is now and its sum as it was: as though no file had been touched. */
static void restamp(const char *sums, const char *pocl, const char *started)
{
    unsigned char *text = NULL;
    size_t n = 0;
    cr_assert_eq(clv_file_read(sums, &text, &n, NULL), CLV_OK);
    struct clv_str out = {0};
    char *line = strtok((char *)text, "\n");
    cr_assert(line && !strncmp(line, "started ", 8), "%s", line);
    clv_str_addf(&out, "started %s\n", started ? started : line + 8);
    while ((line = strtok(NULL, "\n"))) {
        char stamp[CLV_FILE_STAMP], *tab = strchr(line, '\t');
        cr_assert(tab);
        *tab = '\0';
        char *path = clv_path_join(pocl, line + 66);
        clv_file_stamp(path, stamp);
        cr_assert(*stamp, "%s", path);
        clv_str_addf(&out, "%s\t%s\n", line, stamp);
        free(path);
    }
    cr_assert_eq(clv_file_write(sums, out.text, out.len, NULL), CLV_OK);
    clv_str_finish(&out);
    free(text);
}

Test(cache, what_stands_as_sealed_is_read_again_after_a_start_of_the_machine)
{
    char dir[64];
    tmp_dir(dir);
    char *pocl = clv_path_join(dir, "pocl"), *sums = clv_path_join(dir, "pocl.sums");
    const int first = run_apart(dir);
    if (WIFEXITED(first) && WEXITSTATUS(first) == OTHER_PLATFORM)
        cr_skip_test("the default device is not PoCL's");
    cr_assert_eq(first, 0);
    if (clv_file_exists("/proc/sys/kernel/random/boot_id")) {
        cr_assert_geq(damage(pocl, 2), 2);
        restamp(sums, pocl, NULL);
        cr_expect_neq(run_apart(dir), 0, "files that nobody touched are read");
    }
    tmp_remove(dir);
    tmp_dir(dir);
    free(pocl), free(sums);
    pocl = clv_path_join(dir, "pocl"), sums = clv_path_join(dir, "pocl.sums");
    cr_assert_eq(run_apart(dir), 0);
    cr_assert_geq(damage(pocl, 2), 2);
    restamp(sums, pocl, "another time");
    cr_expect_eq(run_apart(dir), 0);
    free(pocl), free(sums);
    tmp_remove(dir);
}

Test(cache, processes_share_a_folder)
{
    enum { PROCESSES = 4, ROUNDS = 200 };
    char dir[64], text[400];
    tmp_dir(dir);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    pid_t children[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        cr_assert_geq(children[p], 0);
        if (children[p])
            continue;
        int wrong = 0;
        for (int i = 0; i < ROUNDS && !wrong; i++) {
            const struct clv_digest k = key_of(i % 5);
            unsigned char *data = NULL;
            size_t size = 0;
            /* Room for three of five, so that entries come and go all the time. */
            clv_cachefile_store(NULL, dir, 1500, &k, text, sizeof(text) - 1);
            if (clv_cachefile_load(NULL, dir, &k, &data, &size))
                wrong = size != sizeof(text) - 1 || memcmp(data, text, size);
            free(data);
        }
        _exit(wrong);
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status = -1;
        cr_assert_eq(waitpid(children[p], &status, 0), children[p]);
        cr_expect_eq(status, 0);
    }
    size_t count = 0;
    free(file_of(dir, 0, &count));
    cr_expect_leq(count, 3);
    tmp_remove(dir);
}
